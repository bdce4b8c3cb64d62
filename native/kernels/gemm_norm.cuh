#pragma once
// Row statistics for the norm prologue of a matrix product.
//
// Where a block has at most kGemmNormRowsInBlock rows of at most kGemmNormInBlock columns it computes them itself, 8
// lanes a row: for 32 rows of 256 columns that is 8 KiB a warp from L2 and about 0.6 us, less than one more node in a
// graph (1 to 2 us). Taller blocks would spend as long on it as on the product, and long rows would be read again by
// every block, so there a kernel goes ahead. The order of the sums depends on k alone, through the number of lanes (8,
// else a warp), so a row's statistics have the same bits in every batch.

#include "kernels/gemm_params.cuh"
#include "kernels/reduce.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

inline constexpr int kGemmNormInBlock = 512, kGemmNormRowsInBlock = 32;

/// x normalised: (x - mean) rstd weight + bias, or x rstd weight.
WAM_DEVICE float gemm_normalise(float x, float2 statistics, float weight, float bias, bool centred) {
  const float h = (x - statistics.x) * statistics.y;
  return centred ? fmaf(h, weight, bias) : h * weight;
}

/// Mean and 1/deviation of row[0..k) by kLanes neighbouring lanes; `k` 0 for lanes without a row. All lanes take part.
template <int kLanes>
WAM_DEVICE float2 gemm_row_statistics(const float* row, int k, int columns, bool wide, bool centred, float eps) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const float inverse = 1.0f / static_cast<float>(columns);
  float mean = 0.0f;
  if (centred) {
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 4
    for (int p = lane * 4; p < k; p += kLanes * 4) {
      const float4 x = load_four(row, p, k, wide);
      sum.x += x.x, sum.y += x.y, sum.z += x.z, sum.w += x.w;
    }
    mean = warp_sum<kLanes>((sum.x + sum.y) + (sum.z + sum.w)) * inverse;
  }
  // About the mean, in a second pass (the row is in L1 by now): nothing cancels.
  float4 square = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 4
  for (int p = lane * 4; p < k; p += kLanes * 4) {
    float4 x = load_four(row, p, k, wide);
    x.x -= mean, x.y -= mean, x.z -= mean, x.w -= mean;
    square.x = fmaf(x.x, x.x, square.x);
    if (p + 1 < k) square.y = fmaf(x.y, x.y, square.y);
    if (p + 2 < k) square.z = fmaf(x.z, x.z, square.z);
    if (p + 3 < k) square.w = fmaf(x.w, x.w, square.w);
  }
  const float variance = warp_sum<kLanes>((square.x + square.y) + (square.z + square.w)) * inverse;
  return make_float2(mean, 1.0f / sqrtf(variance + eps));
}

/// statistics[kRows] of a block's rows [row0, row0 + kRows) into shared memory, zeros beyond row m. The caller
/// puts a barrier behind it.
template <int kRows, int kThreads>
WAM_DEVICE void gemm_block_statistics(const GemmOperand& a, const GemmNorm& norm, int row0, int m, int k,
                                      float2* statistics) {
  if (kRows > kGemmNormRowsInBlock || norm.statistics != nullptr) {
    for (int i = static_cast<int>(threadIdx.x); i < kRows; i += kThreads) {
      const float* from = norm.statistics + 2 * static_cast<std::int64_t>(row0 + i);
      statistics[i] = row0 + i < m ? make_float2(from[0], from[1]) : make_float2(0.0f, 0.0f);
    }
    return;
  }
  if constexpr (kRows <= kGemmNormRowsInBlock) {
    constexpr int kLanes = 8, kStep = kThreads / kLanes;
    static_assert(kRows % kStep == 0);
    for (int i = static_cast<int>(threadIdx.x) / kLanes; i < kRows; i += kStep) {
      const bool exists = row0 + i < m;
      const float2 s = gemm_row_statistics<kLanes>(a.data + (row0 + i) * a.ld, exists ? k : 0, k, a.wide,
                                                   norm.bias != nullptr, norm.eps);
      if (static_cast<int>(threadIdx.x) % kLanes == 0) statistics[i] = exists ? s : make_float2(0.0f, 0.0f);
    }
  }
}

struct GemmStatisticsParams {
  GemmOperand a;
  int m = 0;
  int k = 0;
  bool centred = false;
  float eps = 0;
  float* statistics = nullptr;  // [m, 2]
};

template <int kLanes_>
struct GemmStatisticsConfig {
  static constexpr int kLanes = kLanes_, kThreads = 128, kRows = kThreads / kLanes;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) gemm_statistics(const __grid_constant__ GemmStatisticsParams p) {
  constexpr int kLanes = Config::kLanes;
  const int row = static_cast<int>(blockIdx.x) * Config::kRows + static_cast<int>(threadIdx.x) / kLanes;
  const bool exists = row < p.m;
  const float2 s =
      gemm_row_statistics<kLanes>(p.a.data + row * p.a.ld, exists ? p.k : 0, p.k, p.a.wide, p.centred, p.eps);
  if (exists && static_cast<int>(threadIdx.x) % kLanes == 0) {
    float* to = p.statistics + 2 * static_cast<std::int64_t>(row);
    to[0] = s.x, to[1] = s.y;
  }
}

}  // namespace wam::WAM_GPU
