// Packed token tables: blocks that bounds leave out, distances by products, and the forms of the metric that only a table
// has, against their definition in float64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "test/cpu_support.h"
#include "test/flow_reference.h"

namespace wam::test {
namespace {

/// Numbers along a half circle with some noise: what a trained table of number tokens looks like.
TestMetric arc_table(int vocab, int dim, double noise) {
  TestMetric metric;
  metric.vocab = vocab, metric.dim = dim;
  metric.normalise = metric.squared = false;
  metric.table = random_values(static_cast<std::size_t>(vocab * dim), 131, noise);
  for (int v = 0; v < vocab; ++v) {
    metric.table[static_cast<std::size_t>(v * dim)] =
        static_cast<real>(static_cast<float>(2 * std::cos(3.14 * v / vocab)));
    metric.table[static_cast<std::size_t>(v * dim + 1)] =
        static_cast<real>(static_cast<float>(2 * std::sin(3.14 * v / vocab)));
  }
  return metric;
}

struct Steps {
  std::vector<std::int32_t> x_t, x_1;
  std::vector<float> jump;
  PathStep step;

  Steps(const TestMetric& metric, int rows, double beta) {
    const auto n = static_cast<std::size_t>(rows);
    x_t = random_ids(n, metric.vocab, 132), x_1 = random_ids(n, metric.vocab, 133), jump = uniforms(n, 134);
    step.rows = rows, step.metric = metric.view(), step.rule = StepRule::released;
    step.beta = static_cast<real>(beta), step.step_weight = 4;
    step.x_t = x_t.data(), step.x_1 = x_1.data(), step.jump = jump.data();
  }
  /// Tokens, then totals.
  Compute compute(bool packed) const {
    return [this, packed](Backend& b) {
      PathStep s = step;
      std::vector<std::int32_t> next(x_t.size());
      std::vector<real> total(x_t.size());
      s.x_next = next.data(), s.total = total.data();
      std::unique_ptr<PackedTable> table;
      if (packed) table = b.pack_table(s.metric.vocab, s.metric.dim, s.metric.table, s.metric.normalise);
      s.metric.packed = table.get();
      b.path_step(s);
      std::vector<real> all(next.begin(), next.end());
      append(all, total);
      return all;
    };
  }
};

TEST(steps_with_one_uniform_follow_the_law_of_a_plain_table) {
  // At beta = 40 distances are products, at 4000 differences; 1 reaches every token.
  for (const double beta : {1.0, 40.0, 4000.0}) {
    for (const auto& [vocab, dim, rows] : {std::tuple{5, 3, 4}, {130, 18, 40}, {1500, 64, 61}}) {
      TestMetric metric = arc_table(vocab, dim, 0.03);
      const Context at("vocab=" + std::to_string(vocab) + " beta=" + std::to_string(beta));
      const Steps steps(metric, rows, beta);
      std::vector<real> avx2;
      for (const cpu::Isa isa : supported_isas()) {
        const auto got = compute_on(isa, 1, steps.compute(true));
        CHECK_SAME_BITS(compute_on(isa, 2, steps.compute(false)).data(), got.data(), got.size());
        if (isa == cpu::Isa::avx2) avx2 = got;
        if (isa == cpu::Isa::avx512) CHECK_SAME_BITS(got.data(), avx2.data(), got.size());
        for (int i = 0; i < rows; ++i) {
          const auto r = static_cast<std::size_t>(i);
          const auto rate = metric.rates(steps.x_t[r], steps.x_1[r], beta, 4);
          const double total = std::accumulate(rate.begin(), rate.end(), 0.0), stay = std::exp(-total);
          CHECK_NEAR(got[r + static_cast<std::size_t>(rows)], total, tolerance(1e-4) * (1 + total));
          const double margin = kIsDouble ? 1e-9 : 1e-4;
          if (std::abs(steps.jump[r] - stay) < margin) continue;
          if (steps.jump[r] < stay) {
            CHECK_EQ(got[r], static_cast<real>(steps.x_t[r]));
            continue;
          }
          const double draw = (steps.jump[r] - stay) / (1 - stay);
          CHECK(got[r] >= inverse_cdf(rate, draw - margin / (1 - stay)));
          CHECK(got[r] <= inverse_cdf(rate, draw + margin / (1 - stay)));
        }
      }
    }
  }
}

TEST(steps_on_a_table_do_not_depend_on_the_batch) {
  TestMetric released = arc_table(700, 10, 0.1), plain = released;
  released.normalise = released.squared = true;
  for (const TestMetric& metric : {released, plain}) {
    const Steps steps(metric, 90, 40);
    for (const cpu::Isa isa : supported_isas()) {
      const auto all = compute_on(isa, 1, steps.compute(true));
      for (const std::size_t row : {0, 7, 50, 89}) {
        Steps one = steps;
        one.step.rows = 1, one.step.x_t = &steps.x_t[row], one.step.x_1 = &steps.x_1[row],
        one.step.jump = &steps.jump[row];
        one.x_t.resize(1);
        const auto alone = compute_on(isa, 1, one.compute(false));
        CHECK_EQ(alone[0], all[row]);
        CHECK_EQ(alone[1], all[row + 90]);
      }
    }
  }
}

TEST(other_operations_refuse_a_plain_table) {
  const TestMetric metric = arc_table(20, 4, 0.1);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  const std::int32_t x_1 = 3;
  const real beta = 1;
  std::vector<real> out(20);
  CHECK_THROWS(backend->metric_distance(1, metric.view(), &x_1, out.data()), Error);
  CHECK_THROWS(backend->path_probability(1, metric.view(), &beta, &x_1, out.data()), Error);
}

/// The rule by its definition, with its own order of summation and rounding to real left out.
std::vector<std::int32_t> nearest_by_definition(const std::vector<real>& query, const std::vector<real>& table,
                                                int dim) {
  std::vector<std::int32_t> token;
  for (std::size_t q = 0; q < query.size(); q += static_cast<std::size_t>(dim)) {
    double least = std::numeric_limits<double>::infinity();
    std::int32_t best = 0;
    for (std::size_t v = 0; v < table.size(); v += static_cast<std::size_t>(dim)) {
      double d = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(dim); ++i) {
        const double x = static_cast<double>(query[q + i]) - static_cast<double>(table[v + i]);
        d += x * x;
      }
      if (d < least) least = d, best = static_cast<std::int32_t>(v / static_cast<std::size_t>(dim));
    }
    token.push_back(best);
  }
  return token;
}

TEST(nearest_tokens_along_an_arc_are_found_whatever_bounds_leave_out) {
  for (const double noise : {0.0, 1e-4, 0.05, 3.0}) {
    const int vocab = 2100, dim = 20, rows = 150;
    const TestMetric metric = arc_table(vocab, dim, noise);
    auto query = random_values(static_cast<std::size_t>(rows * dim), 141, noise / 2);
    const auto source = random_ids(rows, vocab, 142);
    for (std::size_t i = 0; i < query.size(); ++i)
      query[i] += metric.table[static_cast<std::size_t>(source[i / dim] * dim) + i % dim];
    const auto expected = nearest_by_definition(query, metric.table, dim);
    const Context at("noise=" + std::to_string(noise));
    for (const cpu::Isa isa : supported_isas()) {
      const auto got = compute_on(isa, 2, [&](Backend& b) {
        std::vector<std::int32_t> token(rows);
        const auto packed = b.pack_table(vocab, dim, metric.table.data(), false);
        b.nearest_token(rows, vocab, dim, query.data(), metric.table.data(), false, token.data(), nullptr,
                        packed.get());
        return std::vector<real>(token.begin(), token.end());
      });
      CHECK(std::equal(expected.begin(), expected.end(), got.begin()));
    }
  }
}

TEST(nearest_tokens_far_from_the_origin_are_decided_by_differences) {
  // |e|^2 = 1e6 against distances of 1e-4: products alone have no digit of them.
  const int vocab = 300, dim = 8, rows = 40;
  std::vector<real> table = random_values(static_cast<std::size_t>(vocab * dim), 151, 4e-3);
  for (real& x : table) x += static_cast<real>(350);
  std::vector<real> query = random_values(static_cast<std::size_t>(rows * dim), 152, 4e-3);
  for (real& x : query) x += static_cast<real>(350);
  const auto expected = nearest_by_definition(query, table, dim);
  for (const cpu::Isa isa : supported_isas()) {
    const auto got = compute_on(isa, 1, [&](Backend& b) {
      std::vector<std::int32_t> token(rows);
      b.nearest_token(rows, vocab, dim, query.data(), table.data(), false, token.data(), nullptr);
      return std::vector<real>(token.begin(), token.end());
    });
    CHECK(std::equal(expected.begin(), expected.end(), got.begin()));
  }
}

TEST(nearest_tokens_of_broken_and_huge_rows_are_defined) {
  const real nan = std::numeric_limits<real>::quiet_NaN();
  for (const real scale : {real{1}, static_cast<real>(1e19f), static_cast<real>(1e-20f)}) {
    std::vector<real> table = random_values(200 * 4, 161), query = random_values(6 * 4, 162);
    for (real& x : table) x *= scale;
    for (real& x : query) x *= scale;
    query[5] = nan;
    table[7 * 4 + 1] = nan;
    std::vector<real> reference;
    for (const cpu::Isa isa : supported_isas()) {
      const auto got = compute_on(isa, 1, [&](Backend& b) {
        std::vector<std::int32_t> token(6);
        std::vector<real> distance(6);
        b.nearest_token(6, 200, 4, query.data(), table.data(), false, token.data(), distance.data());
        CHECK(std::isinf(distance[1]));
        return std::vector<real>(token.begin(), token.end());
      });
      CHECK_EQ(got[1], real{0});
      for (const real token : got) CHECK(token >= 0 && token < 200 && token != 7);
      if (scale == 1) {
        if (reference.empty()) reference = got;
        CHECK(got == reference);
      }
    }
  }
}

TEST(triplets_of_rows_of_their_own_have_the_gradients_of_shared_rows) {
  // The same triplets twice: once on a table with a row for every place, once with rows that are shared.
  const int count = 50, vocab = 12, dim = 21;
  const auto shared = random_values(static_cast<std::size_t>(vocab * dim), 171);
  const std::vector<std::int32_t> id[3] = {random_ids(count, vocab, 172), random_ids(count, vocab, 173),
                                           random_ids(count, vocab, 174)};
  std::vector<std::int32_t> own[3];
  std::vector<real> table(static_cast<std::size_t>((3 * count + 1) * dim), real{9});  // the last row has no triplet
  for (int role = 0; role < 3; ++role) {
    for (int i = 0; i < count; ++i) {
      own[role].push_back(role * count + i);
      std::copy_n(shared.begin() + id[role][static_cast<std::size_t>(i)] * dim, dim,
                  table.begin() + own[role].back() * dim);
    }
  }
  std::vector<real> margin(count);
  for (std::size_t i = 0; i < margin.size(); ++i) margin[i] = static_cast<real>(i % 3) - 1;  // some hinges are shut
  for (const bool add : {true, false}) {
    for (const cpu::Isa isa : supported_isas()) {
      compute_on(isa, 2, [&](Backend& b) {
        std::vector<real> once(table.size(), real{2}), many(shared.size(), real{2});
        const double a = b.triplet_margin(count, 3 * count + 1, dim, table.data(), own[0].data(), own[1].data(),
                                          own[2].data(), margin.data(), false, once.data(), 3, add);
        const double c = b.triplet_margin(count, vocab, dim, shared.data(), id[0].data(), id[1].data(), id[2].data(),
                                          margin.data(), false, many.data(), 3, add);
        CHECK_ALL_NEAR(&a, &c, 1, 1e-12);
        const real start = add ? 2 : 0;
        std::vector<double> sum(shared.size(), static_cast<double>(start));
        for (int role = 0; role < 3; ++role)
          for (int i = 0; i < count; ++i)
            for (int p = 0; p < dim; ++p)
              sum[static_cast<std::size_t>(id[role][static_cast<std::size_t>(i)] * dim + p)] +=
                  static_cast<double>(once[static_cast<std::size_t>((role * count + i) * dim + p)] - start);
        CHECK_ALL_NEAR(many.data(), sum.data(), static_cast<long>(sum.size()), tolerance(1e-6));
        for (int p = 0; p < dim; ++p) CHECK_EQ(once[static_cast<std::size_t>(3 * count * dim + p)], start);
        return std::vector<real>();
      });
    }
  }
}

}  // namespace
}  // namespace wam::test
