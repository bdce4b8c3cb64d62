// The clipped objective of GRPO and the losses of values, of the GPU backend against float64.
#include <cmath>
#include <cstdio>

#include "test/gpu/operands.h"
#include "test/policy_reference.h"

namespace wam::test {
namespace {

using Batch = PolicyBatch<float>;

Batch make_batch(int rows, int vocab, double scale, float temperature) {
  return make_policy_batch<float>(rows, vocab, 2, scale, temperature, [](std::size_t n, int seed, double s) {
    return normal_values(n, static_cast<std::uint32_t>(seed), static_cast<float>(s));
  });
}

/// The batch in a backend's memory; results are still to be given.
PolicyLoss put(Operands& o, const Batch& b) {
  PolicyLoss p;
  p.rows = b.rows, p.vocab = b.vocab;
  p.logits = o.put(b.logits), p.ldl = p.ldr = b.ld;
  p.reference = b.reference.empty() ? nullptr : o.put(b.reference);
  p.temperature = b.temperature, p.clip = b.clip, p.kl_beta = b.kl_beta, p.exact_kl = b.exact_kl;
  p.token = o.put(b.token), p.old_log_probability = o.put(b.old_log_probability);
  p.advantage = o.put(b.advantage), p.weight = o.put(b.weight);
  return p;
}

/// As PolicyBatch::expected. In place, the gradients are picked out of rows whose gaps must not change.
std::vector<float> compute(Backend& backend, Operands& o, const Batch& b, bool in_place) {
  const std::size_t n = static_cast<std::size_t>(b.rows), vocab = static_cast<std::size_t>(b.vocab);
  PolicyLoss p = put(o, b);
  const auto make = [&](std::size_t count) { return o.put(std::vector<float>(count, 7.0f)); };
  float *loss = make(n), *ratio = make(n), *kl = make(n), *log_p = make(n);
  float* logits = const_cast<float*>(p.logits);
  float* d = in_place ? logits : make(n * vocab);
  p.loss = loss, p.ratio = ratio, p.kl = kl, p.log_probability = log_p;
  p.dlogits = d, p.lddl = in_place ? b.ld : b.vocab;
  backend.policy_loss(p);
  std::vector<float> out = o.get(loss, n);
  for (const float* more : {ratio, kl, log_p}) append_to(out, o.get(more, n));
  if (!in_place) {
    append_to(out, o.get(d, n * vocab));
    return out;
  }
  const std::vector<float> rows = o.get(logits, b.logits.size());
  for (std::size_t r = 0; r < n; ++r) {
    const std::size_t at = r * static_cast<std::size_t>(b.ld);
    out.insert(out.end(), rows.begin() + static_cast<std::ptrdiff_t>(at),
               rows.begin() + static_cast<std::ptrdiff_t>(at + vocab));
    CHECK_SAME_BITS(rows.data() + at + vocab, b.logits.data() + at + vocab, b.ld - b.vocab);
  }
  return out;
}

double check_batch(const Batch& b, double tolerance) {
  double worst = 0;
  const std::vector<double> expected = b.expected();
  for (const bool in_place : {false, true}) {
    const auto run = [&](Backend& backend, Operands& o) { return compute(backend, o, b, in_place); };
    worst = std::max(worst, check_in_all_orders(run, expected, tolerance));
  }
  return worst;
}

TEST(gpu_policy_loss) {
  struct Case {
    int rows, vocab;
    double scale;
    float temperature;
  };
  double worst = 0;
  // Vocabularies around 512 and 2048, what a block takes at a time; the planners' 401 and 20001.
  for (const Case& c : {Case{3, 1, 1, 1},
                        {9, 2, 1, 0.5f},
                        {9, 401, 3, 1},
                        {8, 511, 1, 2},
                        {8, 513, 2, 1},
                        {8, 2049, 3, 0.7f},
                        {2, 20001, 3, 1}}) {
    for (const bool exact : {true, false}) {
      const Context at("vocabulary " + std::to_string(c.vocab) + (exact ? " exact" : " k3"));
      Batch b = make_batch(c.rows, c.vocab, c.scale, c.temperature);
      b.exact_kl = exact, b.kl_beta = 0.3f;
      worst = std::max(worst, check_batch(b, 3e-6));
      if (exact && c.vocab != 401) continue;
      b.kl_beta = 0;
      check_batch(b, 3e-6);
      b.reference.clear();
      check_batch(b, 3e-6);
    }
  }
  std::printf("policy loss: worst error %.2g\n", worst);
}

TEST(gpu_policy_loss_alone) {
  // Without a gradient, and without what is not asked for.
  Batch b = make_batch(16, 600, 2, 1);
  b.kl_beta = 0.2f;
  std::vector<double> expected = b.expected();
  expected.resize(16);
  const auto run = [&](Backend& backend, Operands& o) {
    PolicyLoss p = put(o, b);
    p.loss = o.put(std::vector<float>(16, 7.0f));
    backend.policy_loss(p);
    return o.get(p.loss, 16);
  };
  check_in_all_orders(run, expected, 3e-6);
}

TEST(gpu_policy_loss_of_extreme_and_impossible_tokens) {
  for (const bool exact : {true, false}) {
    Batch b = make_batch(16, 530, 1000, 1);
    b.exact_kl = exact, b.kl_beta = 0.01f;
    for (int i = 0; i < b.rows; ++i) {
      const std::size_t at = static_cast<std::size_t>(i * b.ld + 5);
      b.logits[at] = b.reference[at] = -HUGE_VALF;
      if (b.token[static_cast<std::size_t>(i)] == 5) b.token[static_cast<std::size_t>(i)] = 6;
    }
    b.old_log_probability[1] = -9000;
    const std::vector<double> expected = b.expected();
    for (const double x : expected) CHECK(std::isfinite(x));
    CHECK_NEAR(expected[17], std::exp(80.0), 1e22);
    check_batch(b, 3e-5);  // of logits of 1000: half a unit in their last place
  }
}

TEST(gpu_policy_loss_of_the_reference_itself_has_no_divergence) {
  Batch b = make_batch(8, 1000, 5, 0.9f);
  b.kl_beta = 1, b.reference = b.logits;
  const std::vector<float> result =
      compute_in_all_orders([&](Backend& backend, Operands& o) { return compute(backend, o, b, false); });
  for (std::size_t r = 0; r < 8; ++r) CHECK_EQ(result[16 + r], 0.0f);
}

TEST(gpu_value_loss) {
  for (const ValueLoss kind : {ValueLoss::absolute, ValueLoss::squared}) {
    for (const std::size_t n : {1, 3, 4, 1023, 1026, 5000}) {
      const Context at(std::to_string(n) + (kind == ValueLoss::squared ? " squared" : " absolute"));
      const std::vector<float> prediction = normal_values(n, 71);
      std::vector<float> target = normal_values(n, 72), weight = normal_values(n, 73);
      std::vector<double> expected(n), slope(n);
      for (std::size_t i = 0; i < n; ++i) {
        if (i % 5 == 3) target[i] = prediction[i];
        if (i % 7 == 2) weight[i] = 0, target[i] = i % 2 == 0 ? std::nanf("") : HUGE_VALF;
        if (weight[i] == 0) continue;
        const double off = static_cast<double>(prediction[i]) - static_cast<double>(target[i]);
        const double sign = off > 0 ? 1 : off < 0 ? -1 : 0;
        expected[i] = weight[i] * (kind == ValueLoss::squared ? off * off : std::abs(off));
        slope[i] = weight[i] * (kind == ValueLoss::squared ? 2 * off : sign);
      }
      append_to(expected, slope);
      for (const bool in_place : {false, true}) {
        const auto run = [&](Backend& b, Operands& o) {
          float *x = o.put(prediction), *loss = o.put(std::vector<float>(n, 7.0f));
          float* d = in_place ? x : o.put(std::vector<float>(n, 7.0f));
          b.value_loss(kind, static_cast<int>(n), x, o.put(target), o.put(weight), loss, d);
          std::vector<float> out = o.get(loss, n);
          append_to(out, o.get(d, n));
          return out;
        };
        check_in_all_orders(run, expected, 1e-6);
      }
      expected.resize(n);
      const auto alone = [&](Backend& b, Operands& o) {
        float* loss = o.put(std::vector<float>(n, 7.0f));
        b.value_loss(kind, static_cast<int>(n), o.put(prediction), o.put(target), o.put(weight), loss, nullptr);
        return o.get(loss, n);
      };
      check_in_all_orders(alone, expected, 1e-6);
    }
  }
}

}  // namespace
}  // namespace wam::test
