#pragma once
// Sums of a matrix's columns: the gradient of a bias.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

struct ColumnSumsParams {
  int rows = 0;
  int cols = 0;
  const float* x = nullptr;  // [rows, cols]
  std::int64_t ld = 0;
  float* sums = nullptr;  // [cols], added to
};

/// 32 columns a block, a warp for each kRun rows; 16 warps, so that 1024 rows of a training batch are one round.
struct ColumnSumsConfig {
  static constexpr int kRun = 64, kWarps = 16, kThreads = 32 * kWarps;
  static constexpr int kSharedBytes = kThreads * static_cast<int>(sizeof(float));
};

/// sums[j] += each run's sum from zero, in row order: the order of the CPU, and short chains.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) column_sums(const __grid_constant__ ColumnSumsParams p) {
  WAM_SHARED(base);
  float* runs = reinterpret_cast<float*>(base);  // [kWarps, 32]
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int column = static_cast<int>(blockIdx.x) * 32 + lane;
  const bool adds = warp == 0 && column < p.cols;
  float total = adds ? p.sums[column] : 0.0f;
  for (int round = 0; round < p.rows; round += Config::kWarps * Config::kRun) {
    const int begin = round + warp * Config::kRun, end = min(p.rows, begin + Config::kRun);
    float sum = 0.0f;
    if (column < p.cols) {
#pragma unroll 8
      for (int row = begin; row < end; ++row) sum += p.x[row * p.ld + column];
    }
    __syncthreads();  // the last round's runs were read
    runs[threadIdx.x] = sum;
    __syncthreads();
    const int count = min(Config::kWarps, (p.rows - round + Config::kRun - 1) / Config::kRun);
    if (adds) {
      for (int w = 0; w < count; ++w) total += runs[w * 32 + lane];
    }
  }
  if (adds) p.sums[column] = total;
}

}  // namespace wam::WAM_GPU
