#pragma once
// Few queries against many keys: 24 action tokens behind a cached prefix are one query tile a head, 8 to 16 blocks on a
// device of a hundred multiprocessors. The forward kernels then take one split of kSplitKeys keys a block and leave
// partial results; the kernel here joins them. 32 queries, 732 keys, 16 heads of 128: 96 blocks instead of 16, for
// 16 * 32 * 6 * 130 * 4 bytes = 1.6 MB written and read again, which stays in the second-level cache.

#include "kernels/attention_common.cuh"

namespace wam::WAM_GPU {

struct AttentionJoinConfig {
  static constexpr int kThreads = 128, kWarps = kThreads / 32;
  static constexpr int kColumnsOfLane = 8;  // head_dim up to 256
  static constexpr int kSharedBytes = 0;
};

/// A warp a query row of a segment; grid (segments * ceil(max_queries / kWarps), heads). Element is that of `out`.
template <class Config, class Element>
__global__ void __launch_bounds__(Config::kThreads) attention_join(const __grid_constant__ AttentionParams p) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int tiles = (p.max_queries + Config::kWarps - 1) / Config::kWarps;
  const int segment_index = static_cast<int>(blockIdx.x) / tiles, head = static_cast<int>(blockIdx.y);
  const int row = static_cast<int>(blockIdx.x) % tiles * Config::kWarps + warp;
  const AttentionSegment segment = p.segments[segment_index];
  if (row >= segment.q_rows) return;  // the whole warp; there is no barrier
  const int splits = (KeyList(segment).visible(row) + kSplitKeys - 1) / kSplitKeys;

  SoftmaxState all;
  float out[Config::kColumnsOfLane] = {};
  std::ptrdiff_t at = (row_offset(segment_index, p.heads) + head) * p.splits * p.max_queries + row;
  for (int split = 0; split < splits; ++split, at += p.max_queries) {
    const float2 state = p.partial_state[at];
    const SoftmaxState::Factors f = all.join(state.x, state.y);
#pragma unroll
    for (int i = 0; i < Config::kColumnsOfLane; ++i) {
      const int c = lane + 32 * i;
      if (c < p.head_dim) out[i] = fmaf(out[i], f.before, p.partial_out[at * p.head_dim + c] * f.added);
    }
  }
  const std::ptrdiff_t query = segment.q_begin + row;
  const float scale = all.normaliser();
  Element* const to = static_cast<Element*>(p.out) + query * p.ldo + head * p.head_dim;
#pragma unroll
  for (int i = 0; i < Config::kColumnsOfLane; ++i) {
    const int c = lane + 32 * i;
    if (c < p.head_dim) to[c] = from_float<Element>(out[i] * scale);
  }
  if (p.lse != nullptr && lane == 0) p.lse[query * p.heads + head] = all.log_sum_exp();
}

}  // namespace wam::WAM_GPU
