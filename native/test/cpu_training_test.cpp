// Token tables, cross entropy and optimiser of the CPU backend against their definitions in float64.
#include "test/cpu_support.h"

namespace wam::test {
namespace {

struct LossCase {
  int rows, vocab;
  double smear;
};

/// Weighted cross entropy of each row and its gradient; target -100 gives zeros.
struct LossReference {
  std::vector<double> loss, dlogits;
};
LossReference loss_reference(int rows, int vocab, const std::vector<double>& logits, int ld,
                             const std::vector<std::int32_t>& target, double smear, const std::vector<real>& weight) {
  LossReference r;
  r.loss.assign(static_cast<std::size_t>(rows), 0);
  r.dlogits.assign(static_cast<std::size_t>(rows) * vocab, 0);
  for (int i = 0; i < rows; ++i) {
    const std::size_t row = static_cast<std::size_t>(i);
    if (target[row] == -100) continue;
    const double* x = logits.data() + row * ld;
    double top = -HUGE_VAL, total = 0, mass = 0;
    for (int j = 0; j < vocab; ++j) top = std::max(top, x[j]);
    std::vector<double> q(static_cast<std::size_t>(vocab));
    for (int j = 0; j < vocab; ++j) {
      total += std::exp(x[j] - top);
      const double distance = j - target[row];
      const bool inside = std::abs(distance) <= 4 * smear;
      q[static_cast<std::size_t>(j)] = distance == 0 ? 1 : inside ? std::exp(-0.5 * std::pow(distance / smear, 2)) : 0;
      mass += q[static_cast<std::size_t>(j)];
    }
    for (int j = 0; j < vocab; ++j) {
      const double share = q[static_cast<std::size_t>(j)] / mass, log_p = x[j] - top - std::log(total);
      r.loss[row] -= weight[row] * share * log_p;
      r.dlogits[row * vocab + j] = weight[row] * (std::exp(log_p) - share);
    }
  }
  return r;
}

struct LossInputs {
  LossCase c;
  int ld;
  std::vector<real> logits, weight;
  std::vector<std::int32_t> target;
  explicit LossInputs(const LossCase& of) : c(of), ld(of.vocab + 3) {
    const std::size_t rows = static_cast<std::size_t>(c.rows);
    logits = random_values(rows * ld, 71, 5);
    weight = random_values(rows, 72);
    target = random_ids(rows, c.vocab, 73);
    if (rows > 2) target[1] = -100, target[0] = 0, target[2] = c.vocab - 1;  // both edges, and an ignored row
  }
};
const LossCase kLossCases[] = {{1, 1, 0},  {3, 17, 0},    {5, 17, 2}, {40, 401, 2},
                               {4, 5, 10}, {9, 401, 0.3}, {0, 7, 1},  {300, 401, 1.5}};

}  // namespace

TEST(cross_entropy_matches_the_definition) {
  for (const LossCase& c : kLossCases) {
    const Context at(std::to_string(c.rows) + "x" + std::to_string(c.vocab) + " smear " + std::to_string(c.smear));
    const LossInputs in(c);
    const LossReference r =
        loss_reference(c.rows, c.vocab, doubles(in.logits), in.ld, in.target, static_cast<real>(c.smear), in.weight);
    std::vector<double> expected = r.loss;
    append(expected, r.dlogits);
    const auto run = [&](Backend& backend) {
      std::vector<real> loss(static_cast<std::size_t>(c.rows)), dlogits(loss.size() * c.vocab), only_loss = loss;
      backend.cross_entropy(c.rows, c.vocab, in.logits.data(), in.ld, in.target.data(), static_cast<real>(c.smear),
                            in.weight.data(), loss.data(), dlogits.data(), c.vocab);
      backend.cross_entropy(c.rows, c.vocab, in.logits.data(), in.ld, in.target.data(), static_cast<real>(c.smear),
                            in.weight.data(), only_loss.data(), nullptr, 0);
      CHECK_SAME_BITS(only_loss.data(), loss.data(), loss.size());
      append(loss, dlogits);
      return loss;
    };
    check_everywhere(run, expected, tolerance(2e-6));
  }
}

TEST(cross_entropy_reference_gradient_matches_finite_differences) {
  const LossInputs in({4, 9, 1.2});
  const std::vector<double> logits = doubles(in.logits);
  const auto loss = [&](const std::vector<double>& x) {
    double sum = 0;
    for (const double row : loss_reference(4, 9, x, in.ld, in.target, 1.2, in.weight).loss) sum += row;
    return sum;
  };
  const std::vector<double> gradient = loss_reference(4, 9, logits, in.ld, in.target, 1.2, in.weight).dlogits;
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 9; ++j) {
      std::vector<double> up = logits, down = logits;
      const std::size_t at = static_cast<std::size_t>(i * in.ld + j);
      up[at] += 1e-5, down[at] -= 1e-5;
      CHECK_NEAR((loss(up) - loss(down)) / 2e-5, gradient[static_cast<std::size_t>(i * 9 + j)], 1e-8);
    }
  }
}

TEST(cross_entropy_may_write_the_gradient_over_the_logits) {
  const LossInputs in({40, 401, 2});
  const LossReference r = loss_reference(40, 401, doubles(in.logits), in.ld, in.target, 2, in.weight);
  const auto run = [&](Backend& backend) {
    std::vector<real> logits = in.logits, loss(40), packed;
    backend.cross_entropy(40, 401, logits.data(), in.ld, in.target.data(), 2, in.weight.data(), loss.data(),
                          logits.data(), in.ld);
    for (int i = 0; i < 40; ++i)
      packed.insert(packed.end(), logits.begin() + i * in.ld, logits.begin() + i * in.ld + 401);
    return packed;
  };
  check_everywhere(run, r.dlogits, tolerance(2e-6));
}

TEST(cross_entropy_survives_large_logits) {
  LossInputs in({5, 33, 0});
  for (real& x : in.logits) x *= 1000;
  const LossReference r = loss_reference(5, 33, doubles(in.logits), in.ld, in.target, 0, in.weight);
  const auto run = [&](Backend& backend) {
    std::vector<real> loss(5), dlogits(5 * 33);
    backend.cross_entropy(5, 33, in.logits.data(), in.ld, in.target.data(), 0, in.weight.data(), loss.data(),
                          dlogits.data(), 33);
    return loss;
  };
  check_everywhere(run, r.loss, tolerance(1e-6));
}

TEST(embedding_gathers_and_adds_rows) {
  for (const bool add : {false, true}) {
    for (const int cols : {1, 16, 33, 200}) {
      constexpr int kCount = 150, kVocab = 21;
      const int ld = cols + 2;
      const std::vector<real> table = random_values(static_cast<std::size_t>(kVocab) * cols, 81);
      const std::vector<real> before = random_values(static_cast<std::size_t>(kCount) * ld, 82);
      const std::vector<std::int32_t> id = random_ids(kCount, kVocab, 83);
      std::vector<double> expected = doubles(before);
      std::vector<double> gradient = doubles(table);
      for (std::size_t i = 0; i < kCount; ++i) {
        for (int j = 0; j < cols; ++j) {
          double& to = expected[i * ld + j];
          const std::size_t from = static_cast<std::size_t>(id[i]) * cols + j;
          to = (add ? to : 0) + table[from];
          gradient[from] += before[i * ld + j];
        }
      }
      append(expected, gradient);
      const auto run = [&](Backend& backend) {
        std::vector<real> out = before, dtable = table;
        backend.embedding(kCount, cols, table.data(), id.data(), out.data(), ld, add);
        backend.embedding_backward(kCount, cols, id.data(), before.data(), ld, dtable.data());
        append(out, dtable);
        return out;
      };
      check_everywhere(run, expected, tolerance(1e-6));
    }
  }
}

TEST(sum_of_squares_is_accurate_over_many_values) {
  for (const std::int64_t n : {0, 1, 17, 8192, 8193, 300001}) {
    const std::vector<real> x = random_values(static_cast<std::size_t>(n), 91);
    double expected = 0;
    for (const real v : x) expected += static_cast<double>(v) * v;
    double first = 0;
    bool have_first = false;
    for (const cpu::Isa isa : supported_isas()) {
      for (const int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        const double sum = cpu::make_cpu_backend(&pool, isa)->sum_squares(n, x.data());
        CHECK_NEAR(sum, expected, 1e-12 * (1 + expected));
        if (have_first) CHECK_EQ(sum, first);  // the same bits everywhere: squares of floats are exact in double
        if (!kIsDouble) first = sum, have_first = true;
      }
    }
  }
}

TEST(adamw_follows_the_published_update) {
  constexpr double kRate = 2e-3, kBeta1 = 0.9, kBeta2 = 0.98, kEpsilon = 1e-8, kDecay = 0.05, kScale = 0.5;
  for (const std::size_t n : {1, 16, 401, 65000}) {
    std::vector<double> w = doubles(random_values(n, 92)), m(n), v(n);
    for (int step = 1; step <= 3; ++step) {
      const std::vector<real> grad = random_values(n, 93 + static_cast<std::uint32_t>(step));
      for (std::size_t i = 0; i < n; ++i) {
        const double g = grad[i] * kScale;
        m[i] = kBeta1 * m[i] + (1 - kBeta1) * g;
        v[i] = kBeta2 * v[i] + (1 - kBeta2) * g * g;
        const double m_hat = m[i] / (1 - std::pow(kBeta1, step)), v_hat = v[i] / (1 - std::pow(kBeta2, step));
        w[i] -= kRate * (m_hat / (std::sqrt(v_hat) + kEpsilon) + kDecay * w[i]);
      }
    }
    std::vector<double> expected = w;
    append(expected, m);
    append(expected, v);
    const auto run = [&](Backend& backend) {
      std::vector<real> weights = random_values(n, 92), mean(n), square(n);
      for (int step = 1; step <= 3; ++step) {
        const std::vector<real> grad = random_values(n, 93 + static_cast<std::uint32_t>(step));
        backend.adamw(static_cast<std::int64_t>(n), weights.data(), grad.data(), mean.data(), square.data(),
                      static_cast<real>(kRate), static_cast<real>(kBeta1), static_cast<real>(kBeta2),
                      static_cast<real>(kEpsilon), static_cast<real>(kDecay), step, static_cast<real>(kScale));
      }
      append(weights, mean);
      append(weights, square);
      return weights;
    };
    check_everywhere(run, expected, tolerance(2e-6));
  }
}

TEST(ema_moves_the_average_towards_the_weights) {
  for (const std::size_t n : {1, 33, 65000}) {
    const std::vector<real> w = random_values(n, 97), average = random_values(n, 98);
    std::vector<double> expected(n);
    for (std::size_t i = 0; i < n; ++i) expected[i] = 0.75 * average[i] + 0.25 * w[i];
    const auto run = [&](Backend& backend) {
      std::vector<real> out = average;
      backend.ema(static_cast<std::int64_t>(n), static_cast<real>(0.75), w.data(), out.data());
      return out;
    };
    check_everywhere(run, expected, tolerance(1e-6));
  }
}

}  // namespace wam::test
