// Decoding of posteriors, generalised KL, nearest token and triplet margin against their definitions in float64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "test/cpu_support.h"
#include "test/flow_reference.h"

namespace wam::test {
namespace {

const real kNothing = -std::numeric_limits<real>::infinity();

std::vector<double> softmax(const real* logits, int vocab, double temperature = 1) {
  const double top = *std::max_element(logits, logits + vocab);
  std::vector<double> p;
  for (int y = 0; y < vocab; ++y) p.push_back(std::exp((logits[y] - top) / temperature));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& v : p) v /= sum;
  return p;
}

/// Tokens, then log probabilities.
std::vector<real> decode(Backend& b, DecodePosterior d) {
  std::vector<std::int32_t> token(static_cast<std::size_t>(d.rows), -1);
  std::vector<real> log_probability(token.size());
  d.token = token.data(), d.log_probability = log_probability.data();
  b.decode_posterior(d);
  std::vector<real> all(token.begin(), token.end());
  append(all, log_probability);
  return all;
}

struct Case {
  int rows, vocab, ld;
};
const Case kCases[] = {{1, 1, 1}, {3, 2, 5}, {70, 17, 17}, {24, 401, 416}, {4, 20001, 20001}};

TEST(argmax_takes_the_first_of_equal_logits) {
  for (const Case& c : kCases) {
    auto logits = random_values(static_cast<std::size_t>(c.rows * c.ld), 61, 3);
    std::vector<double> expected(static_cast<std::size_t>(2 * c.rows));
    for (int row = 0; row < c.rows; ++row) {
      real* l = logits.data() + row * c.ld;
      const int at = (row * 7) % c.vocab;
      l[c.vocab - 1] = l[at] = 20;  // the greatest, twice
      expected[static_cast<std::size_t>(row)] = at;
      expected[static_cast<std::size_t>(c.rows + row)] = std::log(softmax(l, c.vocab)[static_cast<std::size_t>(at)]);
    }
    DecodePosterior d;
    d.rows = c.rows, d.vocab = c.vocab, d.ldl = c.ld, d.logits = logits.data();
    check_everywhere([&](Backend& b) { return decode(b, d); }, expected, tolerance(2e-6));
  }
}

TEST(median_is_the_least_token_that_reaches_one_half) {
  for (const Case& c : kCases) {
    const auto logits = random_values(static_cast<std::size_t>(c.rows * c.ld), 62, 2);
    DecodePosterior d;
    d.rows = c.rows, d.vocab = c.vocab, d.ldl = c.ld, d.logits = logits.data(), d.rule = DecodeRule::median;
    for (const cpu::Isa isa : supported_isas()) {
      const auto got = compute_on(isa, 2, [&](Backend& b) { return decode(b, d); });
      for (int row = 0; row < c.rows; ++row) {
        const auto p = softmax(logits.data() + row * c.ld, c.vocab);
        const auto token = static_cast<std::size_t>(got[static_cast<std::size_t>(row)]);
        double running = 0;
        for (std::size_t y = 0; y < token; ++y) running += p[y];
        CHECK(running < 0.5 + 1e-6);
        CHECK(running + p[token] > 0.5 - 1e-6);
        CHECK_NEAR(got[static_cast<std::size_t>(c.rows + row)], std::log(p[token]), tolerance(5e-6) * 10);
      }
    }
  }
  // Exactly one half: it is reached, so the token counts. Nothing is cut: top_k is for samples.
  const real equal[] = {1, 1, 1, 1};
  DecodePosterior d;
  d.rows = 1, d.vocab = d.ldl = 4, d.logits = equal, d.rule = DecodeRule::median;
  for (const cpu::Isa isa : supported_isas())
    CHECK_EQ(compute_on(isa, 1, [&](Backend& b) { return decode(b, d); })[0], real{1});
  const real peaked[] = {1, 1, 1, 1.1f};
  d.logits = peaked, d.top_k = 1;
  for (const cpu::Isa isa : supported_isas())
    CHECK_EQ(compute_on(isa, 1, [&](Backend& b) { return decode(b, d); })[0], real{2});
}

TEST(samples_follow_temperature_and_top_k) {
  struct Rule {
    double temperature;
    int top_k;
  };
  for (const Case& c : kCases) {
    for (const Rule& rule : {Rule{1, 0}, Rule{0.3, 0}, Rule{2, 5}, Rule{1, 1}, Rule{1, c.vocab + 3}}) {
      const Context at("vocab=" + std::to_string(c.vocab) + " top_k=" + std::to_string(rule.top_k));
      const auto rows = static_cast<std::size_t>(c.rows);
      const auto logits = random_values(rows * static_cast<std::size_t>(c.ld), 63, 2);
      const auto uniform = uniforms(rows, 64);
      DecodePosterior d;
      d.rows = c.rows, d.vocab = c.vocab, d.ldl = c.ld, d.logits = logits.data(), d.rule = DecodeRule::sample;
      d.temperature = static_cast<real>(rule.temperature), d.top_k = rule.top_k, d.uniform = uniform.data();
      for (const cpu::Isa isa : supported_isas()) {
        const auto got = compute_on(isa, 1, [&](Backend& b) { return decode(b, d); });
        const auto two = compute_on(isa, 2, [&](Backend& b) { return decode(b, d); });
        CHECK_SAME_BITS(got.data(), two.data(), got.size());
        for (std::size_t row = 0; row < rows; ++row) {
          const real* l = logits.data() + row * static_cast<std::size_t>(c.ld);
          std::vector<real> sorted(l, l + c.vocab);
          std::sort(sorted.rbegin(), sorted.rend());
          const real cut =
              rule.top_k > 0 && rule.top_k < c.vocab ? sorted[static_cast<std::size_t>(rule.top_k) - 1] : kNothing;
          auto p = softmax(l, c.vocab, static_cast<double>(d.temperature));
          for (int y = 0; y < c.vocab; ++y)
            if (l[y] < cut) p[static_cast<std::size_t>(y)] = 0;
          CHECK(got[row] >= inverse_cdf(p, uniform[row] - 1e-5));
          CHECK(got[row] <= inverse_cdf(p, uniform[row] + 1e-5));
          const auto plain = softmax(l, c.vocab);
          CHECK_NEAR(got[rows + row], std::log(plain[static_cast<std::size_t>(got[row])]), tolerance(5e-6) * 10);
        }
      }
    }
  }
}

TEST(ties_at_the_last_of_top_k_all_stay) {
  const real logits[] = {2, 5, 1, 2, 2};
  DecodePosterior d;
  d.rows = 1, d.vocab = d.ldl = 5, d.logits = logits, d.rule = DecodeRule::sample, d.top_k = 2;
  for (const cpu::Isa isa : supported_isas()) {
    std::vector<int> seen;
    for (float u = 0; u < 1; u += 0.01f) {
      d.uniform = &u;
      seen.push_back(static_cast<int>(compute_on(isa, 1, [&](Backend& b) { return decode(b, d); })[0]));
    }
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    CHECK((seen == std::vector<int>{0, 1, 3, 4}));
  }
}

TEST(masked_and_broken_logits_give_a_token_of_the_vocabulary) {
  const real nan = std::numeric_limits<real>::quiet_NaN(), infinite = -kNothing;
  const std::vector<std::vector<real>> rows = {{kNothing, 1, kNothing, 2},
                                               {nan, 1, nan, 2},
                                               {nan, nan, nan, nan},
                                               {0, infinite, 0, infinite},
                                               {kNothing, kNothing, kNothing, kNothing}};
  const float last = 1 - 0x1p-24f;
  for (const cpu::Isa isa : supported_isas()) {
    for (const DecodeRule rule : {DecodeRule::argmax, DecodeRule::median, DecodeRule::sample}) {
      for (const int top_k : {0, 2}) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          DecodePosterior d;
          d.rows = 1, d.vocab = d.ldl = 4, d.logits = rows[i].data(), d.rule = rule, d.top_k = top_k, d.uniform = &last;
          const real token = compute_on(isa, 1, [&](Backend& b) { return decode(b, d); })[0];
          CHECK(token >= 0 && token < 4);
          if (i < 2) CHECK_EQ(token, real{3});  // the only tokens with a weight are 1 and 3
        }
      }
    }
    const real plain[] = {0, 1, 0};
    DecodePosterior d;
    d.rows = 1, d.vocab = d.ldl = 3, d.logits = plain, d.rule = DecodeRule::sample, d.uniform = &last;
    for (const double temperature : {0.0, 1e-45}) {  // the limit of sampling is argmax
      d.temperature = static_cast<real>(temperature);
      CHECK_EQ(compute_on(isa, 1, [&](Backend& b) { return decode(b, d); })[0], real{1});
    }
  }
}

double kl_loss(const std::vector<double>& logits, int x_1, int x_t, double rate) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double l : logits) sum += std::exp(l - top);
  const auto log_p = [&](int y) { return logits[static_cast<std::size_t>(y)] - top - std::log(sum); };
  const double same = x_1 == x_t ? 1 : 0;
  return -rate * (std::exp(log_p(x_t)) - same + (1 - same) * log_p(x_1));
}

TEST(generalised_kl_and_its_gradient_match_finite_differences) {
  for (const int vocab : {1, 2, 33, 401}) {
    const int rows = 12;
    const auto logits = random_values(static_cast<std::size_t>(rows * vocab), 71, 2);
    auto x_1 = random_ids(rows, vocab, 72), x_t = random_ids(rows, vocab, 73);
    x_t[3] = x_1[3];
    std::vector<double> rate;
    for (int i = 0; i < rows; ++i) rate.push_back(0.3 * i);
    std::vector<double> expected, gradient;
    for (int i = 0; i < rows; ++i) {
      const auto at = static_cast<std::size_t>(i);
      std::vector<double> l(logits.begin() + i * vocab, logits.begin() + (i + 1) * vocab);
      expected.push_back(kl_loss(l, x_1[at], x_t[at], rate[at]));
      for (double& v : l) {
        const double keep = v, step = 1e-5;
        v = keep + step;
        const double above = kl_loss(l, x_1[at], x_t[at], rate[at]);
        v = keep - step;
        gradient.push_back((above - kl_loss(l, x_1[at], x_t[at], rate[at])) / (2 * step));
        v = keep;
      }
    }
    append(expected, gradient);
    const Compute compute = [&](Backend& b) {
      std::vector<real> loss(rows), dlogits(logits.size()), without(rows);
      b.generalized_kl(rows, vocab, logits.data(), x_1.data(), x_t.data(), rate.data(), loss.data(), dlogits.data());
      b.generalized_kl(rows, vocab, logits.data(), x_1.data(), x_t.data(), rate.data(), without.data(), nullptr);
      CHECK_SAME_BITS(loss.data(), without.data(), rows);
      append(loss, dlogits);
      return loss;
    };
    check_everywhere(compute, expected, kIsDouble ? 1e-9 : 2e-6);
  }
}

TEST(nearest_token_is_that_of_a_full_search) {
  struct Table {
    int rows, vocab, dim;
  };
  for (const Table& t : {Table{1, 1, 1}, Table{3, 2, 3}, Table{300, 37, 8}, Table{17, 401, 70}, Table{600, 130, 16}}) {
    for (const bool normalise : {false, true}) {
      const Context at("vocab=" + std::to_string(t.vocab) + (normalise ? " normalised" : ""));
      const auto query = random_values(static_cast<std::size_t>(t.rows * t.dim), 81);
      auto table = random_values(static_cast<std::size_t>(t.vocab * t.dim), 82);
      // The last row repeats the first: the first must win.
      std::copy_n(table.begin(), t.dim, table.end() - t.dim);
      const auto unit = [&](const std::vector<real>& x, int row) {
        std::vector<double> z(x.begin() + row * t.dim, x.begin() + (row + 1) * t.dim);
        double norm = 0;
        for (const double v : z) norm += v * v;
        if (normalise)
          for (double& v : z) v /= std::sqrt(norm);
        return z;
      };
      std::vector<double> token, distance;
      for (int r = 0; r < t.rows; ++r) {
        const auto q = unit(query, r);
        double least = std::numeric_limits<double>::infinity();
        int best = 0;
        for (int v = 0; v < t.vocab; ++v) {
          const auto z = unit(table, v);
          double d = 0;
          for (std::size_t i = 0; i < z.size(); ++i) d += (q[i] - z[i]) * (q[i] - z[i]);
          if (d < least) least = d, best = v;
        }
        token.push_back(best), distance.push_back(least);
      }
      append(token, distance);
      const Compute compute = [&](Backend& b) {
        std::vector<std::int32_t> id(static_cast<std::size_t>(t.rows));
        std::vector<real> d2(id.size());
        b.nearest_token(t.rows, t.vocab, t.dim, query.data(), table.data(), normalise, id.data(), d2.data());
        std::vector<real> all(id.begin(), id.end());
        append(all, d2);
        b.nearest_token(t.rows, t.vocab, t.dim, query.data(), table.data(), normalise, id.data(), nullptr);
        CHECK(std::equal(id.begin(), id.end(), all.begin()));
        return all;
      };
      check_everywhere(compute, token, tolerance(3e-6));
    }
  }
}

struct Triplets {
  int count, vocab, dim;
  std::vector<real> table, margin;
  std::vector<std::int32_t> a, p, n;

  Triplets(int count_, int vocab_, int dim_) : count(count_), vocab(vocab_), dim(dim_) {
    table = random_values(static_cast<std::size_t>(vocab * dim), 91);
    const auto size = static_cast<std::size_t>(count);
    a = random_ids(size, vocab, 92), p = random_ids(size, vocab, 93), n = random_ids(size, vocab, 94);
    for (int i = 0; i < count; ++i) margin.push_back(static_cast<real>(0.05f * static_cast<float>(i % 12)));
    if (count > 3) p[2] = a[2];  // a distance of 0 has no direction, and must not make a NaN
  }
  double loss(const std::vector<double>& rows, bool normalise) const {
    const auto row = [&](std::int32_t v) {
      std::vector<double> z(rows.begin() + v * dim, rows.begin() + (v + 1) * dim);
      double norm = 0;
      for (const double x : z) norm += x * x;
      if (normalise)
        for (double& x : z) x /= std::sqrt(norm);
      return z;
    };
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto za = row(a[i]), zp = row(p[i]), zn = row(n[i]);
      double dp = 0, dn = 0;
      for (std::size_t k = 0; k < za.size(); ++k) {
        const double eps = normalise ? 0 : 1e-6;
        dp += std::pow(za[k] - zp[k] + eps, 2), dn += std::pow(za[k] - zn[k] + eps, 2);
      }
      sum += std::max(0.0, std::sqrt(dp) - std::sqrt(dn) + margin[i]);
    }
    return sum / count;
  }
};

TEST(triplet_margin_and_its_gradient_match_finite_differences) {
  for (const Triplets& t : {Triplets(1, 3, 2), Triplets(40, 9, 5), Triplets(200, 24, 16)}) {
    for (const bool normalise : {false, true}) {
      const double scale = 2.5;
      auto rows = doubles(t.table);
      std::vector<double> expected = {scale * t.loss(rows, normalise)};
      const auto before = random_values(t.table.size(), 95);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const double keep = rows[i], step = 1e-6;
        rows[i] = keep + step;
        const double above = t.loss(rows, normalise);
        rows[i] = keep - step;
        expected.push_back(before[i] + scale * (above - t.loss(rows, normalise)) / (2 * step));
        rows[i] = keep;
      }
      const Compute compute = [&](Backend& b) {
        std::vector<real> gradient = before, all;
        const auto run = [&](real* dtable) {
          return b.triplet_margin(t.count, t.vocab, t.dim, t.table.data(), t.a.data(), t.p.data(), t.n.data(),
                                  t.margin.data(), normalise, dtable, scale);
        };
        const double loss = run(gradient.data());
        CHECK_EQ(loss, run(nullptr));
        all.push_back(static_cast<real>(loss));
        append(all, gradient);
        return all;
      };
      check_everywhere(compute, expected, 3e-6);
    }
  }
}

TEST(top_k_posterior_keeps_ties_and_gumbel_form_cuts_its_own_value) {
  const real logits[] = {1, 3, 2, 2};
  real prob[4];
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::Isa::portable);
  backend->topk_posterior(1, 4, logits, nullptr, 1, 2, prob);
  const double sum = std::exp(3) + 2 * std::exp(2);
  const double expected[] = {0, std::exp(3) / sum, std::exp(2) / sum, std::exp(2) / sum};
  CHECK_ALL_NEAR(prob, expected, 4, 1e-7);

  const float uniform[] = {0.9f, 0.2f, 0.5f, 0};
  backend->topk_posterior(1, 4, logits, uniform, 0.1, 2, prob);
  double value[4];
  for (int y = 0; y < 4; ++y) value[y] = std::exp(logits[y]) / std::pow(-std::log(uniform[y]), 0.1);
  CHECK_EQ(value[3], 0.0);  // -log 0 is infinite
  const double two = std::exp(value[1]) + std::exp(value[2]);
  const double want[] = {0, std::exp(value[1]) / two, std::exp(value[2]) / two, 0};
  CHECK_ALL_NEAR(prob, want, 4, 1e-6);
}

}  // namespace
}  // namespace wam::test
