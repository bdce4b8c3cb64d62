#pragma once
// What follows the sums of a matrix product: bias, activation or gates, residual, and the store.

#include "kernels/activation_math.cuh"
#include "kernels/gemm_params.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

WAM_DEVICE float gemm_activate(int activation, float x) {
  if (activation == 1) return gelu_erf(x);
  if (activation == 2) return gelu_tanh(x);
  return x;
}

/// Writes c for rows whose sums lie in shared memory, [kRows][ld]. Staged row r is row first + r / strip * strip_step +
/// r % strip of c. The sums go through shared memory because then this loop need not be unrolled over a thread's
/// accumulators (64 copies of erf), gate and up meet, and every store covers whole rows of the tile.
template <int kThreads, int kTile>
WAM_DEVICE void gemm_finish_rows(const GemmEpilogue& e, int m, int n, const float* staged, int ld, int rows, int strip,
                                 int strip_step, int first, int column_tile) {
  const int width = e.gated ? kTile / 2 : kTile;
  const int fours = width / 4;  // a power of two
  const int column0 = column_tile * width;
  for (int v = static_cast<int>(threadIdx.x); v < rows * fours; v += kThreads) {
    const int r = v / fours, c = v % fours * 4;
    const int i = first + r / strip * strip_step + r % strip, j = column0 + c;
    if (i >= WAM_PLANT(5, m, m + 1) || j >= n) continue;
    const float4 x4 = *reinterpret_cast<const float4*>(staged + r * ld + c);
    float x[4] = {x4.x, x4.y, x4.z, x4.w};
    if (e.gated) {
      const float4 up = *reinterpret_cast<const float4*>(staged + r * ld + c + kTile / 2);
      x[0] = silu(x[0]) * up.x, x[1] = silu(x[1]) * up.y, x[2] = silu(x[2]) * up.z, x[3] = silu(x[3]) * up.w;
    } else {
      if (e.bias != nullptr) {
        const float4 b = load_four(e.bias, WAM_PLANT(6, j, c), n, e.wide);
        x[0] += b.x, x[1] += b.y, x[2] += b.z, x[3] += b.w;
      }
      if (e.activation != 0) {
#pragma unroll
        for (float& value : x) value = gemm_activate(e.activation, value);
      }
    }
    if (e.residual != nullptr) {
      const float4 y = load_four(e.residual + i * e.ldr, j, n, e.wide);
      x[0] += y.x, x[1] += y.y, x[2] += y.z, x[3] += y.w;
    }
    store_four(e.c + i * e.ldc, j, n, e.wide, make_float4(x[0], x[1], x[2], x[3]));
  }
}

struct GemmFinishParams {
  int m = 0;
  int n = 0;
  int chunks = 0;
  int tile = 0;  // columns of the tiles that wrote the sums
  GemmSums sums;
  GemmEpilogue epilogue;
};

struct GemmFinishConfig {
  static constexpr int kThreads = 256;
};

/// Adds up the chunks that different blocks summed, in ascending order, and finishes c: an element a thread, so that
/// rows of any width are read in whole sectors.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) gemm_finish(const __grid_constant__ GemmFinishParams p) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * Config::kThreads + threadIdx.x;
  if (at < static_cast<std::int64_t>(p.m) * p.n) {
    const GemmEpilogue& e = p.epilogue;
    const std::int64_t i = at / p.n;
    const int j = static_cast<int>(at - i * p.n), half = p.tile / 2;
    const float* sums = p.sums.memory + i * p.sums.ld + (e.gated ? j / half * p.tile + j % half : j);
    float x = sums[0], up = e.gated ? sums[half] : 0.0f;
#pragma unroll 4
    for (int chunk = 1; chunk < p.chunks; ++chunk) {
      sums += p.sums.stride;
      x += sums[0];
      if (e.gated) up += sums[half];
    }
    if (e.gated) {
      x = silu(x) * up;
    } else {
      if (e.bias != nullptr) x += e.bias[j];
      x = gemm_activate(e.activation, x);
    }
    if (e.residual != nullptr) x += e.residual[i * e.ldr + j];
    e.c[i * e.ldc + j] = x;
  }
}

}  // namespace wam::WAM_GPU
