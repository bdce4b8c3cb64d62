// Token tables, losses and optimiser: the cut into ranges.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_backend_impl.h"
#include "cpu/kernels.h"

namespace wam::cpu {

void CpuBackend::embedding(int rows, int cols, const real* table, const std::int32_t* id, real* out, int ldo,
                           bool add) {
  parallel_ranges(rows, 1, cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.embedding(static_cast<int>(r1 - r0), cols, table, id + r0, out + r0 * ldo, ldo, add);
  });
}

void CpuBackend::embedding_backward(int rows, int cols, const std::int32_t* id, const real* dout, int ldo,
                                    real* dtable) {
  parallel_ranges(cols, 16, rows, [&](std::int64_t c0, std::int64_t c1, int) {
    kernels_.embedding_backward(rows, cols, static_cast<int>(c0), static_cast<int>(c1), id, dout, ldo, dtable);
  });
}

void CpuBackend::cross_entropy(int rows, int vocab, const real* logits, int ldl, const std::int32_t* target, real smear,
                               const real* weight, real* loss, real* dlogits, int lddl) {
  // Beyond four standard deviations less than 1e-4 of the Gaussian is left.
  const int radius = std::min(vocab, static_cast<int>(4 * static_cast<double>(smear)));
  double* window = call_scratch<double>(static_cast<std::size_t>(radius) + 1);
  window[0] = 1;
  for (int j = 1; j <= radius; ++j) {
    const double deviations = j / static_cast<double>(smear);
    window[j] = std::exp(-0.5 * deviations * deviations);
  }
  parallel_ranges(rows, 1, 4.0 * vocab, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.cross_entropy(static_cast<int>(r1 - r0), vocab, logits + r0 * ldl, ldl, target + r0, window, radius,
                           weight + r0, loss + r0, dlogits ? dlogits + r0 * lddl : nullptr, lddl);
  });
}

void CpuBackend::policy_loss(const PolicyLoss& p) {
  parallel_ranges(p.rows, 1, 8.0 * p.vocab, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.policy_loss(p, static_cast<int>(r0), static_cast<int>(r1));
  });
}

void CpuBackend::value_loss(ValueLoss kind, int rows, const real* prediction, const real* target, const real* weight,
                            real* loss, real* dprediction) {
  parallel_ranges(rows, 64, 1, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.value_loss(kind, static_cast<int>(end - begin), prediction + begin, target + begin, weight + begin,
                        loss + begin, dprediction == nullptr ? nullptr : dprediction + begin);
  });
}

double CpuBackend::sum_squares(std::int64_t n, const real* x) {
  // Blocks of fixed size, added in order: the same sum for any team.
  constexpr std::int64_t kBlock = 8192;
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  double* part = call_scratch<double>(static_cast<std::size_t>(blocks));
  parallel_ranges(blocks, 1, kBlock, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t b = begin; b < end; ++b)
      part[b] = kernels_.sum_squares(std::min(kBlock, n - b * kBlock), x + b * kBlock);
  });
  double total = 0;
  for (std::int64_t b = 0; b < blocks; ++b) total += part[b];
  return total;
}

void CpuBackend::adamw(std::int64_t n, real* w, const real* grad, real* m, real* v, real lr, real beta1, real beta2,
                       real eps, real weight_decay, std::int64_t step, real grad_scale) {
  const double t = static_cast<double>(step);
  const double rate = lr / (1 - std::pow(static_cast<double>(beta1), t));
  const double v_scale = 1 / (1 - std::pow(static_cast<double>(beta2), t));
  const double keep = 1 - static_cast<double>(lr) * weight_decay;
  parallel_ranges(n, 64, 4, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.adamw(end - begin, w + begin, grad + begin, m + begin, v + begin, static_cast<real>(rate),
                   static_cast<real>(v_scale), beta1, beta2, eps, static_cast<real>(keep), grad_scale);
  });
}

void CpuBackend::ema(std::int64_t n, real decay, const real* w, real* average) {
  parallel_ranges(n, 64, 1, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.ema(end - begin, decay, w + begin, average + begin);
  });
}

}  // namespace wam::cpu
