#pragma once
// Cross entropy of softmax(logits) against a window of tokens around the target, with its gradient.
//
// A block takes a row. One pass reads the logits and keeps a running maximum and a running sum of exponentials relative
// to it; a second reads them again and writes the gradient: 12 bytes a logit, the second read partly from L2 (a row of
// 122,401 is 490 KB). Neighbouring threads read neighbouring floats, 4 of them in flight a thread: vocabularies are odd,
// so that most rows are not aligned for 16-byte loads.

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

struct CrossEntropyConfig {
  static constexpr int kThreads = 512;
  static constexpr int kUnroll = 4;
  static constexpr int kSharedBytes = kReduceScratch<kThreads> * static_cast<int>(sizeof(double));
};

struct CrossEntropyParams {
  int rows = 0;
  int vocab = 0;
  int ldl = 0;
  int lddl = 0;
  int radius = 0;                        // tokens on either side of the target that have a share
  double inverse_smear = 0;              // 1 / standard deviation in tokens; any number when radius is 0
  const float* logits = nullptr;         // [rows, vocab]
  const std::int32_t* target = nullptr;  // [rows], -100: ignored
  const float* weight = nullptr;         // [rows]
  float* loss = nullptr;                 // [rows]
  float* dlogits = nullptr;              // [rows, vocab] or null, may be logits
};

inline constexpr std::int32_t kIgnoredTarget = -100;

/// Share of a token `distance` tokens from the target before normalisation. In double as on the CPU; a row has a few
/// dozen of them.
WAM_DEVICE double window_share(int distance, double inverse_smear) {
  const double deviations = distance * inverse_smear;
  return distance == 0 ? 1.0 : exp(-0.5 * deviations * deviations);
}

/// loss = weight (log sum exp(x - peak) - sum_j q_j (x_j - peak)), q the window cut at the ends of the vocabulary and
/// normalised: relative to the peak, nothing cancels. dlogits = weight (softmax - q).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) cross_entropy_rows(const __grid_constant__ CrossEntropyParams p) {
  WAM_SHARED(base);
  float* scratch = reinterpret_cast<float*>(base);
  double* scratch_double = reinterpret_cast<double*>(base);
  constexpr int kStride = Config::kThreads;
  const int thread = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.x);
  const float* x = p.logits + static_cast<std::int64_t>(row) * p.ldl;
  float* dx = p.dlogits == nullptr ? nullptr : p.dlogits + static_cast<std::int64_t>(row) * p.lddl;
  const int target = p.target[row];

  if (target == kIgnoredTarget) {  // the same in all threads
    if (thread == 0) p.loss[row] = 0.0f;
    if (dx != nullptr) {
      for (int i = thread; i < p.vocab; i += kStride) dx[i] = 0.0f;
    }
  } else {
    // The least finite number instead of -inf, whose difference from itself is NaN.
    constexpr float kLowest = -3.402823466e38f;
    float peak = kLowest, sum = 0.0f;
    for (int i = thread; i < p.vocab; i += Config::kUnroll * kStride) {
      float v[Config::kUnroll];
#pragma unroll
      for (int u = 0; u < Config::kUnroll; ++u) v[u] = i + u * kStride < p.vocab ? x[i + u * kStride] : kLowest;
      const float top = fmaxf(fmaxf(v[0], v[1]), fmaxf(v[2], v[3]));
      if (top > peak) {
        sum *= expf(peak - top);
        peak = top;
      }
#pragma unroll
      for (int u = 0; u < Config::kUnroll; ++u) sum += i + u * kStride < p.vocab ? expf(v[u] - peak) : 0.0f;
    }
    const float own_peak = peak;
    peak = block_max<Config::kThreads>(peak, scratch);
    const float mass = block_sum<Config::kThreads>(sum * expf(own_peak - peak), scratch);

    const int low = max(0, target - p.radius), high = min(p.vocab - 1, target + p.radius);
    double share = 0.0, expected = 0.0;
    for (int i = low + thread; i <= high; i += kStride) {
      const double q = window_share(abs(i - target), p.inverse_smear);
      share += q;
      expected += q * (static_cast<double>(x[i]) - static_cast<double>(peak));
    }
    share = block_sum<Config::kThreads>(share, scratch_double);
    expected = block_sum<Config::kThreads>(expected, scratch_double);
    const double normalise = 1.0 / share;
    const float weight = p.weight[row];
    if (thread == 0) p.loss[row] = weight * (logf(mass) - static_cast<float>(expected * normalise));

    if (dx != nullptr) {
      const float scale = weight / mass;
#pragma unroll 4
      for (int i = thread; i < p.vocab; i += kStride) dx[i] = expf(x[i] - peak) * scale;
      __syncthreads();  // the window's gradients are written before they are corrected
      for (int i = low + thread; i <= high; i += kStride)
        dx[i] -= weight * static_cast<float>(window_share(abs(i - target), p.inverse_smear) * normalise);
    }
  }
}

}  // namespace wam::WAM_GPU
