#pragma once
// The posterior as the released sampler forms it before it draws x_1, in double, for parity with foreign weights:
// softmax of the values that reach the k-th largest. A plan does not use it, so nothing is kept between readings of a
// row.

#include <cfloat>

#include "kernels/posterior.cuh"

namespace wam::WAM_GPU {

struct TopkPosteriorParams {
  int vocab = 0;
  int k = 1;                       // 1 to vocab
  const float* logits = nullptr;   // [gridDim.x, vocab]
  const float* uniform = nullptr;  // [gridDim.x, vocab], or null: the value is the logit
  double temperature = 0;          // value = exp(logit) / (-log uniform)^temperature
  float* prob = nullptr;           // [gridDim.x, vocab]
};

struct TopkPosteriorConfig {
  static constexpr int kThreads = 256;
  static constexpr int kReduceBytes = kReduceScratch<kThreads> * 8;
  static constexpr int kSharedBytes = kReduceBytes + kDigits * 4 + 8;
};

WAM_DEVICE unsigned long long order_key(double v) {
  constexpr unsigned long long kSign = 1ull << 63;
  const auto bits = static_cast<unsigned long long>(__double_as_longlong(v == v ? v : -HUGE_VAL));
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}
WAM_DEVICE double key_value(unsigned long long key) {
  constexpr unsigned long long kSign = 1ull << 63;
  return __longlong_as_double(static_cast<long long>((key & kSign) != 0 ? key & ~kSign : ~key));
}

/// grid (rows).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) topk_posterior(const __grid_constant__ TopkPosteriorParams p) {
  WAM_SHARED(shared);
  auto* sums = reinterpret_cast<double*>(shared);
  auto* histogram = reinterpret_cast<unsigned*>(shared + Config::kReduceBytes);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * p.vocab;
  const auto value = [&p, row](int i) {
    const double logit = static_cast<double>(p.logits[row + i]);
    if (p.uniform == nullptr) return logit;
    const double cold = -log(static_cast<double>(p.uniform[row + i]));
    const double noise = p.temperature == 0 ? 0.0 : p.temperature * log(cold);  // log of cold^temperature
    return fmin(exp(logit - noise), DBL_MAX);
  };
  const auto key = [&value](int i) { return order_key(value(i)); };
  int* slot = reinterpret_cast<int*>(histogram + kDigits);
  const double cut = key_value(kth_largest<unsigned long long>(key, p.vocab, p.k, histogram, slot));

  const int thread = static_cast<int>(threadIdx.x);
  double highest = -HUGE_VAL;
  for (int i = thread; i < p.vocab; i += Config::kThreads) highest = fmax(highest, value(i));
  highest = block_max<Config::kThreads>(highest, sums);
  const auto weight = [&](int i) {
    const double v = value(i);
    return v >= cut ? exp(v - highest) : 0.0;
  };
  double total = 0;
  for (int i = thread; i < p.vocab; i += Config::kThreads) total += weight(i);
  total = block_sum<Config::kThreads>(total, sums);
  for (int i = thread; i < p.vocab; i += Config::kThreads) p.prob[row + i] = static_cast<float>(weight(i) / total);
}

}  // namespace wam::WAM_GPU
