#pragma once
// The nearest token of each query, exactly: the least distance as the CPU backend computes it, ties to the least token.
// Few queries measure every token (token_scan); many measure only the groups that bounds cannot rule out
// (token_select).

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"
#include "kernels/token_bounds.cuh"
#include "kernels/token_distance.cuh"

namespace wam::WAM_GPU {

struct TokenScanParams {
  TokenTable table;
  const float* query = nullptr;  // [rows up to a multiple of kQueries, ldq] as quad_distances needs them
  int ldq = 0;
  int rows = 0;
  std::uint64_t* best = nullptr;  // [rows, gridDim.x] the nearest of each block's tokens
};

/// Block x takes every gridDim.x-th run of 64 tokens, block y eight queries, for which a warp keeps 8 tokens in
/// registers, 16 dimensions a lane. One query reads the table at the speed of memory; from eight on it is arithmetic:
/// 1.3 million subtractions and as many multiply-adds a query over 20,001 x 64.
struct TokenScanConfig {
  static constexpr int kThreads = 256;
  static constexpr int kQueries = 8;
  static constexpr int kTokens = kThreads / 32 * kQuads;
  static constexpr int kSharedBytes = kThreads / 32 * kQueries * 8;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) token_scan(const __grid_constant__ TokenScanParams p) {
  WAM_SHARED(shared);
  constexpr int kQueries = Config::kQueries, kSets = kQueries / 4, kWarps = Config::kThreads / 32;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int first_query = static_cast<int>(blockIdx.y) * kQueries;
  const float* query = p.query + static_cast<std::int64_t>(first_query) * p.ldq;
  std::uint64_t best[kSets];  // of queries 4 i + lane % 4
#pragma unroll
  for (int i = 0; i < kSets; ++i) best[i] = kFarthest;
  const int last = WAM_PLANT(3, p.table.vocab - 1, p.table.vocab);
  for (int base = static_cast<int>(blockIdx.x) * Config::kTokens; base <= last;
       base += static_cast<int>(gridDim.x) * Config::kTokens) {
    const int at = base + warp * kQuads + lane / 4;
    const int token[1] = {at < last ? at : last};  // the last again changes nothing
    float distance[kSets];
    quad_distances<1, kQueries>(p.table, token, query, p.ldq, distance);
#pragma unroll
    for (int i = 0; i < kSets; ++i) keep_nearer(distance[i], token[0], best[i]);
  }
  auto* of_warp = reinterpret_cast<std::uint64_t*>(shared);  // [kWarps, kQueries]
#pragma unroll
  for (int i = 0; i < kSets; ++i) {
    best[i] = warp_nearest<4>(best[i]);
    if (lane < 4) of_warp[warp * kQueries + 4 * i + lane] = best[i];
  }
  __syncthreads();
  if (thread < kQueries && first_query + thread < p.rows) {
    std::uint64_t least = of_warp[thread];
    for (int w = 1; w < kWarps; ++w) {
      if (of_warp[w * kQueries + thread] < least) least = of_warp[w * kQueries + thread];
    }
    p.best[static_cast<std::int64_t>(first_query + thread) * gridDim.x + blockIdx.x] = least;
  }
}

struct TokenMergeParams {
  const std::uint64_t* best = nullptr;  // [rows, splits]
  int rows = 0;
  int splits = 0;
  std::int32_t* token = nullptr;  // [rows]
  float* distance2 = nullptr;     // [rows] or null
};

/// A warp merges the blocks' results of a query.
struct TokenMergeConfig {
  static constexpr int kThreads = 128;
  static constexpr int kRows = kThreads / 32;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) token_merge(const __grid_constant__ TokenMergeParams p) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = static_cast<int>(blockIdx.x) * Config::kRows + static_cast<int>(threadIdx.x) / 32;
  std::uint64_t best = kFarthest;
  if (row < p.rows) {
    for (int i = lane; i < p.splits; i += 32) {
      const std::uint64_t other = p.best[static_cast<std::int64_t>(row) * p.splits + i];
      if (other < best) best = other;
    }
  }
  best = warp_nearest(best);
  if (row < p.rows && lane == 0) {
    p.token[row] = static_cast<std::int32_t>(best & 0xffffffffu);
    if (p.distance2 != nullptr) p.distance2[row] = __uint_as_float(static_cast<unsigned>(best >> 32));
  }
}

struct TokenSelectParams {
  TokenTable table;
  const float* query = nullptr;  // [rows, ldq] as quad_distances needs them
  int ldq = 0;
  const float* bound = nullptr;  // [rows, ldb] of TokenBoundsParams
  int ldb = 0;
  std::int32_t* token = nullptr;  // [rows]
  float* distance2 = nullptr;     // [rows] or null
};

/// A block takes a query. It measures the group of the least bound first, then every group whose bound does not exceed
/// the distance found there: one or two groups of a random table, some 40 of 1,251 of a curve of numbers (10 KB and 164
/// KB of the table), all of them when all tokens are equally far, which is the full search and as exact. Neighbouring
/// groups go to different warps, since on a curve those left lie side by side.
struct TokenSelectConfig {
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kSharedBytes = kWarps * 8;
};

/// The nearest token of a group of 16 and `best`, over the tokens that this lane gets the distance of.
WAM_DEVICE void measure_group(const TokenSelectParams& p, int row, int group, std::uint64_t& best) {
  static_assert(kBoundGroup == 2 * kQuads);
  const int lane = static_cast<int>(threadIdx.x) % 32, last = p.table.vocab - 1;
  const int first = group * kBoundGroup + lane / 4, second = first + WAM_PLANT(4, kQuads, kQuads - 1);
  const int token[2] = {first < last ? first : last, second < last ? second : last};
  float distance[1];
  quad_distances<2, 1>(p.table, token, p.query + static_cast<std::int64_t>(row) * p.ldq, p.ldq, distance);
  keep_nearer(distance[0], lane % 2 == 0 ? token[0] : token[1], best);
}

/// The least of the block's values, on every thread. `scratch` is [warps]. Two barriers.
template <class Config>
WAM_DEVICE std::uint64_t block_nearest(std::uint64_t value, std::uint64_t* scratch) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  value = warp_nearest(value);
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  value = warp_nearest(scratch[lane % Config::kWarps]);
  __syncthreads();
  return value;
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) token_select(const __grid_constant__ TokenSelectParams p) {
  WAM_SHARED(shared);
  constexpr int kWarps = Config::kWarps;
  auto* scratch = reinterpret_cast<std::uint64_t*>(shared);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int row = static_cast<int>(blockIdx.x);
  const int groups = (p.table.vocab + kBoundGroup - 1) / kBoundGroup;
  const float* bound = p.bound + static_cast<std::int64_t>(row) * p.ldb;

  // Where to begin. A bound below 0 says no more than 0 does.
  std::uint64_t start = kFarthest;
  for (int g = thread; g < groups; g += Config::kThreads) keep_nearer(fmaxf(bound[g], 0.0f), g, start);
  start = block_nearest<Config>(start, scratch);
  const int start_group = static_cast<int>(start & 0xffffffffu);
  std::uint64_t best = kFarthest;
  if (warp == 0) measure_group(p, row, start_group, best);
  best = block_nearest<Config>(best, scratch);

  // A distance in float is at least (1 - rounding) times the true one, less what falls below float's range: the
  // difference, its square, 16 and 16 additions and one for each 256 dimensions round once each.
  const float rounding = static_cast<float>(p.table.dim / kDistanceGroup + 40) * 1.1920929e-7f;
  const float reached = __uint_as_float(static_cast<unsigned>(best >> 32));
  for (int base = 0; base < groups; base += 32 * kWarps) {
    const int g = base + lane * kWarps + warp;
    const bool left = g < groups && g != start_group && !(bound[g] * (1 - rounding) - 7.8886091e-31f > reached);
    unsigned mask = __ballot_sync(kAllLanes, left);
    while (mask != 0) {
      measure_group(p, row, base + (__ffs(static_cast<int>(mask)) - 1) * kWarps + warp, best);
      mask &= mask - 1;
    }
  }
  best = block_nearest<Config>(best, scratch);
  if (thread == 0) {
    p.token[row] = static_cast<std::int32_t>(best & 0xffffffffu);
    if (p.distance2 != nullptr) p.distance2[row] = __uint_as_float(static_cast<unsigned>(best >> 32));
  }
}

}  // namespace wam::WAM_GPU
