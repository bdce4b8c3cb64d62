#pragma once
// The optimiser's step, the running average of weights, and the sum of squares for the gradient norm.

#include "kernels/device.cuh"
#include "kernels/elementwise.cuh"
#include "kernels/reduce.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

struct AdamwParams {
  std::int64_t n = 0;
  bool wide = false;
  float rate = 0;     // lr / (1 - beta1^step)
  float v_scale = 0;  // 1 / (1 - beta2^step)
  float beta1 = 0;
  float beta2 = 0;
  float eps = 0;
  float keep = 1;  // 1 - lr weight_decay
  float grad_scale = 1;
  const float* grad = nullptr;  // [n]
  float* w = nullptr;           // [n]
  float* m = nullptr;
  float* v = nullptr;
};

struct AdamwElement {
  float w, m, v;
};
/// m, v: moving means of g and g^2; w = keep w - rate m / (sqrt(v v_scale) + eps). The products are rounded in the order
/// of the CPU's kernel, so that weights agree but for the last bit or none.
WAM_DEVICE AdamwElement adamw_element(const AdamwParams& p, float grad, AdamwElement old) {
  const float g = grad * p.grad_scale;
  const float m = fmaf(p.beta1, old.m, (1.0f - p.beta1) * g);
  const float v = fmaf(p.beta2, old.v, (1.0f - p.beta2) * g * g);
  const float change = m / (sqrtf(v * p.v_scale) + p.eps);
  return {fmaf(-p.rate, change, old.w * p.keep), m, v};
}

/// 28 bytes moved for about 60 instructions an element, half of them the correctly rounded root and quotient.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) adamw_elements(const __grid_constant__ AdamwParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    const float4 g = load_four(p.grad, i, p.n, p.wide), w = load_four(p.w, i, p.n, p.wide);
    const float4 m = load_four(p.m, i, p.n, p.wide), v = load_four(p.v, i, p.n, p.wide);
    const AdamwElement a = adamw_element(p, g.x, {w.x, m.x, v.x}), b = adamw_element(p, g.y, {w.y, m.y, v.y});
    const AdamwElement c = adamw_element(p, g.z, {w.z, m.z, v.z}), d = adamw_element(p, g.w, {w.w, m.w, v.w});
    store_four(p.m, i, p.n, p.wide, make_float4(a.m, b.m, c.m, d.m));
    store_four(p.v, i, p.n, p.wide, make_float4(a.v, b.v, c.v, d.v));
    store_four(p.w, i, p.n, p.wide, make_float4(a.w, b.w, c.w, d.w));
  }
}

struct EmaParams {
  std::int64_t n = 0;
  bool wide = false;
  float decay = 0;
  const float* w = nullptr;  // [n]
  float* average = nullptr;  // [n]
};

/// average = decay average + (1 - decay) w
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) ema_elements(const __grid_constant__ EmaParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    const float decay = p.decay, rest = 1.0f - p.decay;
    const float4 w = load_four(p.w, i, p.n, p.wide), a = load_four(p.average, i, p.n, p.wide);
    store_four(p.average, i, p.n, p.wide,
               map_four(w, a, [=](float wv, float av) { return fmaf(decay, av, rest * wv); }));
  }
}

/// A square of a float is exact in double, and a double sum of 10^9 of them keeps 9 digits more than a float has. Two
/// instructions an element run in the double pipe: at 1/64 of the float rate (RTX 4090: 0.64 T/s) that is 1.3 TB/s of
/// gradients, just above its memory's 1.0. The cut into blocks depends on n alone, not on the device.
struct SumSquaresConfig {
  static constexpr int kThreads = 256;
  static constexpr int kVectors = 8;                         // float4 a thread
  static constexpr int kElements = 4 * kThreads * kVectors;  // of a block
  static constexpr int kSharedBytes = kReduceScratch<kThreads> * static_cast<int>(sizeof(double));
};

struct SumSquaresParams {
  std::int64_t n = 0;
  bool wide = false;
  const float* x = nullptr;   // [n]
  double* partial = nullptr;  // [blocks]
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) sum_squares_blocks(const __grid_constant__ SumSquaresParams p) {
  WAM_SHARED(base);
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * Config::kElements + 4 * threadIdx.x;
  float4 v[Config::kVectors];  // all loads before the first use: double arithmetic is slow to follow each
#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) v[k] = load_four(p.x, begin + k * 4 * Config::kThreads, p.n, p.wide);
  double total = 0.0;
#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) {
    const double a = v[k].x, b = v[k].y, c = v[k].z, d = v[k].w;
    total = fma(a, a, total);
    total = fma(b, b, total);
    total = fma(c, c, total);
    total = fma(d, d, total);
  }
  total = block_sum<Config::kThreads>(total, reinterpret_cast<double*>(base));
  if (threadIdx.x == 0) p.partial[blockIdx.x] = total;
}

struct SumDoublesConfig {
  static constexpr int kThreads = 256;
  static constexpr int kSharedBytes = kReduceScratch<kThreads> * static_cast<int>(sizeof(double));
};

struct SumDoublesParams {
  std::int64_t n = 0;
  const double* x = nullptr;  // [n]
  double* sum = nullptr;      // one number
};

/// One block; 10^9 gradients leave 122,071 partial sums, 1 MB.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) sum_doubles(const __grid_constant__ SumDoublesParams p) {
  WAM_SHARED(base);
  double total = 0.0;
#pragma unroll 8
  for (std::int64_t i = threadIdx.x; i < p.n; i += Config::kThreads) total += p.x[i];
  total = block_sum<Config::kThreads>(total, reinterpret_cast<double*>(base));
  if (threadIdx.x == 0) *p.sum = total;
}

}  // namespace wam::WAM_GPU
