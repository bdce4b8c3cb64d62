// The clipped objective of GRPO and the losses of values, of the CPU backend against their definitions in float64.
#include "test/cpu_support.h"
#include "test/policy_reference.h"

namespace wam::test {
namespace {

using Batch = PolicyBatch<real>;

Batch make_batch(int rows, int vocab, double scale = 3, double temperature = 1) {
  return make_policy_batch<real>(
      rows, vocab, 3, scale, static_cast<real>(temperature),
      [](std::size_t n, int seed, double s) { return random_values(n, static_cast<std::uint32_t>(seed), s); });
}

PolicyLoss view(const Batch& b) {
  PolicyLoss p;
  p.rows = b.rows, p.vocab = b.vocab;
  p.logits = b.logits.data(), p.ldl = b.ld, p.temperature = b.temperature;
  p.token = b.token.data(), p.old_log_probability = b.old_log_probability.data();
  p.advantage = b.advantage.data(), p.weight = b.weight.data();
  p.reference = b.reference.empty() ? nullptr : b.reference.data(), p.ldr = b.ld;
  p.clip = b.clip, p.kl_beta = b.kl_beta, p.exact_kl = b.exact_kl;
  return p;
}

/// As PolicyBatch::expected, from one call; and checks that outputs that are not asked for change nothing.
std::vector<real> compute(Backend& backend, const Batch& b) {
  const std::size_t n = static_cast<std::size_t>(b.rows), vocab = static_cast<std::size_t>(b.vocab);
  std::vector<real> loss(n, 7), ratio(n, 7), kl(n, 7), log_p(n, 7), dlogits(n * vocab, 7), only(n, 7),
      in_place = b.logits;
  PolicyLoss p = view(b);
  p.loss = loss.data(), p.ratio = ratio.data(), p.kl = kl.data(), p.log_probability = log_p.data();
  p.dlogits = dlogits.data(), p.lddl = b.vocab;
  backend.policy_loss(p);
  PolicyLoss alone = view(b);
  alone.loss = only.data();
  backend.policy_loss(alone);
  CHECK_SAME_BITS(only.data(), loss.data(), n);
  alone.logits = alone.dlogits = in_place.data(), alone.lddl = b.ld;
  backend.policy_loss(alone);
  CHECK_SAME_BITS(only.data(), loss.data(), n);
  for (std::size_t r = 0; r < n; ++r) {
    const std::size_t at = r * static_cast<std::size_t>(b.ld);
    CHECK_SAME_BITS(in_place.data() + at, dlogits.data() + r * vocab, vocab);
    CHECK_SAME_BITS(in_place.data() + at + vocab, b.logits.data() + at + vocab, b.ld - b.vocab);
  }
  for (const std::vector<real>* more : {&ratio, &kl, &log_p, &dlogits}) append(loss, *more);
  return loss;
}

void check_batch(const Batch& b, double single) {
  check_everywhere([&](Backend& backend) { return compute(backend, b); }, b.expected(), tolerance(single));
}

}  // namespace

TEST(policy_loss_matches_the_definition) {
  struct Case {
    int rows, vocab;
    double temperature;
  };
  for (const Case& c :
       {Case{0, 5, 1}, {3, 1, 1}, {9, 2, 0.5}, {16, 16, 1}, {40, 17, 2}, {40, 401, 1}, {25, 401, 0.6}}) {
    for (const bool exact : {true, false}) {
      for (const double beta : {0.0, 0.4}) {
        const Context at(std::to_string(c.rows) + "x" + std::to_string(c.vocab) + (exact ? " exact" : " k3") + " T " +
                         std::to_string(c.temperature) + " beta " + std::to_string(beta));
        Batch b = make_batch(c.rows, c.vocab, 3, c.temperature);
        b.exact_kl = exact, b.kl_beta = static_cast<real>(beta);
        check_batch(b, 2e-6);
        b.reference.clear();
        check_batch(b, 2e-6);
      }
    }
  }
}

TEST(policy_loss_reference_gradient_matches_finite_differences) {
  int clipped = 0;
  for (const bool exact : {true, false}) {
    Batch b = make_batch(16, 7, 2, 1.7);
    b.exact_kl = exact, b.kl_beta = static_cast<real>(0.3);
    for (int i = 0; i < b.rows; ++i) {
      const PolicyRowInput row = b.row(i);
      const PolicyRowResult r = policy_reference(row);
      PolicyRowInput plain = row;
      plain.reference.clear();
      const std::vector<double> policy_alone = policy_reference(plain).dlogits;
      clipped += std::all_of(policy_alone.begin(), policy_alone.end(), [](double g) { return g == 0; });
      for (std::size_t v = 0; v < row.logits.size(); ++v) {
        PolicyRowInput up = row, down = row;
        up.logits[v] += 1e-5, down.logits[v] -= 1e-5;
        CHECK_NEAR((policy_reference(up).loss - policy_reference(down).loss) / 2e-5, r.dlogits[v], 1e-9);
      }
    }
  }
  // Above with a positive advantage and below with a negative one, the row without an advantage, the ignored one: the
  // other kinds have a gradient.
  CHECK_EQ(clipped, 2 * 2 * 4);
}

/// In the double build the kernel itself, not the reference, against central differences of its own loss.
TEST(policy_loss_gradient_is_that_of_its_loss) {
  if (!kIsDouble) skip("the float build has no room for differences");
  for (const bool exact : {true, false}) {
    Batch b = make_batch(16, 19, 2, 0.8);
    b.exact_kl = exact, b.kl_beta = static_cast<real>(0.3);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::Isa::portable);
    std::vector<real> loss(16), dlogits(16 * 19);
    PolicyLoss p = view(b);
    p.loss = loss.data(), p.dlogits = dlogits.data(), p.lddl = 19;
    backend->policy_loss(p);
    p.dlogits = nullptr;
    for (int i = 0; i < b.rows; ++i) {
      for (int v = 0; v < b.vocab; ++v) {
        real& x = b.logits[static_cast<std::size_t>(i * b.ld + v)];
        const real before = x;
        double side[2];
        for (const int k : {0, 1}) {
          x = static_cast<real>(before + (k == 0 ? 1e-5 : -1e-5));
          backend->policy_loss(p);
          side[k] = static_cast<double>(loss[static_cast<std::size_t>(i)]);
        }
        x = before;
        CHECK_NEAR((side[0] - side[1]) / 2e-5, dlogits[static_cast<std::size_t>(i * b.vocab + v)], 1e-9);
      }
    }
  }
}

TEST(policy_loss_of_the_reference_itself_has_no_divergence) {
  for (const bool exact : {true, false}) {
    Batch b = make_batch(24, 401, 5, 0.9);
    b.exact_kl = exact, b.kl_beta = 1;
    b.reference = b.logits;
    for (const cpu::Isa isa : supported_isas()) {
      const std::vector<real> with = compute_on(isa, 1, [&](Backend& backend) { return compute(backend, b); });
      for (std::size_t r = 0; r < 24; ++r) CHECK_EQ(with[48 + r], 0);  // to the bit: the kl of an update's first step
      Batch without = b;
      without.reference.clear();
      const std::vector<real> plain = compute_on(isa, 1, [&](Backend& backend) { return compute(backend, without); });
      CHECK_ALL_NEAR(with.data(), plain.data(), static_cast<long>(plain.size()), 1e-12);
    }
  }
}

TEST(policy_loss_survives_extreme_logits) {
  // Logits 1000 apart, tokens that one of the policies gives no chance, a ratio beyond every number.
  for (const bool exact : {true, false}) {
    Batch b = make_batch(16, 33, 1000);
    b.exact_kl = exact, b.kl_beta = static_cast<real>(0.01);
    for (int i = 0; i < b.rows; ++i) {
      b.logits[static_cast<std::size_t>(i * b.ld + 5)] = static_cast<real>(-HUGE_VAL);
      b.reference[static_cast<std::size_t>(i * b.ld + 5)] = static_cast<real>(-HUGE_VAL);
      if (b.token[static_cast<std::size_t>(i)] == 5) b.token[static_cast<std::size_t>(i)] = 6;
    }
    b.old_log_probability[1] = -5000;
    const std::vector<double> expected = b.expected();
    for (const double x : expected) CHECK(std::isfinite(x));
    CHECK_NEAR(expected[17], std::exp(80.0), 1e22);
    check_batch(b, 3e-5);  // of logits of 1000: half a unit in their last place
  }
}

TEST(value_loss_matches_the_definition) {
  for (const ValueLoss kind : {ValueLoss::absolute, ValueLoss::squared}) {
    for (const std::size_t n : {0, 1, 15, 16, 17, 500, 30000}) {
      const Context at(std::to_string(n) + (kind == ValueLoss::squared ? " squared" : " absolute"));
      const std::vector<real> prediction = random_values(n, 101, 2);
      std::vector<real> target = random_values(n, 102, 2), weight = random_values(n, 103);
      std::vector<double> expected(n), slope(n);
      for (std::size_t i = 0; i < n; ++i) {
        if (i % 5 == 3) target[i] = prediction[i];
        if (i % 7 == 2) weight[i] = 0, target[i] = static_cast<real>(i % 2 == 0 ? std::nan("") : HUGE_VAL);
        if (weight[i] == 0) continue;
        const double off = static_cast<double>(prediction[i]) - static_cast<double>(target[i]);
        const double sign = off > 0 ? 1 : off < 0 ? -1 : 0;
        expected[i] = weight[i] * (kind == ValueLoss::squared ? off * off : std::abs(off));
        slope[i] = weight[i] * (kind == ValueLoss::squared ? 2 * off : sign);
      }
      append(expected, slope);
      const auto run = [&](Backend& backend) {
        std::vector<real> loss(n, 7), d(n, 7), only(n, 7), in_place = prediction;
        const int rows = static_cast<int>(n);
        backend.value_loss(kind, rows, prediction.data(), target.data(), weight.data(), loss.data(), d.data());
        backend.value_loss(kind, rows, prediction.data(), target.data(), weight.data(), only.data(), nullptr);
        CHECK_SAME_BITS(only.data(), loss.data(), n);
        backend.value_loss(kind, rows, in_place.data(), target.data(), weight.data(), only.data(), in_place.data());
        CHECK_SAME_BITS(in_place.data(), d.data(), n);
        append(loss, d);
        return loss;
      };
      check_everywhere(run, expected, tolerance(1e-6));
    }
  }
}

}  // namespace wam::test
