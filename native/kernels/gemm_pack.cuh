#pragma once
// Weights in the layouts that the matrix products read fastest. Run once a weight, at load.

#include "kernels/gemm_params.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

struct GemmPackParams {
  int k = 0;
  int n = 0;
  const float* b = nullptr;
  std::int64_t ldb = 0;
  bool transposed = false;  // element (p, j) at b[j*ldb + p], else b[p*ldb + j]
  void* packed = nullptr;
};

WAM_DEVICE float gemm_pack_value(const GemmPackParams& p, int row, int column) {
  if (row >= p.k || column >= p.n) return 0.0f;
  return p.b[p.transposed ? column * p.ldb + row : row * p.ldb + column];
}

struct GemmPackConfig {
  static constexpr int kThreads = 256;
};

/// For products in float: rows of k, padded with zeros to whole float4s, so that a tile is copied 16 bytes at a time.
/// 8 values along k by 4 float4s a warp: whole sectors on both sides even where it transposes.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) gemm_pack_float(const __grid_constant__ GemmPackParams p) {
  const std::int64_t fours = (p.n + 3) / 4, at = static_cast<std::int64_t>(blockIdx.x) * Config::kThreads + threadIdx.x;
  const std::int64_t rest = at / 8;
  const int row = static_cast<int>(rest / fours) * 8 + static_cast<int>(at % 8);
  const int column = static_cast<int>(rest % fours) * 4;
  if (row < p.k) {
    reinterpret_cast<float4*>(p.packed)[row * fours + column / 4] =
        make_float4(gemm_pack_value(p, row, column), gemm_pack_value(p, row, column + 1),
                    gemm_pack_value(p, row, column + 2), gemm_pack_value(p, row, column + 3));
  }
}

template <class T_>
struct GemmPackHalfConfig {
  using T = T_;
  static constexpr int kThreads = 256;
};

/// For tensor cores: 16-byte units of 8 values along k of one column, in the order [n/8][k/8][8 columns]. Eight units
/// on end are one 8x8 matrix of ldmatrix, 128 bytes without a bank met twice, and copies of a tile read 128 bytes on
/// end and write them in order. Zeros pad k and n to eights.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) gemm_pack_half(const __grid_constant__ GemmPackParams p) {
  using T = typename Config::T;
  const int chunks = (p.k + 7) / 8;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * Config::kThreads + threadIdx.x, matrix = at / 8;
  const int column = static_cast<int>(matrix / chunks) * 8 + static_cast<int>(at % 8);
  const int row = static_cast<int>(matrix % chunks) * 8;
  if (column < (p.n + 7) / 8 * 8) {
    unsigned pairs[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      pairs[i] = pack2<T>(gemm_pack_value(p, row + 2 * i, column), gemm_pack_value(p, row + 2 * i + 1, column));
    reinterpret_cast<uint4*>(p.packed)[at] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
  }
}

}  // namespace wam::WAM_GPU
