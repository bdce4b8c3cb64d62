// The metric path on the GPU against its definition in float64 and against the CPU backend: distances, probabilities,
// rates, moves and noise in both forms of the metric; decoding of posteriors; the released sampler's posterior.
#include "test/gpu/path_support.h"

namespace wam::test {
namespace {

struct Shape {
  int vocab, dim, rows;
};
// Tokens, dimensions and rows on both sides of the tiles of 64, 16 (and groups of 256) and 32.
const Shape kShapes[] = {{1, 1, 1}, {2, 3, 3}, {63, 8, 5}, {64, 16, 32}, {65, 17, 33}, {130, 300, 9}, {193, 49, 70}};

std::string name(const Shape& s, const TestMetric& m) {
  return "vocab=" + std::to_string(s.vocab) + " dim=" + std::to_string(s.dim) + " rows=" + std::to_string(s.rows) +
         (m.coordinate.empty() ? " table" : " power=" + std::to_string(m.power));
}

std::vector<TestMetric> metrics_of(const Shape& s) {
  std::vector<TestMetric> list;
  for (const double power : {1.0, 2.0, 4.0, 1.5}) list.push_back(line_metric(s.vocab, power));
  list.push_back(table_metric(s.vocab, s.dim));
  return list;
}

std::vector<float> betas(std::size_t rows) {
  const double some[] = {0, 0.4, 3, 20, 1500, 1e8, 1e30, HUGE_VAL};
  std::vector<float> beta;
  for (std::size_t i = 0; i < rows; ++i) beta.push_back(static_cast<float>(some[i % 8]));
  return beta;
}

std::vector<float> distances_on(Backend& b, const TestMetric& metric, const std::vector<std::int32_t>& x_1) {
  std::vector<float> d(x_1.size() * static_cast<std::size_t>(metric.vocab), 7);
  CallStaging staging(b);
  b.metric_distance(static_cast<int>(x_1.size()), staged(staging, metric), staging.in(x_1.data(), x_1.size()),
                    staging.out(d.data(), d.size()));
  staging.finish();
  return d;
}

std::vector<float> probabilities_on(Backend& b, const TestMetric& metric, const std::vector<float>& beta,
                                    const std::vector<std::int32_t>& x_1) {
  std::vector<float> p(x_1.size() * static_cast<std::size_t>(metric.vocab), 7);
  CallStaging staging(b);
  b.path_probability(static_cast<int>(x_1.size()), staged(staging, metric), staging.in(beta.data(), beta.size()),
                     staging.in(x_1.data(), x_1.size()), staging.out(p.data(), p.size()));
  staging.finish();
  return p;
}

/// Rates, then totals.
std::vector<float> rates_on(Backend& b, const TestMetric& metric, const std::vector<float>& beta,
                            const std::vector<float>& beta_dot, const std::vector<std::int32_t>& x_t,
                            const std::vector<std::int32_t>& x_1) {
  const std::size_t rows = x_1.size(), values = rows * static_cast<std::size_t>(metric.vocab);
  std::vector<float> all(values + rows, 7);
  CallStaging staging(b);
  b.path_rates(static_cast<int>(rows), staged(staging, metric), staging.in(beta.data(), rows),
               staging.in(beta_dot.data(), rows), staging.in(x_t.data(), rows), staging.in(x_1.data(), rows),
               staging.out(all.data(), values), staging.out(all.data() + values, rows));
  staging.finish();
  return all;
}

struct Move {
  StepRule rule = StepRule::integrated;
  float beta = 0, step_weight = 0;
  std::vector<std::int32_t> x_t, x_1;
  std::vector<float> jump, draw;
};
std::vector<std::int32_t> moved_on(Backend& b, const TestMetric& metric, const Move& m) {
  const std::size_t rows = m.x_1.size();
  std::vector<std::int32_t> x = m.x_t;
  CallStaging staging(b);
  PathStep s;
  s.rows = static_cast<int>(rows), s.metric = staged(staging, metric), s.rule = m.rule;
  s.beta = m.beta, s.step_weight = m.step_weight;
  s.x_1 = staging.in(m.x_1.data(), rows);
  s.jump = staging.in(m.jump.data(), rows), s.draw = staging.in(m.draw.data(), rows);
  s.x_next = staging.inout(x.data(), rows);
  s.x_t = s.x_next;
  b.path_step(s);
  staging.finish();
  return x;
}

std::vector<std::int32_t> noise_on(Backend& b, const TestMetric& metric, const std::vector<float>& beta,
                                   const std::vector<std::int32_t>& x_1, const std::vector<float>& draw,
                                   const std::vector<std::int32_t>& fixed) {
  const std::size_t rows = x_1.size();
  std::vector<std::int32_t> x_t(rows, -7);
  CallStaging staging(b);
  PathNoise s;
  s.rows = static_cast<int>(rows), s.metric = staged(staging, metric);
  s.beta = staging.in(beta.data(), rows), s.x_1 = staging.in(x_1.data(), rows);
  s.draw = staging.in(draw.data(), rows), s.x_t = staging.out(x_t.data(), rows);
  if (!fixed.empty()) s.fixed = staging.in(fixed.data(), rows);
  b.path_noise(s);
  staging.finish();
  return x_t;
}

void append(std::vector<double>& to, const std::vector<double>& more) { to.insert(to.end(), more.begin(), more.end()); }

TEST(gpu_metric_distances_match_their_definition) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  for (const Shape& s : kShapes) {
    for (const TestMetric& metric : metrics_of(s)) {
      const Context at(name(s, metric));
      const auto x_1 = uniform_integers(static_cast<std::size_t>(s.rows), s.vocab, 21);
      std::vector<double> expected;
      for (const int token : x_1) append(expected, metric.distances(token));
      const auto d = distances_on(*gpu, metric, x_1);
      CHECK_ALL_NEAR(d.data(), expected.data(), d.size(), 2e-6);
      if (cpu_rounds_alike()) CHECK_SAME_BITS(d.data(), distances_on(*cpu, metric, x_1).data(), d.size());
    }
  }
  check_no_reports();
}

TEST(gpu_distances_between_near_rows_keep_their_digits) {
  TestMetric arc;
  arc.vocab = 64, arc.dim = 2;
  for (int v = 0; v < arc.vocab; ++v) {
    arc.table.push_back(static_cast<float>(3 * std::cos(0.7 + 1e-3 * v)));
    arc.table.push_back(static_cast<float>(3 * std::sin(0.7 + 1e-3 * v)));
  }
  const std::vector<double> expected = arc.distances(30);
  const auto d = distances_on(*gpu_backend(), arc, {30});
  for (std::size_t v = 0; v < 64; ++v) CHECK_NEAR(d[v], expected[v], 2e-3 * expected[v]);
  check_no_reports();
}

TEST(gpu_path_probabilities_and_rates_match_their_definition) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  double worst_probability = 0, worst_rate = 0;
  const auto off = [](double got, double wanted) { return got == wanted ? 0 : std::abs(got - wanted) / (1 + wanted); };
  for (const Shape& s : kShapes) {
    const auto rows = static_cast<std::size_t>(s.rows);
    for (const TestMetric& metric : metrics_of(s)) {
      const Context at(name(s, metric));
      const auto x_1 = uniform_integers(rows, s.vocab, 22), x_t = uniform_integers(rows, s.vocab, 23);
      const auto beta = betas(rows);
      std::vector<float> beta_dot;
      for (std::size_t i = 0; i < rows; ++i) beta_dot.push_back(static_cast<float>(i % 4));
      std::vector<double> law, rates, totals;
      for (std::size_t i = 0; i < rows; ++i) {
        append(law, metric.probability(x_1[i], beta[i]));
        const auto rate = metric.rates(x_t[i], x_1[i], beta[i], beta_dot[i]);
        append(rates, rate);
        totals.push_back(std::accumulate(rate.begin(), rate.end(), 0.0));
      }
      append(rates, totals);
      const auto p = probabilities_on(*gpu, metric, beta, x_1);
      const auto u = rates_on(*gpu, metric, beta, beta_dot, x_t, x_1);
      CHECK_ALL_NEAR(p.data(), law.data(), p.size(), 2e-6);
      CHECK_ALL_NEAR(u.data(), rates.data(), u.size(), 1e-5);
      for (std::size_t i = 0; i < p.size(); ++i) worst_probability = std::max(worst_probability, off(p[i], law[i]));
      for (std::size_t i = 0; i < u.size(); ++i) worst_rate = std::max(worst_rate, off(u[i], rates[i]));
      for (std::size_t i = 0; i < rows; ++i)
        CHECK_EQ(u[i * static_cast<std::size_t>(s.vocab) + static_cast<std::size_t>(x_t[i])], 0.0f);
      CHECK_ALL_NEAR(p.data(), probabilities_on(*cpu, metric, beta, x_1).data(), p.size(), 1e-6);
    }
  }
  std::printf("  path: probabilities within %.2g, rates within %.2g (1 + |value|)\n", worst_probability, worst_rate);
  check_no_reports();
}

TEST(gpu_moves_and_noise_choose_as_the_law_says) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  long differing = 0, tokens = 0;
  for (const Shape& s : {Shape{1, 4, 4}, Shape{17, 8, 70}, Shape{401, 16, 70}, Shape{5000, 8, 8}}) {
    const auto rows = static_cast<std::size_t>(s.rows);
    for (const TestMetric& metric : metrics_of(s)) {
      Move m;
      m.x_t = uniform_integers(rows, s.vocab, 33), m.x_1 = uniform_integers(rows, s.vocab, 34);
      m.jump = uniforms(rows, 35), m.draw = uniforms(rows, 36);
      m.step_weight = 1.5f;
      for (const StepRule rule : {StepRule::released, StepRule::renoise}) {
        for (const float beta : {0.0f, 2.0f, 60.0f}) {
          const Context at(name(s, metric) + " beta=" + std::to_string(beta));
          m.rule = rule, m.beta = beta;
          const auto next = moved_on(*gpu, metric, m), other = moved_on(*cpu, metric, m);
          long wrong = 0;
          for (std::size_t i = 0; i < rows; ++i) {
            ++tokens, differing += next[i] != other[i];
            if (rule == StepRule::renoise) {
              wrong += !chosen(metric.probability(m.x_1[i], beta), m.draw[i], next[i]);
              continue;
            }
            const auto rates = metric.rates(m.x_t[i], m.x_1[i], beta, m.step_weight);
            const double jumps = -std::expm1(-std::accumulate(rates.begin(), rates.end(), 0.0));
            const bool stays = m.jump[i] >= jumps - 1e-5 && next[i] == m.x_t[i];
            wrong += !stays && !(m.jump[i] < jumps + 1e-5 && chosen(rates, m.draw[i], next[i]));
          }
          CHECK_EQ(wrong, 0);
        }
      }
      const auto beta = betas(rows);
      const auto noise = noise_on(*gpu, metric, beta, m.x_1, m.draw, {}),
                 other = noise_on(*cpu, metric, beta, m.x_1, m.draw, {});
      long wrong = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        ++tokens, differing += noise[i] != other[i];
        wrong += !chosen(metric.probability(m.x_1[i], beta[i]), m.draw[i], noise[i]);
      }
      const Context at(name(s, metric) + " noise");
      CHECK_EQ(wrong, 0);
    }
  }
  CHECK(differing <= (cpu_rounds_alike() ? 0 : tokens / 1000));
  std::printf("  path: %ld of %ld tokens differ from the CPU's\n", differing, tokens);
  check_no_reports();
}

TEST(gpu_draws_on_a_boundary_take_the_token_above_and_medians_the_one_below) {
  const auto gpu = gpu_backend();
  // beta 0: all weights are 1, and sums exact.
  for (const int vocab : {2, 64, 128, 512, 4096}) {
    Move m;
    m.rule = StepRule::renoise;
    for (const float draw : {0.0f, 0.25f, 0.5f, 0.75f}) m.draw.push_back(draw);
    m.jump = m.draw, m.x_t = m.x_1 = {0, 0, 0, 0};
    const Context at("vocab=" + std::to_string(vocab));
    const auto next = moved_on(*gpu, line_metric(vocab, 1), m);
    for (std::size_t i = 0; i < 4; ++i) CHECK_EQ(next[i], static_cast<int>(m.draw[i] * static_cast<float>(vocab)));
    const std::vector<float> logits(static_cast<std::size_t>(vocab), 0.5f);
    std::int32_t token = -7;
    CallStaging staging(*gpu);
    DecodePosterior d;
    d.rows = 1, d.vocab = d.ldl = vocab, d.rule = DecodeRule::median;
    d.logits = staging.in(logits.data(), logits.size()), d.token = staging.out(&token, 1);
    gpu->decode_posterior(d);
    staging.finish();
    CHECK_EQ(token, vocab / 2 - 1);
  }
  check_no_reports();
}

TEST(gpu_rows_with_a_fixed_token_take_it) {
  const std::size_t rows = 40;
  for (const TestMetric& metric : {line_metric(65, 1), table_metric(65, 7)}) {
    auto x_1 = uniform_integers(rows, 65, 41);
    const auto beta = betas(rows);
    const auto draw = uniforms(rows, 42);
    std::vector<std::int32_t> fixed(rows, -1);
    const auto free_rows = noise_on(*gpu_backend(), metric, beta, x_1, draw, {});
    for (std::size_t i = 0; i < rows; i += 3) fixed[i] = static_cast<std::int32_t>(65 + i), x_1[i] = -1;
    const auto got = noise_on(*gpu_backend(), metric, beta, x_1, draw, fixed);
    for (std::size_t i = 0; i < rows; ++i) CHECK_EQ(got[i], i % 3 == 0 ? fixed[i] : free_rows[i]);
  }
  check_no_reports();
}

TEST(gpu_paths_are_the_same_under_every_schedule) {
  const std::size_t rows = 5;
  for (const TestMetric& metric : {line_metric(401, 1), table_metric(130, 40)}) {
    const auto x_1 = uniform_integers(rows, metric.vocab, 51), x_t = uniform_integers(rows, metric.vocab, 52);
    const auto beta = betas(rows), dot = beta;
    Move m;
    m.x_t = x_t, m.x_1 = x_1, m.jump = uniforms(rows, 53), m.draw = uniforms(rows, 54), m.beta = 2, m.step_weight = 3;
    same_under_each_schedule([&] {
      const auto b = gpu_backend();
      auto all = distances_on(*b, metric, x_1);
      for (const auto& more : {probabilities_on(*b, metric, beta, x_1), rates_on(*b, metric, beta, dot, x_t, x_1)})
        all.insert(all.end(), more.begin(), more.end());
      for (const auto& more : {moved_on(*b, metric, m), noise_on(*b, metric, beta, x_1, m.draw, {})})
        all.insert(all.end(), more.begin(), more.end());
      return all;
    });
  }
}

TEST(gpu_table_rows_measured_in_several_passes_are_the_same) {
  // A pass has room for 63 rows of 262,145 tokens, and takes whole tiles of 32.
  TestMetric metric = table_metric(262145, 1);
  const std::size_t rows = 33;
  const auto x_1 = uniform_integers(rows, metric.vocab, 55);
  const auto draw = uniforms(rows, 56);
  const std::vector<float> beta(rows, 0.5f);
  simt::HarnessOptions options = simt::harness_options();
  options.check = false;
  const simt::ScopedOptions scope(options);
  const auto got = noise_on(*gpu_backend(), metric, beta, x_1, draw, {});
  const auto wanted = noise_on(*cpu_backend(), metric, beta, x_1, draw, {});
  if (cpu_rounds_alike()) CHECK(got == wanted);
  check_no_reports();
}

TEST(gpu_posteriors_decode_as_on_the_cpu) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  const int rows = 9, ld = 140, vocab = 130;
  const auto logits = normal_values(static_cast<std::size_t>(rows * ld), 61, 3);
  const auto uniform = uniforms(rows, 62);
  for (const DecodeRule rule : {DecodeRule::argmax, DecodeRule::median, DecodeRule::sample}) {
    for (const int top_k : {0, 1, 4}) {
      for (const bool scored : {false, true}) {
        const auto decode = [&](Backend& b) {
          std::vector<std::int32_t> token(rows, -7);
          std::vector<float> log_p(scored ? rows : 0, 7.0f);
          CallStaging staging(b);
          DecodePosterior d;
          d.rows = rows, d.vocab = vocab, d.ldl = ld, d.rule = rule, d.top_k = top_k, d.temperature = 0.8f;
          // The last row ends with its last logit.
          d.logits = staging.in(logits.data(), logits.size() - (ld - vocab));
          d.uniform = staging.in(uniform.data(), uniform.size());
          d.token = staging.out(token.data(), token.size());
          d.log_probability = scored ? staging.out(log_p.data(), log_p.size()) : nullptr;
          b.decode_posterior(d);
          staging.finish();
          return std::pair(token, log_p);
        };
        const auto got = decode(*gpu), wanted = decode(*cpu);
        for (std::size_t i = 0; i < rows; ++i) {
          const float* row = logits.data() + static_cast<std::ptrdiff_t>(i) * ld;
          const auto plain = posterior(row, vocab);
          const int token = got.first[i];
          if (rule == DecodeRule::argmax) CHECK_EQ(token, std::max_element(row, row + vocab) - row);
          if (rule == DecodeRule::median) CHECK(chosen(plain, 0.5, token, 1e-6));
          if (rule == DecodeRule::sample)
            CHECK(chosen(posterior(row, vocab, 0.8f, cut_at(row, vocab, top_k)), uniform[i], token));
          if (scored) CHECK_NEAR(got.second[i], std::log(plain[static_cast<std::size_t>(token)]), 2e-6);
        }
        if (cpu_rounds_alike()) CHECK(got.first == wanted.first);
      }
    }
  }
  check_no_reports();
}

TEST(gpu_initial_tokens_are_those_of_the_seed) {
  const int rows = 300, slots = 7;
  const std::uint64_t seed = 0x123456789abcdefull;
  for (const int vocab : {1, 401, 122401}) {
    std::vector<std::int32_t> x_0(rows);
    const auto gpu = gpu_backend();
    CallStaging staging(*gpu);
    gpu->initial_tokens(rows, slots, vocab, staging.in(&seed, 1), staging.out(x_0.data(), x_0.size()));
    staging.finish();
    for (int i = 0; i < rows; ++i) {
      const Philox4 r = RandomStream(seed).at(0, static_cast<std::uint32_t>(i % slots),
                                              static_cast<std::uint32_t>(i / slots), RandomUse::initial_token);
      CHECK_EQ(
          x_0[static_cast<std::size_t>(i)],
          static_cast<std::int32_t>(static_cast<std::uint64_t>(r.word[0]) * static_cast<std::uint64_t>(vocab) >> 32));
    }
  }
  check_no_reports();
}

TEST(gpu_released_posteriors_match_their_definition) {
  const int rows = 3;
  for (const int vocab : {1, 2, 65, 600}) {
    auto logits = normal_values(static_cast<std::size_t>(rows * vocab), 71);
    for (float& l : logits) l = std::round(4 * l) / 4;  // ties
    auto uniform = uniforms(logits.size(), 72);
    for (float& u : uniform) u = std::max(u, 1e-6f);
    for (const int k : {1, 5, vocab + 3}) {
      for (const bool gumbel : {false, true}) {
        const Context at("vocab=" + std::to_string(vocab) + " k=" + std::to_string(k) + (gumbel ? " gumbel" : ""));
        std::vector<double> expected;
        for (int row = 0; row < rows; ++row) {
          std::vector<double> value;
          for (int y = 0; y < vocab; ++y) {
            const auto i = static_cast<std::size_t>(row * vocab + y);
            value.push_back(gumbel ? std::exp(double{logits[i]}) / std::pow(-std::log(double{uniform[i]}), 0.1)
                                   : double{logits[i]});
          }
          std::vector<double> sorted = value;
          std::sort(sorted.begin(), sorted.end(), std::greater<double>());
          const double cut = sorted[static_cast<std::size_t>(std::min(k, vocab)) - 1];
          double total = 0;
          for (double& v : value) total += v = v >= cut ? std::exp(v - sorted[0]) : 0;
          for (const double v : value) expected.push_back(v / total);
        }
        const auto compute = [&] {
          const auto gpu = gpu_backend();
          std::vector<float> prob(logits.size(), 7);
          CallStaging staging(*gpu);
          gpu->topk_posterior(rows, vocab, staging.in(logits.data(), logits.size()),
                              gumbel ? staging.in(uniform.data(), uniform.size()) : nullptr, 0.1, k,
                              staging.out(prob.data(), prob.size()));
          staging.finish();
          return prob;
        };
        const auto prob = vocab == 65 ? same_under_each_schedule(compute) : compute();
        CHECK_ALL_NEAR(prob.data(), expected.data(), prob.size(), 1e-7);
      }
    }
  }
  check_no_reports();
}

}  // namespace
}  // namespace wam::test
