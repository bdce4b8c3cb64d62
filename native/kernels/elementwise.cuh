#pragma once
// Maps over elements: activations, SwiGLU, axpy, fill, dropout, losses of values. All are bound by memory: 8 to 20 bytes moved for at most
// 40 instructions an element. A thread takes four neighbouring elements; a full multiprocessor then has 2048 * 16 bytes
// = 32 KB of each operand in flight, and 15 KB hide the latency of an H100's memory.

#include "core/philox.h"
#include "kernels/activation_math.cuh"
#include "kernels/device.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

struct ElementConfig {
  static constexpr int kThreads = 256;
  static constexpr int kElements = 4 * kThreads;  // of a block
};

/// First of the four elements of this thread.
template <class Config>
WAM_DEVICE std::int64_t first_element() {
  return (static_cast<std::int64_t>(blockIdx.x) * Config::kThreads + threadIdx.x) * 4;
}

/// f of each of the four.
template <class F>
WAM_DEVICE float4 map_four(float4 x, F f) {
  return make_float4(f(x.x), f(x.y), f(x.z), f(x.w));
}
template <class F>
WAM_DEVICE float4 map_four(float4 x, float4 y, F f) {
  return make_float4(f(x.x, y.x), f(x.y, y.y), f(x.z, y.z), f(x.w, y.w));
}

enum class ActivationKind { none, gelu_erf, gelu_tanh };

struct ActivationParams {
  std::int64_t n = 0;
  bool wide = false;  // all pointers are 16-byte aligned
  ActivationKind kind = ActivationKind::none;
  const float* x = nullptr;   // [n]
  const float* dy = nullptr;  // [n], backward only
  float* out = nullptr;       // [n] y, or dx; may be x or dy
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) activation_forward(const __grid_constant__ ActivationParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    float4 v = load_four(p.x, i, p.n, p.wide);
    if (p.kind == ActivationKind::gelu_erf) v = map_four(v, [](float x) { return gelu_erf(x); });
    if (p.kind == ActivationKind::gelu_tanh) v = map_four(v, [](float x) { return gelu_tanh(x); });
    store_four(p.out, i, p.n, p.wide, v);
  }
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) activation_backward(const __grid_constant__ ActivationParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    const float4 x = load_four(p.x, i, p.n, p.wide);
    float4 d = load_four(p.dy, i, p.n, p.wide);
    if (p.kind == ActivationKind::gelu_erf) {
      d = map_four(x, d, [](float v, float dv) { return dv * gelu_erf_slope(v); });
    } else if (p.kind == ActivationKind::gelu_tanh) {
      d = map_four(x, d, [](float v, float dv) { return dv * gelu_tanh_slope(v); });
    }
    store_four(p.out, i, p.n, p.wide, d);
  }
}

struct SwigluParams {
  int rows = 0;
  int cols = 0;
  int ldg = 0;
  int ldu = 0;
  int lddg = 0;
  int lddu = 0;
  bool wide = false;            // every row of every matrix is 16-byte aligned
  const float* gate = nullptr;  // [rows, cols]
  const float* up = nullptr;
  float* y = nullptr;         // [rows, cols] dense, forward only
  const float* dy = nullptr;  // [rows, cols] dense, backward only
  float* dgate = nullptr;     // [rows, cols], may be gate and up
  float* dup = nullptr;
};

/// y = silu(gate) up
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) swiglu_forward(const __grid_constant__ SwigluParams p) {
  const auto [row, column] = matrix_place<Config>(p.cols);
  if (row < p.rows) {
    const std::int64_t r = row;
    const float4 g = load_four(p.gate + r * p.ldg, column, p.cols, p.wide);
    const float4 u = load_four(p.up + r * p.ldu, column, p.cols, p.wide);
    store_four(p.y + r * p.cols, column, p.cols, p.wide,
               map_four(g, u, [](float gv, float uv) { return silu(gv) * uv; }));
  }
}

/// dup = dy silu(gate), dgate = dy up silu'(gate)
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) swiglu_backward(const __grid_constant__ SwigluParams p) {
  const auto [row, column] = matrix_place<Config>(p.cols);
  if (row < p.rows) {
    const std::int64_t r = row;
    const float4 g = load_four(p.gate + r * p.ldg, column, p.cols, p.wide);
    const float4 u = load_four(p.up + r * p.ldu, column, p.cols, p.wide);
    const float4 d = load_four(p.dy + r * p.cols, column, p.cols, p.wide);
    store_four(p.dup + r * p.lddu, column, p.cols, p.wide,
               map_four(g, d, [](float gv, float dv) { return dv * silu(gv); }));
    const float4 du = map_four(d, u, [](float dv, float uv) { return dv * uv; });
    store_four(p.dgate + r * p.lddg, column, p.cols, p.wide,
               map_four(g, du, [](float gv, float duv) { return duv * silu_slope(gv); }));
  }
}

struct AxpyParams {
  std::int64_t n = 0;
  bool wide = false;
  float alpha = 0;
  const float* x = nullptr;  // [n]
  float* y = nullptr;        // [n]
};

/// y += alpha x
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) axpy_elements(const __grid_constant__ AxpyParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    const float4 x = load_four(p.x, i, p.n, p.wide), y = load_four(p.y, i, p.n, p.wide);
    const float alpha = p.alpha;
    store_four(p.y, i, p.n, p.wide, map_four(x, y, [alpha](float xv, float yv) { return fmaf(alpha, xv, yv); }));
  }
}

struct FillParams {
  std::int64_t n = 0;
  bool wide = false;
  float value = 0;
  float* y = nullptr;  // [n]
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) fill_elements(const __grid_constant__ FillParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) store_four(p.y, i, p.n, p.wide, make_float4(p.value, p.value, p.value, p.value));
}

struct DropoutParams {
  std::int64_t n = 0;
  bool wide = false;
  std::uint32_t key0 = 0;
  std::uint32_t key1 = 0;
  std::uint32_t site = 0;
  std::uint32_t limit = 0;   // of 2^24: an element is kept when the upper 24 bits of its word are at least this
  float keep = 1;            // factor of elements that are kept
  const float* x = nullptr;  // [n]
  float* y = nullptr;        // [n], may be x
};

/// The four elements of a thread are those of one counter, and the mask and the products are the CPU's bit for bit.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) dropout_elements(const __grid_constant__ DropoutParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    const auto counter = static_cast<std::uint64_t>(i) / 4;
    const Philox4 r = philox4x32({{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                   p.site, static_cast<std::uint32_t>(RandomUse::train_dropout)}},
                                 p.key0, p.key1);
    const float4 factor =
        make_float4(r.word[0] >> 8 >= p.limit ? p.keep : 0.0f, r.word[1] >> 8 >= p.limit ? p.keep : 0.0f,
                    r.word[2] >> 8 >= p.limit ? p.keep : 0.0f, r.word[3] >> 8 >= p.limit ? p.keep : 0.0f);
    store_four(p.y, i, p.n, p.wide,
               map_four(load_four(p.x, i, p.n, p.wide), factor, [](float x, float f) { return x * f; }));
  }
}

struct ValueLossParams {
  std::int64_t n = 0;
  bool wide = false;  // all pointers are 16-byte aligned
  bool squared = false;
  const float* prediction = nullptr;  // [n]
  const float* target = nullptr;      // [n]
  const float* weight = nullptr;      // [n]
  float* loss = nullptr;              // [n]
  float* dprediction = nullptr;       // [n] or null, may be prediction
};

/// loss = weight |prediction - target| or its square. Elements without weight are selected, not multiplied: their target
/// may be NaN.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) value_loss_elements(const __grid_constant__ ValueLossParams p) {
  const std::int64_t i = first_element<Config>();
  if (i < p.n) {
    const float4 w = load_four(p.weight, i, p.n, p.wide);
    const float4 off = map_four(load_four(p.prediction, i, p.n, p.wide), load_four(p.target, i, p.n, p.wide),
                                [](float x, float y) { return x - y; });
    const bool squared = p.squared;
    store_four(p.loss, i, p.n, p.wide, map_four(off, w, [squared](float d, float weight) {
                 return weight == 0.0f ? 0.0f : weight * (squared ? d * d : fabsf(d));
               }));
    if (p.dprediction != nullptr) {
      store_four(p.dprediction, i, p.n, p.wide, map_four(off, w, [squared](float d, float weight) {
                   const float sign = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d * 0.0f;
                   return weight == 0.0f ? 0.0f : weight * (squared ? d + d : sign);
                 }));
    }
  }
}

}  // namespace wam::WAM_GPU
