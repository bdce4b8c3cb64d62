#pragma once
// Attention backward in float (formulas: attention_backward_common.cuh). Both kernels hold one tile of rows for good and
// let tiles of the other side pass through; the copy of the next tile runs while the last product on the present one is
// computed.

#include "kernels/attention_backward_common.cuh"
#include "kernels/attention_fp32_tile.cuh"

namespace wam::WAM_GPU {

/// Tile sizes by width, so that four tiles and the weights of both products fit into 64 KiB.
template <int kWidth_>
struct AttentionFp32BackwardConfig {
  static constexpr int kWidth = kWidth_;  // head_dim at most
  static constexpr int kThreads = kFp32Threads;
  static constexpr int kBlocks = 2;  // that registers must allow on a multiprocessor; more would spill
  static constexpr int kOwned = kWidth == 32 ? 64 : kWidth == 256 ? 8 : 32;  // rows that stay
  static constexpr int kPassing = kWidth <= 64 ? 32 : 16;                    // rows that pass through
  static constexpr int kRowsOfThread = kOwned / kRowGroups, kScoresOfThread = kPassing / kColumnThreads;
  static constexpr int kColumns = kWidth / kColumnThreads;
  static constexpr int kStride = kWidth + 4, kWeightStride = kPassing + 4;
  // floats: two tiles that stay, two that pass, weights of the two products
  static constexpr int kOwnedFloats = kOwned * kStride, kPassingFloats = kPassing * kStride;
  static constexpr int kWeightFloats = kOwned * kWeightStride;
  static constexpr int kPassingAt = 2 * kOwnedFloats, kWeightAt = kPassingAt + 2 * kPassingFloats;
  static constexpr int kSharedBytes = (kWeightAt + 2 * kWeightFloats) * 4;
  static_assert(kSharedBytes <= 64 * 1024, "what a block of compute capability 7.5 may have");
};

/// dq of kOwned query rows of a segment and head. Keys and values pass.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks)
    attention_fp32_dq(const __grid_constant__ AttentionBackwardParams p) {
  constexpr int kRows = Config::kRowsOfThread, kScores = Config::kScoresOfThread, kColumns = Config::kColumns;
  WAM_SHARED(memory);
  float* const shared = reinterpret_cast<float*>(memory);
  float *const queries = shared, *const douts = shared + Config::kOwnedFloats;
  float *const keys = shared + Config::kPassingAt, *const values = keys + Config::kPassingFloats;
  float* const weights = shared + Config::kWeightAt;

  const AttentionParams& a = p.forward;
  const QueryTile tile(a, Config::kOwned);
  if (tile.rows <= 0) return;  // the whole block
  const KeyList list(tile.segment);
  const int dim = a.head_dim, end = list.visible(tile.begin + tile.rows - 1);
  const int first_query = tile.segment.q_begin + tile.begin;
  const auto copy_queries = [&](float* to, const void* x, int ld) {
    copy_rows<Config::kOwned, Config::kWidth>(to, static_cast<const float*>(x) + tile.head * dim, ld, dim, a.vector,
                                              tile.rows, [&](int r) { return first_query + r; });
  };
  const auto copy_keys = [&](float* to, const void* x, int ld, int t0) {
    copy_rows<Config::kPassing, Config::kWidth>(to, static_cast<const float*>(x) + tile.kv_head * dim, ld, dim,
                                                a.vector, end - t0, [&](int r) { return list.row(t0 + r); });
    cp_async_commit();
  };
  copy_queries(queries, a.q, a.ldq);
  copy_queries(douts, p.dout, p.lddo);
  copy_keys(values, a.v, a.ldv, 0);
  copy_keys(keys, a.k, a.ldk, 0);

  float lse[kRows], delta[kRows], dq[kRows][kColumns];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = row_group() + r * kRowGroups;
    const bool valid = row < tile.rows;
    const std::ptrdiff_t at = row_offset(tile.segment_index, a.max_queries) + tile.begin + row;
    lse[r] = valid ? a.lse[row_offset(first_query + row, a.heads) + tile.head] : 0.0f;
    delta[r] = valid ? p.delta[at * a.heads + tile.head] : 0.0f;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) dq[r][c] = 0.0f;
  }

  for (int t0 = 0; t0 < end; t0 += Config::kPassing) {
    float dscore[kRows][kScores], score[kRows][kScores];
    cp_async_wait<1>();
    __syncthreads();  // queries, dout and values are here
    dot_rows<Config::kStride>(dscore, douts, values, dim);
    cp_async_wait<0>();
    __syncthreads();  // keys as well
    dot_rows<Config::kStride>(score, queries, keys, dim);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int row = row_group() + r * kRowGroups, visible = list.visible(tile.begin + row) - t0;
#pragma unroll
      for (int c = 0; c < kScores; ++c) {
        const int key = column_thread() + c * kColumnThreads;
        const float weight = key < visible && row < tile.rows ? expf(fmaf(score[r][c], a.scale, -lse[r])) : 0.0f;
        weights[row * Config::kWeightStride + key] = weight * (dscore[r][c] - delta[r]) * a.scale;
      }
    }
    __syncthreads();  // the weights are here, and all have done with the values
    const int next = t0 + Config::kPassing;
    if (next < end) copy_keys(values, a.v, a.ldv, next);
    add_weighted_rows<Config::kWidth, Config::kPassing>(dq, weights, keys);
    __syncthreads();  // all have done with the keys and the weights
    if (next < end) copy_keys(keys, a.k, a.ldk, next);
  }
  cp_async_wait<0>();  // of a block without keys

#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = row_group() + r * kRowGroups;
    float* const to = p.dq + row_offset(first_query + row, p.lddq) + tile.head * dim;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int column = OutputColumns<Config::kWidth>::column(c);
      if (row < tile.rows && column < dim) to[column] = dq[r][c];
    }
  }
}

/// Adds to dq the part of it that this block's keys make: dscores is [kOwned keys][kPassing queries].
template <class Config>
WAM_DEVICE void add_dq_fp32(const AttentionBackwardParams& p, const QueryWalk<Config::kPassing>& at,
                            const float* dscores, const float* keys) {
  float dq[Config::kPassing / kRowGroups][Config::kColumns] = {};
#pragma unroll 1
  for (int key = 0; key < Config::kOwned; ++key) {
    float k[Config::kColumns];
    load_columns<Config::kWidth>(k, keys + key * Config::kStride);
#pragma unroll
    for (int r = 0; r < Config::kPassing / kRowGroups; ++r) {
      const float weight = dscores[key * Config::kWeightStride + row_group() + r * kRowGroups];
#pragma unroll
      for (int c = 0; c < Config::kColumns; ++c) dq[r][c] = fmaf(weight, k[c], dq[r][c]);
    }
  }
#pragma unroll
  for (int r = 0; r < Config::kPassing / kRowGroups; ++r) {
    const int row = row_group() + r * kRowGroups;
    float* const to = p.dq + row_offset(at.query_row() + row, p.lddq) + at.head * p.forward.head_dim;
#pragma unroll
    for (int c = 0; c < Config::kColumns; ++c) {
      const int column = OutputColumns<Config::kWidth>::column(c);
      if (row < at.rows() && column < p.forward.head_dim) atomicAdd(to + column, dq[r][c]);
    }
  }
}

/// dk and dv of kOwned keys of a key range and head, over the query heads that share it. Queries and dout pass.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks)
    attention_fp32_dkdv(const __grid_constant__ AttentionBackwardParams p) {
  constexpr int kRows = Config::kRowsOfThread, kScores = Config::kScoresOfThread, kColumns = Config::kColumns;
  WAM_SHARED(memory);
  float* const shared = reinterpret_cast<float*>(memory);
  float *const keys = shared, *const values = shared + Config::kOwnedFloats;
  float *const queries = shared + Config::kPassingAt, *const douts = queries + Config::kPassingFloats;
  float *const weights = shared + Config::kWeightAt, *const dscores = weights + Config::kWeightFloats;

  const AttentionParams& a = p.forward;
  const KeyTile tile(p, Config::kOwned);
  if (tile.rows <= 0) return;  // the whole block
  const int dim = a.head_dim;
  const auto copy_keys = [&](float* to, const void* x, int ld) {
    copy_rows<Config::kOwned, Config::kWidth>(to, static_cast<const float*>(x) + tile.kv_head * dim, ld, dim, a.vector,
                                              tile.rows, [&](int r) { return tile.begin + r; });
  };
  const auto copy_queries = [&](float* to, const void* x, int ld, const QueryWalk<Config::kPassing>& at) {
    copy_rows<Config::kPassing, Config::kWidth>(to, static_cast<const float*>(x) + at.head * dim, ld, dim, a.vector,
                                                at.rows(), [&](int r) { return at.query_row() + r; });
    cp_async_commit();
  };
  QueryWalk<Config::kPassing> at(p, tile);
  if (at.done()) return;  // the whole block: no query sees these keys
  copy_keys(keys, a.k, a.ldk);
  copy_keys(values, a.v, a.ldv);
  copy_queries(douts, p.dout, p.lddo, at);
  copy_queries(queries, a.q, a.ldq, at);

  float dk[kRows][kColumns], dv[kRows][kColumns];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
#pragma unroll
    for (int c = 0; c < kColumns; ++c) dk[r][c] = dv[r][c] = 0.0f;
  }

  while (!at.done()) {
    float dscore[kRows][kScores], score[kRows][kScores];
    cp_async_wait<1>();
    __syncthreads();  // keys, values and dout are here
    dot_rows<Config::kStride>(dscore, values, douts, dim);
    cp_async_wait<0>();
    __syncthreads();  // queries as well
    dot_rows<Config::kStride>(score, keys, queries, dim);
    const AttentionSegment segment = at.segment();
#pragma unroll
    for (int c = 0; c < kScores; ++c) {
      const int query = column_thread() + c * kColumnThreads;
      const bool valid = query < at.rows();
      const float lse = valid ? a.lse[row_offset(at.query_row() + query, a.heads) + at.head] : 0.0f;
      const float delta = valid ? p.delta[(at.delta_row() + query) * a.heads + at.head] : 0.0f;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const int row = row_group() + r * kRowGroups;
        const bool seen = valid && row < tile.rows && at.begin + query >= first_query_of_key(segment, tile.begin + row);
        const float weight = seen ? expf(fmaf(score[r][c], a.scale, -lse)) : 0.0f;
        weights[row * Config::kWeightStride + query] = weight;
        dscores[row * Config::kWeightStride + query] = weight * (dscore[r][c] - delta) * a.scale;
      }
    }
    __syncthreads();  // the weights are here
    add_weighted_rows<Config::kWidth, Config::kPassing>(dv, weights, douts);
    if (p.atomic_dq) add_dq_fp32<Config>(p, at, dscores, keys);
    __syncthreads();  // all have done with dout
    QueryWalk<Config::kPassing> next = at;
    next.next();
    if (!next.done()) copy_queries(douts, p.dout, p.lddo, next);
    add_weighted_rows<Config::kWidth, Config::kPassing>(dk, dscores, queries);
    __syncthreads();  // all have done with queries and weights
    if (!next.done()) copy_queries(queries, a.q, a.ldq, next);
    at = next;
  }

#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = row_group() + r * kRowGroups;
    const std::ptrdiff_t key = tile.begin + row;
    float* const to_dk = p.dk + key * p.lddk + tile.kv_head * dim;
    float* const to_dv = p.dv + key * p.lddv + tile.kv_head * dim;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int column = OutputColumns<Config::kWidth>::column(c);
      if (row < tile.rows && column < dim) to_dk[column] += dk[r][c], to_dv[column] += dv[r][c];
    }
  }
}

}  // namespace wam::WAM_GPU
