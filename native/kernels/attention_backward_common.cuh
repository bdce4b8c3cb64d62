#pragma once
// What the backward kernels share. With p = exp(scale * s - lse), dp = dout v^T and delta = sum(dout * out) over a row:
//   ds = p (dp - delta)    dq = scale * ds k    dk = scale * ds^T q    dv = p^T dout
// One kernel owns key tiles and makes dk and dv; dq comes from a second that owns query tiles (the same bits every time,
// two products of five computed twice) or from float atomics in the first (AttentionBackwardParams::atomic_dq).

#include "kernels/attention_common.cuh"

namespace wam::WAM_GPU {

struct AttentionDeltaConfig {
  static constexpr int kThreads = 128, kWarps = kThreads / 32;
  static constexpr int kSharedBytes = 0;
};

/// A warp a query row of a segment and head; grid (segments * ceil(max_queries / kWarps), heads). Element is that of out
/// and dout; Rounded that of dout in the products, so that dp - delta cancels where it should (a row with one key has no
/// gradient). With atomic_dq it also sets the row's dq to zeros.
template <class Config, class Element, class Rounded>
__global__ void __launch_bounds__(Config::kThreads) attention_delta(const __grid_constant__ AttentionBackwardParams p) {
  const AttentionParams& a = p.forward;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int tiles = (a.max_queries + Config::kWarps - 1) / Config::kWarps;
  const int segment_index = static_cast<int>(blockIdx.x) / tiles, head = static_cast<int>(blockIdx.y);
  const int row = static_cast<int>(blockIdx.x) % tiles * Config::kWarps + warp;
  const AttentionSegment segment = a.segments[segment_index];
  if (row >= segment.q_rows) return;  // the whole warp; there is no barrier
  const std::ptrdiff_t query = segment.q_begin + row;
  const Element* const out = static_cast<const Element*>(p.out) + query * p.ldo + head * a.head_dim;
  const Element* const dout = static_cast<const Element*>(p.dout) + query * p.lddo + head * a.head_dim;
  float* const dq = p.dq + query * p.lddq + head * a.head_dim;
  float sum = 0.0f;
#pragma unroll 2  // by itself the compiler takes four, whose addresses spill
  for (int c = lane; c < a.head_dim; c += 32) {
    sum = fmaf(to_float(from_float<Rounded>(to_float(dout[c]))), to_float(out[c]), sum);
    if (p.atomic_dq) dq[c] = 0.0f;
  }
  sum = warp_sum(sum);
  if (lane == 0) p.delta[(row_offset(segment_index, a.max_queries) + row) * a.heads + head] = sum;
}

/// A block's key tile: grid (key ranges * range_tiles, kv_heads).
struct KeyTile {
  int group, kv_head;
  int begin, rows;  // rows [begin, begin + rows) of k and v; rows <= 0: nothing to do

  WAM_DEVICE KeyTile(const AttentionBackwardParams& p, int tile_rows) {
    const AttentionKeyRange range = p.key_ranges[static_cast<int>(blockIdx.x) / p.range_tiles];
    const int offset = static_cast<int>(blockIdx.x) % p.range_tiles * tile_rows;
    group = range.group, kv_head = static_cast<int>(blockIdx.y);
    begin = range.begin + offset;
    rows = smaller(range.rows - offset, tile_rows);
  }
};

/// Walks the tiles of kRows query rows that see any key of a tile: segments of the group in order, in each the heads that
/// share a key head, in each the rows upwards. It keeps little of a segment, since two walks live in registers that the
/// gradients leave free.
template <int kRows>
struct QueryWalk {
  const AttentionBackwardParams* p;
  int key_begin, key_rows, first_head, end_segment;
  int segment_index, head, begin;  // where the walk stands; segment_index == end_segment: at its end
  int first_begin;                 // of the segment: the first tile that sees a key
  int q_begin, q_rows;             // of the segment

  WAM_DEVICE QueryWalk(const AttentionBackwardParams& params, const KeyTile& keys)
      : p(&params), key_begin(keys.begin), key_rows(keys.rows) {
    first_head = keys.kv_head * (p->forward.heads / p->forward.kv_heads);
    segment_index = p->group_offsets[keys.group], end_segment = p->group_offsets[keys.group + 1];
    find_segment();
  }
  WAM_DEVICE bool done() const { return segment_index >= end_segment; }
  WAM_DEVICE int rows() const { return smaller(kRows, q_rows - begin); }
  WAM_DEVICE int query_row() const { return q_begin + begin; }
  WAM_DEVICE std::ptrdiff_t delta_row() const { return row_offset(segment_index, p->forward.max_queries) + begin; }
  WAM_DEVICE AttentionSegment segment() const { return p->forward.segments[segment_index]; }
  WAM_DEVICE void next() {
    begin += kRows;
    if (begin < q_rows) return;
    begin = first_begin;
    if (++head < first_head + p->forward.heads / p->forward.kv_heads) return;
    ++segment_index;
    find_segment();
  }

 private:
  WAM_DEVICE bool overlaps(int range_begin, int range_rows) const {
    return range_begin < key_begin + key_rows && key_begin < range_begin + range_rows;
  }
  /// Moves to the first segment from here on with a row that sees one of the keys.
  WAM_DEVICE void find_segment() {
    for (; segment_index < end_segment; ++segment_index) {
      const AttentionSegment s = segment();
      int first = s.q_rows;
      if (overlaps(s.a_begin, s.a_rows)) {
        first = 0;
      } else if (overlaps(s.b_begin, s.b_rows)) {
        first = s.causal && key_begin > s.b_begin ? key_begin - s.b_begin : 0;
      }
      if (first >= s.q_rows) continue;
      q_begin = s.q_begin, q_rows = s.q_rows;
      head = first_head, begin = first_begin = first / kRows * kRows;
      return;
    }
  }
};

}  // namespace wam::WAM_GPU
