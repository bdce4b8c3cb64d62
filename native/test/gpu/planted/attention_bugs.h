#pragma once
// A small attention forward on tensor cores, double-buffered through asynchronous copies as the real ones are, that can
// make one mistake at a time.

#include <cstdint>

#include "kernels/device.cuh"

namespace wam::simt {

enum class AttentionBug {
  none,
  no_barrier_before_reuse,  // 1
  no_barrier_after_wait,    // 2
  swapped_fragment,         // 3
  load_one_key_more,        // 4
  missing_wait,             // 5
  warp_skips_barrier,       // 6
  shuffle_in_branch,        // 7
  shared_too_small,         // 8, made by the launch
  mask_one_key_more,        // 9
  store_one_row_more,       // 10
  count,
};

struct AttentionBugConfig {
  static constexpr int kDim = 32, kWarps = 2, kThreads = 32 * kWarps;
  static constexpr int kRows = 16 * kWarps;  // queries of a block
  static constexpr int kKeys = 16;           // of a tile
  static constexpr int kStride = kDim + 8;   // of a row in shared memory: 80 bytes, no bank conflicts for ldmatrix
  static constexpr int kTile = kKeys * kStride;
  static constexpr int kSharedBytes = 4 * kTile * 2;  // two buffers of keys and values
};

struct AttentionBugParams {
  const bf16 *q = nullptr, *k = nullptr, *v = nullptr;  // [heads, queries or keys, kDim]
  float* o = nullptr;                                   // [heads, queries, kDim]
  float* lse = nullptr;                                 // [heads, queries]
  int queries = 0, keys = 0;
  AttentionBug bug = AttentionBug::none;
};

/// Grid: tiles of queries, heads.
void attention_with_bug(AttentionBugParams p);

}  // namespace wam::simt
