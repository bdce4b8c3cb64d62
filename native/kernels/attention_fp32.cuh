#pragma once
// Attention forward in float. A block owns kQueries rows of one segment and head and walks the segment's keys, kKeys at
// a time. While scores are computed the tile of values is on its way, and while values are summed the next tile of keys
// is. Sums are relative to the largest score of the split (kSplitKeys keys) they belong to; splits are joined in order.

#include "kernels/attention_fp32_tile.cuh"

namespace wam::WAM_GPU {

template <int kWidth_, int kQueries_>
struct AttentionFp32Config {
  static constexpr int kWidth = kWidth_;      // head_dim at most
  static constexpr int kQueries = kQueries_;  // rows of a block
  static constexpr int kKeys = kWidth_ == 256 ? 16 : 32;
  static constexpr int kThreads = kFp32Threads;
  static constexpr int kBlocks = 2;  // that registers must allow on a multiprocessor; more would spill
  static constexpr int kRowsOfThread = kQueries / kRowGroups, kScoresOfThread = kKeys / kColumnThreads;
  static constexpr int kStride = kWidth + 4, kWeightStride = kKeys + 4;
  // floats
  static constexpr int kQueryAt = 0, kKeyAt = kQueries * kStride, kValueAt = kKeyAt + kKeys * kStride;
  static constexpr int kWeightAt = kValueAt + kKeys * kStride, kFloats = kWeightAt + kQueries * kWeightStride;
  static constexpr int kSharedBytes = kFloats * 4;
  static_assert(kSharedBytes <= 64 * 1024, "what a block of compute capability 7.5 may have");
  static_assert(kSplitKeys % kKeys == 0);
};

/// One row of a thread: scores (unscaled) of a tile become weights exp(scale * score - max); `visible` of its keys count.
/// Returns the factor for what was summed before. Each thread keeps the sum of its own columns.
template <int kScores>
WAM_DEVICE float softmax_tile_fp32(float (&score)[kScores], int visible, float scale, float& max, float& sum) {
  float top = max;
#pragma unroll
  for (int c = 0; c < kScores; ++c)
    if (column_thread() + c * kColumnThreads < visible) top = fmaxf(top, score[c] * scale);
  top = warp_max<kColumnThreads>(top);
  const float base = top == kMinusInfinity ? 0.0f : top, before = expf(max - base);
  sum *= before;
#pragma unroll
  for (int c = 0; c < kScores; ++c) {
    score[c] = column_thread() + c * kColumnThreads < visible ? expf(fmaf(score[c], scale, -base)) : 0.0f;
    sum += score[c];
  }
  max = top;
  return before;
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks)
    attention_fp32(const __grid_constant__ AttentionParams p) {
  constexpr int kRows = Config::kRowsOfThread, kColumns = Config::kWidth / kColumnThreads;
  WAM_SHARED(memory);
  float* const shared = reinterpret_cast<float*>(memory);
  float *const queries = shared + Config::kQueryAt, *const keys = shared + Config::kKeyAt;
  float *const values = shared + Config::kValueAt, *const weights = shared + Config::kWeightAt;

  const QueryTile tile(p, Config::kQueries);
  if (tile.rows <= 0) return;  // the whole block
  const KeyList list(tile.segment);
  const int dim = p.head_dim;
  const float* const k = static_cast<const float*>(p.k) + tile.kv_head * dim;
  const float* const v = static_cast<const float*>(p.v) + tile.kv_head * dim;
  const float* const q = static_cast<const float*>(p.q) + tile.head * dim;
  const int first_query = tile.segment.q_begin + tile.begin;
  const int seen = list.visible(tile.begin + tile.rows - 1);
  const int begin = tile.split * kSplitKeys;  // 0 when splits are joined here
  const int end = p.splits > 1 ? smaller(seen, begin + kSplitKeys) : seen;

  const auto copy_keys = [&](float* to, const float* x, int ld, int t0) {
    copy_rows<Config::kKeys, Config::kWidth>(to, x, ld, dim, p.vector, end - t0,
                                             [&](int r) { return list.row(t0 + r); });
    cp_async_commit();
  };
  copy_rows<Config::kQueries, Config::kWidth>(queries, q, p.ldq, dim, p.vector, tile.rows,
                                              [&](int r) { return first_query + r; });
  copy_keys(keys, k, p.ldk, begin);

  float max[kRows], sum[kRows], out[kRows][kColumns];  // of the split at hand
  SoftmaxState all[kRows];                             // of the splits before
  float all_out[kRows][kColumns];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    max[r] = kMinusInfinity, sum[r] = 0.0f;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) out[r][c] = all_out[r][c] = 0.0f;
  }

  for (int t0 = begin; t0 < end; t0 += Config::kKeys) {
    cp_async_wait<0>();
    __syncthreads();  // the keys are here, and all have done with the values before
    copy_keys(values, v, p.ldv, t0);
    float score[kRows][Config::kScoresOfThread];
    dot_rows<Config::kStride>(score, queries, keys, dim);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int row = row_group() + r * kRowGroups;
      const int visible = smaller(end, list.visible(tile.begin + row)) - t0;
      const float before = softmax_tile_fp32(score[r], visible, p.scale, max[r], sum[r]);
#pragma unroll
      for (int c = 0; c < kColumns; ++c) out[r][c] *= before;
#pragma unroll
      for (int c = 0; c < Config::kScoresOfThread; ++c)
        weights[row * Config::kWeightStride + column_thread() + c * kColumnThreads] = score[r][c];
    }
    cp_async_wait<0>();
    __syncthreads();  // values and weights are here, and all have done with the keys
    if (t0 + Config::kKeys < end) copy_keys(keys, k, p.ldk, t0 + Config::kKeys);
    add_weighted_rows<Config::kWidth, Config::kKeys>(out, weights, values);

    const int next = t0 + Config::kKeys;
    if (p.splits == 1 && (next % kSplitKeys == 0 || next >= end)) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const SoftmaxState::Factors f = all[r].join(max[r], warp_sum<kColumnThreads>(sum[r]));
        max[r] = kMinusInfinity, sum[r] = 0.0f;
#pragma unroll
        for (int c = 0; c < kColumns; ++c) {
          all_out[r][c] = fmaf(all_out[r][c], f.before, out[r][c] * f.added);
          out[r][c] = 0.0f;
        }
      }
    }
  }
  cp_async_wait<0>();  // of a block without keys

  using Columns = OutputColumns<Config::kWidth>;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = row_group() + r * kRowGroups;
    const float split_sum = warp_sum<kColumnThreads>(sum[r]);
    if (row >= tile.rows) continue;
    if (p.splits > 1) {
      const std::ptrdiff_t at = tile.partial_row(p) + row;
      if (column_thread() == 0) p.partial_state[at] = make_float2(max[r], split_sum);
#pragma unroll
      for (int c = 0; c < kColumns; ++c)
        if (Columns::column(c) < dim) p.partial_out[at * dim + Columns::column(c)] = out[r][c];
    } else {
      const float scale = all[r].normaliser();
      float* const to = static_cast<float*>(p.out) + row_offset(first_query + row, p.ldo) + tile.head * dim;
#pragma unroll
      for (int c = 0; c < kColumns; ++c)
        if (Columns::column(c) < dim) to[Columns::column(c)] = all_out[r][c] * scale;
      if (p.lse != nullptr && column_thread() == 0)
        p.lse[row_offset(first_query + row, p.heads) + tile.head] = all[r].log_sum_exp();
    }
  }
}

}  // namespace wam::WAM_GPU
