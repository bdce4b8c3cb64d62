// W4: one step of the metric path a row: x_1 drawn from the posterior, then x_t moved towards it.

#include "bench/cpu/cases.h"
#include "bench/cpu/inputs.h"

namespace wam::bench {

namespace {

constexpr int kRows[] = {24, 4096}, kVocabularies[] = {4001, 20001};
constexpr int kDim = 64;
constexpr double kBeta = 40, kBetaDot = 80, kStep = 0.05;
// The row of distances, two exponentials at 16 operations, and sums.
constexpr double kFlopOfToken = 2 * kDim + 2 * 16 + 8;

void path_case(const Harness& harness, Backend& backend, int rows, int vocab) {
  const std::string workload = "W4.R" + std::to_string(rows) + ".V" + std::to_string(vocab);
  if (!harness.wanted(workload)) return;
  const auto count = static_cast<std::size_t>(rows);
  const Buffer<real> table(backend, token_circle(vocab, kDim)),
      logits(backend, signed_values("W4.logits", static_cast<std::int64_t>(rows) * vocab, 6));
  const Buffer<std::int32_t> x_t(backend, integer_values("W4.z", rows, vocab));
  const Buffer<float> u1(backend, uniform_values("W4.u1", rows)), u2(backend, uniform_values("W4.u2", rows));
  const Buffer<std::int32_t> x_1(backend, count), next(backend, count);
  const Buffer<real> total(backend, count);
  const auto packed = backend.pack_table(vocab, kDim, table.data(), false);

  DecodePosterior posterior;
  posterior.rows = rows, posterior.vocab = vocab;
  posterior.logits = logits.data(), posterior.ldl = vocab;
  posterior.rule = DecodeRule::sample, posterior.uniform = u1.data();
  posterior.token = x_1.data();

  PathStep path;
  path.rows = rows;
  path.metric.vocab = vocab, path.metric.table = table.data(), path.metric.dim = kDim;
  path.metric.normalise = path.metric.squared = false;
  path.metric.packed = packed.get();
  path.rule = StepRule::released;
  path.beta = static_cast<real>(kBeta), path.step_weight = static_cast<real>(kStep * kBetaDot);
  path.x_t = x_t.data(), path.x_1 = x_1.data();
  path.jump = u2.data();
  path.x_next = next.data(), path.total = total.data();

  harness.run(
      workload, 1e-9 * rows * vocab * kFlopOfToken,
      [&] {
        backend.decode_posterior(posterior);
        backend.path_step(path);
      },
      [&] {
        std::vector<double> rate(total.data(), total.data() + count);
        for (double& r : rate) r /= kStep;
        return json_object({{"x1", checksum(x_1)}, {"lambda", checksum(rate.data(), count)}, {"next", checksum(next)}});
      });
}

}  // namespace

void path_cases(const Harness& harness, Backend& backend) {
  for (const int vocab : kVocabularies) {
    for (const int rows : kRows) path_case(harness, backend, rows, vocab);
  }
}

}  // namespace wam::bench
