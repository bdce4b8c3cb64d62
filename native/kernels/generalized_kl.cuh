#pragma once
// Generalised KL of a mixture path and its gradient, in double like the CPU backend: rates grow like 1/(1-t), and with
// them what rounding would cost. Two exponentials an element (the second instead of 16 bytes of memory traffic), about
// 40 double multiply-adds: 192 x 20,001 are 10 us of an H100's and, at a 64th of the float rate, 0.24 ms of an RTX
// 4090's multiprocessors, which is little beside the training step it belongs to.

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

struct GeneralizedKlParams {
  int vocab = 0;
  const float* logits = nullptr;      // [rows, vocab]
  const std::int32_t* x_1 = nullptr;  // [rows]
  const std::int32_t* x_t = nullptr;  // [rows]
  const double* rate = nullptr;       // [rows]
  float* loss = nullptr;              // [rows]
  float* dlogits = nullptr;           // [rows, vocab], may be logits; or null
};

/// A block takes a row.
struct GeneralizedKlConfig {
  static constexpr int kThreads = 512;
  static constexpr int kSharedBytes = 8 * kReduceScratch<kThreads>;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) generalized_kl_rows(const __grid_constant__ GeneralizedKlParams p) {
  WAM_SHARED(shared);
  const std::int64_t row = blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x);
  const float* l = p.logits + row * p.vocab;
  const int target = p.x_1[row], present = p.x_t[row];
  // Read before anything is written: the gradient may take the logits' place.
  const double target_logit = static_cast<double>(l[target]), present_logit = static_cast<double>(l[present]);

  float largest = -__uint_as_float(0x7f800000u);
  for (int y = thread; y < p.vocab; y += Config::kThreads) largest = fmaxf(largest, l[y]);
  const double highest = static_cast<double>(block_max<Config::kThreads>(largest, reinterpret_cast<float*>(shared)));
  double sum = 0;
  for (int y = thread; y < p.vocab; y += Config::kThreads) sum += exp(static_cast<double>(l[y]) - highest);
  const double total = block_sum<Config::kThreads>(sum, reinterpret_cast<double*>(shared));

  const double present_weight = exp(present_logit - highest), target_weight = exp(target_logit - highest);
  const double here = present_weight / total;  // p(x_t)
  const double moving = present == target ? 0 : 1;
  const double rate = p.rate[row];
  if (thread == 0) {
    p.loss[row] = static_cast<float>(-rate * (here - (1 - moving) + moving * (target_logit - highest - log(total))));
  }
  if (p.dlogits == nullptr) return;  // all threads, and no barrier follows
  // rate ((here + moving) p - here onehot(x_t) - moving onehot(x_1))
  float* g = p.dlogits + row * p.vocab;
  const double factor = rate * (here + moving) / total;
  for (int y = thread; y < p.vocab; y += Config::kThreads) {
    double gradient = factor * exp(static_cast<double>(l[y]) - highest);
    if (y == present) {
      gradient = factor * present_weight - rate * here;
    } else if (y == target) {
      gradient = factor * target_weight - rate * moving;
    }
    g[y] = static_cast<float>(gradient);
  }
}

}  // namespace wam::WAM_GPU
