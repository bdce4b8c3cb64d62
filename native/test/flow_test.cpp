// The metric path of the CPU backend against its definition in float64: distances, probabilities, rates, and the tokens
// that uniforms choose.
#include <algorithm>
#include <limits>
#include <numeric>

#include "test/cpu_support.h"
#include "test/flow_reference.h"

namespace wam::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Shape {
  int vocab, dim, rows;
};
const Shape kTables[] = {{1, 1, 1}, {2, 3, 3}, {17, 8, 5}, {40, 33, 40}, {130, 70, 9}, {401, 16, 24}};

std::string name(const Shape& s) {
  return "vocab=" + std::to_string(s.vocab) + " dim=" + std::to_string(s.dim) + " rows=" + std::to_string(s.rows);
}

/// Both forms, with degenerate rows: duplicates, opposites, zero, tiny.
std::vector<TestMetric> metrics_of(const Shape& s) {
  std::vector<TestMetric> list;
  for (const double power : {1.0, 2.0, 4.0, 1.5}) list.push_back(line_metric(s.vocab, power));
  TestMetric table;
  table.vocab = s.vocab, table.dim = s.dim;
  table.table = random_values(static_cast<std::size_t>(s.vocab * s.dim), 11);
  const auto row = [&](int v) { return table.table.begin() + v * s.dim; };
  if (s.vocab >= 17) {
    std::copy_n(row(2), s.dim, row(5));
    std::transform(row(2), row(2) + s.dim, row(7), [](real x) { return -x; });
    std::fill_n(row(9), s.dim, real{0});
    for (int i = 0; i < s.dim; ++i) row(11)[i] *= static_cast<real>(1e-14f);
  }
  list.push_back(table);
  return list;
}

std::vector<real> betas(int rows) {
  const double some[] = {0, 0.4, 3, 20, 1500, 1e8, kInfinity};
  std::vector<real> beta;
  for (int i = 0; i < rows; ++i) beta.push_back(static_cast<real>(some[i % 7]));
  return beta;
}

TEST(metric_distances_match_their_definition) {
  for (const Shape& s : kTables) {
    for (const TestMetric& metric : metrics_of(s)) {
      const Context at(name(s) + " power=" + std::to_string(metric.power));
      const auto x_1 = random_ids(static_cast<std::size_t>(s.rows), s.vocab, 21);
      std::vector<double> expected;
      for (const int token : x_1) append(expected, metric.distances(token));
      const Compute compute = [&](Backend& b) {
        std::vector<real> d(static_cast<std::size_t>(s.rows * s.vocab));
        b.metric_distance(s.rows, metric.view(), x_1.data(), d.data());
        return d;
      };
      check_everywhere(compute, expected, tolerance(2e-6));
    }
  }
}

TEST(distances_between_near_rows_keep_their_digits) {
  // Neighbours 1e-3 apart: 2 - 2cos in float has one digit left of their distance.
  TestMetric arc;
  arc.vocab = 64, arc.dim = 2;
  for (int v = 0; v < arc.vocab; ++v) {
    const double angle = 0.7 + 1e-3 * v;
    arc.table.push_back(static_cast<real>(static_cast<float>(3 * std::cos(angle))));
    arc.table.push_back(static_cast<real>(static_cast<float>(3 * std::sin(angle))));
  }
  const std::int32_t x_1[] = {30};
  const std::vector<double> expected = arc.distances(30);
  for (const cpu::Isa isa : supported_isas()) {
    const auto d = compute_on(isa, 1, [&](Backend& b) {
      std::vector<real> out(64);
      b.metric_distance(1, arc.view(), x_1, out.data());
      return out;
    });
    for (std::size_t v = 0; v < 64; ++v) CHECK_NEAR(d[v], expected[v], tolerance(2e-3) * expected[v]);
  }
}

TEST(path_probabilities_match_their_definition) {
  for (const Shape& s : kTables) {
    const auto beta = betas(s.rows);
    for (const TestMetric& metric : metrics_of(s)) {
      const Context at(name(s) + " power=" + std::to_string(metric.power));
      const auto x_1 = random_ids(static_cast<std::size_t>(s.rows), s.vocab, 22);
      std::vector<double> expected;
      for (std::size_t i = 0; i < x_1.size(); ++i) append(expected, metric.probability(x_1[i], beta[i]));
      const Compute compute = [&](Backend& b) {
        std::vector<real> p(static_cast<std::size_t>(s.rows * s.vocab));
        b.path_probability(s.rows, metric.view(), beta.data(), x_1.data(), p.data());
        return p;
      };
      check_everywhere(compute, expected, tolerance(2e-6));
    }
  }
}

TEST(path_rates_match_their_definition_and_are_zero_where_nothing_is_nearer) {
  for (const Shape& s : kTables) {
    const auto beta = betas(s.rows);
    for (const TestMetric& metric : metrics_of(s)) {
      const Context at(name(s) + " power=" + std::to_string(metric.power));
      const auto rows = static_cast<std::size_t>(s.rows);
      const auto x_t = random_ids(rows, s.vocab, 23), x_1 = random_ids(rows, s.vocab, 24);
      std::vector<real> beta_dot;
      for (std::size_t i = 0; i < rows; ++i) beta_dot.push_back(static_cast<real>(i % 4));
      std::vector<double> expected;
      for (std::size_t i = 0; i < rows; ++i) {
        const std::vector<double> rate = metric.rates(x_t[i], x_1[i], beta[i], beta_dot[i]);
        append(expected, rate);
        expected.push_back(std::accumulate(rate.begin(), rate.end(), 0.0));
      }
      const Compute compute = [&](Backend& b) {
        std::vector<real> rate(rows * static_cast<std::size_t>(s.vocab)), total(rows), all;
        b.path_rates(s.rows, metric.view(), beta.data(), beta_dot.data(), x_t.data(), x_1.data(), rate.data(),
                     total.data());
        for (std::size_t i = 0; i < rows; ++i) {
          const auto first = rate.begin() + static_cast<std::ptrdiff_t>(i) * s.vocab;
          CHECK_EQ(first[x_t[i]], real{0});
          all.insert(all.end(), first, first + s.vocab);
          all.push_back(total[i]);
        }
        return all;
      };
      check_everywhere(compute, expected, tolerance(1e-5));
    }
  }
}

TEST(line_and_table_forms_agree_on_a_short_arc) {
  // For a small angle D between unit vectors (|z_i - z_j|^2)^2 = 16 sin^4(D/2) is D^4 up to a part D^2/6 of it.
  const int vocab = 101;
  TestMetric line = line_metric(vocab, 4), table;
  table.vocab = vocab, table.dim = 2;
  for (int v = 0; v < vocab; ++v) {
    const double angle = 0.05 * (v / 100.0 - 0.5);
    line.coordinate[static_cast<std::size_t>(v)] = static_cast<real>(angle);
    table.table.push_back(static_cast<real>(std::cos(angle)));
    table.table.push_back(static_cast<real>(std::sin(angle)));
  }
  const real beta[] = {static_cast<real>(std::pow(0.01, -4))};
  const std::int32_t x_1[] = {37};
  for (const cpu::Isa isa : supported_isas()) {
    const auto of = [&](const TestMetric& metric) {
      return compute_on(isa, 1, [&](Backend& b) {
        std::vector<real> p(vocab);
        b.path_probability(1, metric.view(), beta, x_1, p.data());
        return p;
      });
    };
    const auto a = of(line), b = of(table);
    for (std::size_t v = 0; v < vocab; ++v) CHECK_NEAR(a[v], b[v], 1e-4);
  }
}

/// Tokens chosen by `draw` must be those of the reference CDF, unless the draw lies within `margin` of a boundary.
void check_choices(const std::vector<real>& token, const std::vector<std::vector<double>>& law,
                   const std::vector<float>& draw, double margin) {
  long wrong = 0, close = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const double low = inverse_cdf(law[i], draw[i] - margin), high = inverse_cdf(law[i], draw[i] + margin);
    if (low != high) ++close;
    if (token[i] < low || token[i] > high) ++wrong;
  }
  CHECK_EQ(wrong, 0);
  CHECK(close < static_cast<long>(token.size()) / 4 + 2);
}

const Shape kSampled[] = {{1, 4, 8}, {17, 8, 200}, {401, 16, 200}, {5000, 8, 40}};

TEST(noise_is_drawn_by_inverse_cdf_of_the_path) {
  for (const Shape& s : kSampled) {
    for (const TestMetric& metric : metrics_of(s)) {
      const Context at(name(s) + " power=" + std::to_string(metric.power));
      const auto rows = static_cast<std::size_t>(s.rows);
      const auto x_1 = random_ids(rows, s.vocab, 31);
      const auto draw = uniforms(rows, 32);
      std::vector<real> beta;
      std::vector<std::vector<double>> law;
      for (std::size_t i = 0; i < rows; ++i) {
        beta.push_back(static_cast<real>(i % 3 == 0 ? 0 : std::pow(4.0, static_cast<double>(i % 9))));
        law.push_back(metric.probability(x_1[i], beta[i]));
      }
      const Compute compute = [&](Backend& b) {
        std::vector<std::int32_t> x_t(rows);
        b.path_noise({s.rows, metric.view(), beta.data(), x_1.data(), draw.data(), x_t.data()});
        return std::vector<real>(x_t.begin(), x_t.end());
      };
      for (const cpu::Isa isa : supported_isas()) {
        const auto one = compute_on(isa, 1, compute), two = compute_on(isa, 2, compute);
        CHECK_SAME_BITS(one.data(), two.data(), rows);
        check_choices(one, law, draw, kIsDouble ? 1e-9 : 1e-5);
      }
    }
  }
}

TEST(steps_jump_and_choose_as_the_rates_say) {
  for (const Shape& s : kSampled) {
    for (const TestMetric& metric : metrics_of(s)) {
      const auto rows = static_cast<std::size_t>(s.rows);
      const auto x_t = random_ids(rows, s.vocab, 33), x_1 = random_ids(rows, s.vocab, 34);
      const auto jump = uniforms(rows, 35), draw = uniforms(rows, 36);
      for (const double beta : {0.0, 2.0, 60.0}) {
        const Context at(name(s) + " power=" + std::to_string(metric.power) + " beta=" + std::to_string(beta));
        const double weight = 1.5;
        PathStep step;
        step.rows = s.rows, step.metric = metric.view(), step.rule = StepRule::integrated;
        step.beta = static_cast<real>(beta), step.step_weight = static_cast<real>(weight);
        step.x_1 = x_1.data(), step.jump = jump.data(), step.draw = draw.data();
        const Compute compute = [&](Backend& b) {
          std::vector<std::int32_t> x = x_t;  // in place
          step.x_t = step.x_next = x.data();
          b.path_step(step);
          return std::vector<real>(x.begin(), x.end());
        };
        for (const cpu::Isa isa : supported_isas()) {
          const auto next = compute_on(isa, 1, compute), two = compute_on(isa, 2, compute);
          CHECK_SAME_BITS(next.data(), two.data(), rows);
          std::vector<real> token;
          std::vector<std::vector<double>> law;
          std::vector<float> used;
          for (std::size_t i = 0; i < rows; ++i) {
            const auto rate = metric.rates(x_t[i], x_1[i], step.beta, weight);
            const double jumps = 1 - std::exp(-std::accumulate(rate.begin(), rate.end(), 0.0));
            if (std::abs(jump[i] - jumps) < 1e-5) continue;
            if (jump[i] >= jumps) {
              CHECK_EQ(next[i], static_cast<real>(x_t[i]));
              continue;
            }
            token.push_back(next[i]), law.push_back(rate), used.push_back(draw[i]);
          }
          check_choices(token, law, used, kIsDouble ? 1e-9 : 1e-5);
        }
      }
    }
  }
}

TEST(renoise_draws_from_the_path_wherever_the_token_was) {
  const TestMetric metric = line_metric(401, 1);
  const std::size_t rows = 300;
  const auto x_t = random_ids(rows, 401, 37), x_1 = random_ids(rows, 401, 38);
  const auto draw = uniforms(rows, 39);
  PathStep step;
  step.rows = static_cast<int>(rows), step.metric = metric.view(), step.rule = StepRule::renoise;
  step.beta = 30, step.x_t = x_t.data(), step.x_1 = x_1.data(), step.draw = draw.data();
  std::vector<std::vector<double>> law;
  for (const int token : x_1) law.push_back(metric.probability(token, 30));
  for (const cpu::Isa isa : supported_isas()) {
    const auto next = compute_on(isa, 2, [&](Backend& b) {
      std::vector<std::int32_t> x(rows);
      step.x_next = x.data();
      b.path_step(step);
      return std::vector<real>(x.begin(), x.end());
    });
    check_choices(next, law, draw, kIsDouble ? 1e-9 : 1e-5);
  }
}

TEST(extreme_steps_stay_defined) {
  const TestMetric line = line_metric(11, 1);
  TestMetric table;
  table.vocab = 4, table.dim = 1, table.table = {1, 1, -1, -1};  // rows 0 and 1 are one point, 2 and 3 its opposite
  const float ends[] = {0, 1 - 0x1p-24f};
  for (const cpu::Isa isa : supported_isas()) {
    compute_on(isa, 1, [&](Backend& b) {
      const auto step = [&](const TestMetric& metric, StepRule rule, double beta, double weight, std::int32_t from,
                            std::int32_t to, float draw) {
        const float jump = 0.5f;
        std::int32_t next = -1;
        b.path_step({1, metric.view(), rule, static_cast<real>(beta), static_cast<real>(weight), &from, &to, &jump,
                     &draw, &next});
        return next;
      };
      for (const float draw : ends) {
        CHECK_EQ(step(line, StepRule::released, 0, 0, 3, 8, draw), 3);                    // no weight, no jump
        CHECK_EQ(step(line, StepRule::integrated, 1, kInfinity, 8, 8, draw), 8);          // at the target
        CHECK_EQ(step(line, StepRule::integrated, kInfinity, kInfinity, 3, 8, draw), 8);  // straight to the target
        CHECK_EQ(step(line, StepRule::renoise, kInfinity, 0, 3, 8, draw), 8);
        CHECK_EQ(step(line, StepRule::renoise, 0, 0, 3, 8, draw), draw == 0 ? 0 : 10);     // uniform over all
        CHECK_EQ(step(table, StepRule::renoise, 1e30, 0, 2, 1, draw), draw == 0 ? 0 : 1);  // duplicates share
        CHECK_EQ(step(table, StepRule::integrated, 1, kInfinity, 3, 1, draw), draw == 0 ? 0 : 1);
        CHECK_EQ(step(table, StepRule::integrated, 1, kInfinity, 0, 1, draw), 0);  // a duplicate is as near as can be
      }
      // From 3 towards 8 only tokens nearer than 5 places may be reached: 4 .. 10.
      CHECK_EQ(step(line, StepRule::integrated, 0, kInfinity, 3, 8, ends[0]), 4);
      CHECK_EQ(step(line, StepRule::integrated, 0, kInfinity, 3, 8, ends[1]), 10);
      return std::vector<real>();
    });
  }
}

/// Pearson's statistic of counts against a law, over tokens that expect at least 5; its degrees of freedom in *freedom.
double chi_square(const std::vector<long>& count, const std::vector<double>& law, long draws, int* freedom) {
  double sum = 0, rest_expected = 0, rest_count = 0;
  *freedom = -1;
  for (std::size_t v = 0; v < law.size(); ++v) {
    const double expected = law[v] * static_cast<double>(draws);
    if (expected < 5) {
      rest_expected += expected, rest_count += static_cast<double>(count[v]);
      continue;
    }
    sum += std::pow(static_cast<double>(count[v]) - expected, 2) / expected;
    ++*freedom;
  }
  if (rest_expected >= 5) sum += std::pow(rest_count - rest_expected, 2) / rest_expected, ++*freedom;
  return sum;
}

TEST(frequencies_of_steps_follow_the_law) {
  const int draws = 200000;
  for (const TestMetric& metric : metrics_of({41, 6, 1})) {
    const std::int32_t from = 6, to = 25;
    const double beta = 1.3, weight = 1.1;
    std::vector<double> law = metric.rates(from, to, beta, weight);
    const double total = std::accumulate(law.begin(), law.end(), 0.0), jumps = 1 - std::exp(-total);
    for (double& p : law) p *= jumps / total;
    law[static_cast<std::size_t>(from)] = 1 - jumps;
    const std::vector<std::int32_t> x_t(draws, from), x_1(draws, to);
    const auto jump = uniforms(draws, 51), draw = uniforms(draws, 52);
    const auto next = compute_on(cpu::best_isa(), 2, [&](Backend& b) {
      std::vector<std::int32_t> x(draws);
      b.path_step({draws, metric.view(), StepRule::integrated, static_cast<real>(beta), static_cast<real>(weight),
                   x_t.data(), x_1.data(), jump.data(), draw.data(), x.data()});
      return std::vector<real>(x.begin(), x.end());
    });
    std::vector<long> count(law.size());
    for (const real token : next) ++count[static_cast<std::size_t>(token)];
    int freedom = 0;
    const double statistic = chi_square(count, law, draws, &freedom);
    const Context at("freedom=" + std::to_string(freedom));
    CHECK(freedom > 3);
    CHECK_NEAR(statistic, freedom, 5 * std::sqrt(2.0 * freedom));
  }
}

}  // namespace
}  // namespace wam::test
