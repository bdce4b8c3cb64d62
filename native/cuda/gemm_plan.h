#pragma once
// Which tile shape a matrix product gets, and into how many blocks k is cut. Neither changes a bit of the result
// (kernels/gemm_params.cuh); the length of the chunks does, so it is a function of the weight's shape alone.

#include <algorithm>
#include <cstdint>

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

/// A tile shape. `rate`: multiply-adds a cycle that a multiprocessor is expected to reach with it, for comparing shapes
/// only: float units do 128 a cycle and are slowed by reads of shared memory, tensor cores about 1024 and by float
/// activations from L2.
struct GemmShape {
  int m, n, rate;
};
inline constexpr GemmShape kGemmFloatShapes[] = {{128, 128, 105}, {64, 64, 90}, {32, 32, 60}};
inline constexpr GemmShape kGemmMmaShapes[] = {{128, 128, 500}, {32, 64, 160}};

/// Values of k that are summed from zero before they are added to the rest. Float: as on the CPU. Tensor cores: the
/// error of 16-bit operands is far larger than that of long sums, so k is cut only where 24 rows by n columns would
/// leave multiprocessors idle (64 columns a block): the parts of a narrow weight are summed by different blocks.
inline constexpr int kGemmFloatChunk = 256;
constexpr int gemm_mma_chunk(int columns, int k) {
  constexpr int kDeepest = 64;  // of all tiles
  const int chunk = columns <= 512 ? 256 : columns <= 1024 ? 512 : columns <= 8192 ? 1024 : k;
  return std::max(kDeepest, (std::min(chunk, k) + kDeepest - 1) / kDeepest * kDeepest);
}

struct GemmPlan {
  int shape = 0;  // of the table
  int row_tiles = 0, column_tiles = 0, blocks_of_k = 1;
  int chunk = 0, chunks = 1, chunks_per_block = 1;
};

/// m x columns x k on `multiprocessors`; columns are those of b. The cheapest by an estimate in cycles: waves of
/// blocks, each its multiply-adds at the shape's rate and a start; a cut of k costs another launch and its sums' way
/// through L2.
template <int kShapes>
GemmPlan plan_gemm(const GemmShape (&shapes)[kShapes], int m, int columns, int k, int chunk, int multiprocessors) {
  constexpr double kStart = 1500, kLaunch = 3000, kL2BytesPerCycle = 32;  // the last of a multiprocessor
  constexpr double kMostSums = double{1 << 26};                           // floats of scratch memory
  GemmPlan best;
  double best_cost = 0;
  for (int s = 0; s < kShapes; ++s) {
    GemmPlan plan;
    plan.shape = s;
    plan.row_tiles = (m + shapes[s].m - 1) / shapes[s].m;
    plan.column_tiles = (columns + shapes[s].n - 1) / shapes[s].n;
    plan.chunk = chunk;
    plan.chunks = std::max(1, (k + chunk - 1) / chunk);
    const double tiles = static_cast<double>(plan.row_tiles) * plan.column_tiles;
    const double sums = static_cast<double>(m) * plan.column_tiles * shapes[s].n * plan.chunks;
    for (const bool cut : {false, true}) {
      int parts = 1;
      if (cut) {
        if (plan.chunks == 1 || tiles >= multiprocessors || sums > kMostSums) continue;
        parts = std::min(plan.chunks, static_cast<int>((multiprocessors + tiles - 1) / tiles));
      }
      plan.chunks_per_block = (plan.chunks + parts - 1) / parts;
      plan.blocks_of_k = (plan.chunks + plan.chunks_per_block - 1) / plan.chunks_per_block;
      if (cut && plan.blocks_of_k == 1) continue;
      const double depth = std::min<double>(k, static_cast<double>(plan.chunks_per_block) * chunk);
      const double waves = static_cast<double>(
          (static_cast<std::int64_t>(tiles) * plan.blocks_of_k + multiprocessors - 1) / multiprocessors);
      double cost = waves * (kStart + double{1} * shapes[s].m * shapes[s].n * depth / shapes[s].rate);
      if (cut) cost += kLaunch + sums * 2 * sizeof(float) / (multiprocessors * kL2BytesPerCycle);
      if ((s == 0 && !cut) || cost < best_cost) best = plan, best_cost = cost;
    }
  }
  return best;
}

}  // namespace wam::WAM_GPU
