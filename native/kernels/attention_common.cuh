#pragma once
// What all attention kernels share: parameters, the cut of a call into blocks, the key list of a segment, and the
// algebra that joins partial softmax sums. core/backend.h says what attention over segments means.
//
// The segment lists are in device memory, so a grid is sized by bounds: (segments * query_tiles * splits, heads), and a
// block whose tile lies beyond its segment has nothing to do.

#include "core/backend.h"
#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

constexpr float kMinusInfinity = -__builtin_inff();

WAM_DEVICE int smaller(int a, int b) { return a < b ? a : b; }
/// Of row `row` of a matrix: more than 2^31 values may lie before it.
WAM_DEVICE std::ptrdiff_t row_offset(int row, int ld) { return static_cast<std::ptrdiff_t>(row) * ld; }

/// Keys that one partial result covers. A row's keys are always cut at multiples of it, so in float kernels the bits of a
/// row do not depend on whether the pieces are joined in registers or, for few queries, across blocks.
constexpr int kSplitKeys = 128;

struct AttentionParams {
  const void *q = nullptr, *k = nullptr, *v = nullptr;  // float, or 16-bit values with `half_storage`
  void* out = nullptr;                                  // of the same type
  float* lse = nullptr;                                 // [row, heads] or null
  int ldq = 0, ldk = 0, ldv = 0, ldo = 0;               // in values
  int heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 0;
  const AttentionSegment* segments = nullptr;
  int max_queries = 0;  // rows of the longest segment at most
  int query_tiles = 0;  // of the longest segment
  int splits = 1;       // more than 1: a block takes one split and leaves a partial result
  bool half_storage = false;
  bool vector = false;              // every row of q, k and v starts at a multiple of 16 bytes, head_dim likewise
  float* partial_out = nullptr;     // [segment, head, split, max_queries, head_dim] sums of exp(score - max) v
  float2* partial_state = nullptr;  // [segment, head, split, max_queries] largest score, sum of exp(score - max)
};

struct AttentionBackwardParams {
  AttentionParams forward;  // q, k, v, lse and the cut into query tiles
  const void *out = nullptr, *dout = nullptr;
  int ldo = 0, lddo = 0;
  float *dq = nullptr, *dk = nullptr, *dv = nullptr;
  int lddq = 0, lddk = 0, lddv = 0;
  float* delta = nullptr;              // [segment, max_queries, heads] sums of dout * out over a head
  const int* group_offsets = nullptr;  // [groups + 1] into segments
  const AttentionKeyRange* key_ranges = nullptr;
  int segment_count = 0;
  int range_tiles = 0;     // key tiles of the longest range
  bool atomic_dq = false;  // dq starts from zeros and the dk/dv kernel adds to it
};

/// The key list of a segment: range a, then range b.
struct KeyList {
  int a_begin, a_rows, b_begin, count;
  bool causal;

  WAM_DEVICE explicit KeyList(const AttentionSegment& s)
      : a_begin(s.a_begin), a_rows(s.a_rows), b_begin(s.b_begin), count(s.a_rows + s.b_rows), causal(s.causal) {}
  /// Row of k and v that holds key j of the list.
  WAM_DEVICE int row(int j) const { return j < a_rows ? a_begin + j : b_begin + (j - a_rows); }
  /// How many leading keys of the list query row i of the segment sees.
  WAM_DEVICE int visible(int i) const { return causal && a_rows + i + 1 < count ? a_rows + i + 1 : count; }
};

/// The first query row of segment s that sees row `key` of k and v, or s.q_rows when none does.
WAM_DEVICE int first_query_of_key(const AttentionSegment& s, int key) {
  if (key >= s.a_begin && key < s.a_begin + s.a_rows) return 0;
  if (key < s.b_begin || key >= s.b_begin + s.b_rows) return s.q_rows;
  return s.causal ? key - s.b_begin : 0;
}

/// A block's share of a forward grid, and of the dq grid of the backward pass.
struct QueryTile {
  AttentionSegment segment;
  int segment_index, head, kv_head, split;
  int begin, rows;  // query rows [begin, begin + rows) of the segment; rows <= 0: nothing to do

  WAM_DEVICE QueryTile(const AttentionParams& p, int tile_rows) {
    int at = static_cast<int>(blockIdx.x);
    split = at % p.splits, at /= p.splits;
    begin = at % p.query_tiles * tile_rows;
    segment_index = at / p.query_tiles;
    segment = p.segments[segment_index];
    rows = segment.q_rows - begin < tile_rows ? segment.q_rows - begin : tile_rows;
    head = static_cast<int>(blockIdx.y), kv_head = head / (p.heads / p.kv_heads);
  }
  /// Index of row `begin` in the partial results.
  WAM_DEVICE std::ptrdiff_t partial_row(const AttentionParams& p) const {
    return ((row_offset(segment_index, p.heads) + head) * p.splits + split) * p.max_queries + begin;
  }
};

/// Largest score and sum of exp(score - max) over some keys. Joining two sets of keys scales what is summed of each.
struct SoftmaxState {
  float max = kMinusInfinity, sum = 0;

  struct Factors {
    float before, added;
  };
  /// Adds a disjoint set of keys. Sums over both sets are before * (sums so far) + added * (sums of the set).
  WAM_DEVICE Factors join(float set_max, float set_sum) {
    const float top = fmaxf(max, set_max), base = top == kMinusInfinity ? 0.0f : top;
    const Factors f{expf(max - base), expf(set_max - base)};
    max = top;
    sum = fmaf(sum, f.before, set_sum * f.added);
    return f;
  }
  /// What sums are multiplied with in the end; a row that sees no key gives zeros.
  WAM_DEVICE float normaliser() const { return sum > 0.0f ? 1.0f / sum : 0.0f; }
  WAM_DEVICE float log_sum_exp() const { return max + logf(sum); }
};

}  // namespace wam::WAM_GPU
