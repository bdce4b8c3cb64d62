#pragma once
// dq on tensor cores (formulas: attention_backward_common.cuh). A block of four warps owns 64 query rows, 16 a warp, with
// the fragments of q and dout in registers; keys and values pass through two stages of shared memory as in the forward
// kernel. Registers at width 128: 64 of q and dout, 64 of dq, 32 of scores and their gradients.

#include "kernels/attention_backward_common.cuh"
#include "kernels/attention_tile.cuh"

namespace wam::WAM_GPU {

template <class Element_, int kWidth_>
struct AttentionBackwardQueryConfig {
  using Element = Element_;
  static constexpr int kWidth = kWidth_;  // head_dim at most
  static constexpr int kQueries = 16 * kMmaWarps, kKeys = 32;
  static constexpr int kThreads = kMmaThreads;
  static constexpr int kBlocks = kWidth <= 64 ? 3 : 2;  // that registers must allow on a multiprocessor
  static constexpr int kTileValues = kKeys * kWidth, kStageValues = 2 * kTileValues;  // keys, then values
  static constexpr int kSharedBytes = 2 * kStageValues * 2;
  static_assert(2 * kQueries * kWidth <= 2 * kStageValues, "q and dout pass through the stages");
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks)
    attention_backward_dq(const __grid_constant__ AttentionBackwardParams p) {
  using T = typename Config::Element;
  if constexpr (has_mma<T>()) {
    constexpr int kWidth = Config::kWidth, kKeys = Config::kKeys;
    WAM_SHARED(memory);
    T* const stages = reinterpret_cast<T*>(memory);

    const AttentionParams& a = p.forward;
    const QueryTile tile(a, Config::kQueries);
    if (tile.rows <= 0) return;  // the whole block
    const KeyList list(tile.segment);
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int first_query = tile.segment.q_begin + tile.begin;
    const int end = list.visible(tile.begin + tile.rows - 1);

    std::uint32_t q[kWidth / 16][4], dout[kWidth / 16][4];
    const auto query_row = [&](int r) { return first_query + r; };
    T* const dout_tile = stages + Config::kQueries * kWidth;
    load_tile<T, Config::kQueries, kWidth>(stages, HeadRows<T>(a.q, a.ldq, tile.head, a), tile.rows, query_row);
    load_tile<T, Config::kQueries, kWidth>(dout_tile, HeadRows<T>(p.dout, p.lddo, tile.head, a), tile.rows, query_row);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kWidth / 16; ++step) {
      load_a<kWidth>(q[step], stages, 16 * warp, step);
      load_a<kWidth>(dout[step], dout_tile, 16 * warp, step);
    }
    __syncthreads();  // the stages are free

    const HeadRows<T> keys(a.k, a.ldk, tile.kv_head, a), values(a.v, a.ldv, tile.kv_head, a);
    const auto load_stage = [&](int t0, int stage) {
      T* const to = stages + stage * Config::kStageValues;
      const auto row = [&](int r) { return list.row(t0 + r); };
      load_tile<T, kKeys, kWidth>(to, keys, end - t0, row);
      load_tile<T, kKeys, kWidth>(to + Config::kTileValues, values, end - t0, row);
      cp_async_commit();
    };
    load_stage(0, 0);

    // This lane's rows g and g+8: what they see, and the constants of their scores. A row that does not exist sees none.
    int visible[2];
    float lse_log2[2], delta[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = 16 * warp + lane / 4 + 8 * h;
      const bool valid = row < tile.rows;
      const std::ptrdiff_t at = row_offset(tile.segment_index, a.max_queries) + tile.begin + row;
      visible[h] = valid ? list.visible(tile.begin + row) : 0;
      lse_log2[h] = valid ? a.lse[row_offset(first_query + row, a.heads) + tile.head] * kLog2E : 0.0f;
      delta[h] = valid ? p.delta[at * a.heads + tile.head] : 0.0f;
    }
    const bool idle = 16 * warp >= tile.rows;  // no row of the warp exists: it only helps to load
    const float scale_log2 = a.scale * kLog2E;
    const int column0 = lane % 4 * 2;

    float dq[kWidth / 8][4];
    clear(dq);
    cp_async_wait<0>();
    __syncthreads();
    int stage = 0;
    for (int t0 = 0; t0 < end; t0 += kKeys, stage ^= 1) {
      if (t0 + kKeys < end) load_stage(t0 + kKeys, stage ^ 1);
      if (!idle) {
        const T* const key_tile = stages + stage * Config::kStageValues;
        float s[kKeys / 8][4], ds[kKeys / 8][4];
        multiply_rows<T, kWidth>(s, q, key_tile);
        multiply_rows<T, kWidth>(ds, dout, key_tile + Config::kTileValues);
#pragma unroll
        for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const bool seen = t0 + 8 * n + column0 + e % 2 < visible[e / 2];
            const float weight = seen ? fast_exp2(fmaf(s[n][e], scale_log2, -lse_log2[e / 2])) : 0.0f;
            ds[n][e] = weight * (ds[n][e] - delta[e / 2]);
          }
        }
        add_weighted_rows<T, kWidth>(dq, ds, key_tile);
      }
      cp_async_wait<0>();
      __syncthreads();  // the next tile is here, and all have done with this one
    }

#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = 16 * warp + lane / 4 + 8 * h;
      if (row >= tile.rows) continue;
      float* const to = p.dq + row_offset(first_query + row, p.lddq) + tile.head * a.head_dim + column0;
#pragma unroll
      for (int c = 0; c < kWidth / 8; ++c) {
        if (8 * c + column0 >= a.head_dim) continue;
        to[8 * c] = dq[c][2 * h] * a.scale, to[8 * c + 1] = dq[c][2 * h + 1] * a.scale;
      }
    }
  }
}

}  // namespace wam::WAM_GPU
