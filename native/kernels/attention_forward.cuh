#pragma once
// Attention forward on tensor cores. A block of four warps owns 64 query rows of one segment and head, 16 a warp, whose
// fragments stay in registers; tiles of keys and values pass through two stages of shared memory, the next on its way
// while the present one is multiplied, with one barrier a tile. Scores become weights in registers: the result of q k^T
// lies in lanes as the a operand of the product with v wants it.
//
// Registers at width 128: 32 of q, 64 of the output, 16 of scores. Shared memory is two stages of 2 kKeys rows (32 KiB
// at width 128, 16 at 32); the queries pass through the second stage before it is used, so registers, not shared memory,
// decide how many blocks fit.

#include "kernels/attention_tile.cuh"

namespace wam::WAM_GPU {

template <class Element_, int kWidth_>
struct AttentionForwardConfig {
  using Element = Element_;
  static constexpr int kWidth = kWidth_;  // head_dim at most
  static constexpr int kQueries = 16 * kMmaWarps, kKeys = kWidth <= 64 ? 64 : 32;
  static constexpr int kThreads = kMmaThreads;
  static constexpr int kBlocks = kWidth <= 64 ? 3 : 2;  // that registers must allow on a multiprocessor
  static constexpr int kTileValues = kKeys * kWidth, kStageValues = 2 * kTileValues;  // keys, then values
  static constexpr int kSharedBytes = 2 * kStageValues * 2;
  static_assert(kQueries * kWidth <= kStageValues, "the queries pass through a stage");
  static_assert(kSplitKeys % kKeys == 0);
};

/// Rows g and g+8 of a warp: largest score so far (unscaled; scale is positive) and this lane's part of the sum of
/// exp(scale * (score - max)).
struct SoftmaxRows {
  float max[2] = {kMinusInfinity, kMinusInfinity}, sum[2] = {0.0f, 0.0f};

  /// Scores become weights; before[h]: factor for what was summed before. A score beyond `visible[h]` counts nothing;
  /// `masked`: there may be some.
  template <int kTiles>
  WAM_DEVICE void add(float (&s)[kTiles][4], float scale_log2, bool masked, const int (&visible)[2],
                      float (&before)[2]) {
    const int first_column = static_cast<int>(threadIdx.x) % 4 * 2;
    if (masked) {
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e)
          if (8 * n + first_column + e % 2 >= visible[e / 2]) s[n][e] = kMinusInfinity;
      }
    }
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float top = max[h];
#pragma unroll
      for (int n = 0; n < kTiles; ++n) top = fmaxf(top, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
      top = warp_max<4>(top);
      const float base = top == kMinusInfinity ? 0.0f : top * scale_log2;
      before[h] = fast_exp2(fmaf(max[h], scale_log2, -base));
      max[h] = top;
      float total = 0.0f;
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
#pragma unroll
        for (int e = 2 * h; e < 2 * h + 2; ++e) {
          s[n][e] = fast_exp2(fmaf(s[n][e], scale_log2, -base));
          total += s[n][e];
        }
      }
      sum[h] = fmaf(sum[h], before[h], total);
    }
  }
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks)
    attention_forward(const __grid_constant__ AttentionParams p) {
  using T = typename Config::Element;
  if constexpr (has_mma<T>()) {
    constexpr int kWidth = Config::kWidth, kKeys = Config::kKeys;
    WAM_SHARED(memory);
    T* const stages = reinterpret_cast<T*>(memory);

    const QueryTile tile(p, Config::kQueries);
    if (tile.rows <= 0) return;  // the whole block
    const KeyList list(tile.segment);
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int first_query = tile.segment.q_begin + tile.begin;
    const int seen = list.visible(tile.begin + tile.rows - 1);
    const int begin = tile.split * kSplitKeys;
    const int end = p.splits > 1 ? smaller(seen, begin + kSplitKeys) : seen;

    const HeadRows<T> keys(p.k, p.ldk, tile.kv_head, p), values(p.v, p.ldv, tile.kv_head, p);
    const auto load_stage = [&](int t0, int stage) {
      T* const to = stages + stage * Config::kStageValues;
      const auto row = [&](int r) { return list.row(t0 + r); };
      load_tile<T, kKeys, kWidth>(to, keys, end - t0, row);
      load_tile<T, kKeys, kWidth>(to + Config::kTileValues, values, end - t0, row);
      cp_async_commit();
    };
    load_tile<T, Config::kQueries, kWidth>(stages + Config::kStageValues, HeadRows<T>(p.q, p.ldq, tile.head, p),
                                           tile.rows, [&](int r) { return first_query + r; });
    load_stage(begin, 0);
    cp_async_wait<0>();
    __syncthreads();
    std::uint32_t q[kWidth / 16][4];
#pragma unroll
    for (int step = 0; step < kWidth / 16; ++step)
      load_a<kWidth>(q[step], stages + Config::kStageValues, 16 * warp, step);
    __syncthreads();  // the second stage is free

    // This lane's rows, and what of the list they see.
    const int row0 = 16 * warp + lane / 4;
    const int visible_of_row[2] = {smaller(end, list.visible(tile.begin + row0)),
                                   smaller(end, list.visible(tile.begin + row0 + 8))};
    const int visible_of_warp = smaller(end, list.visible(tile.begin + 16 * warp));  // of all its rows
    const bool idle = 16 * warp >= tile.rows;  // no row of the warp exists: it only helps to load
    const float scale_log2 = p.scale * kLog2E;

    SoftmaxRows softmax;
    float out[kWidth / 8][4];
    clear(out);
    int stage = 0;
    for (int t0 = begin; t0 < end; t0 += kKeys, stage ^= 1) {
      if (t0 + kKeys < end) load_stage(t0 + kKeys, stage ^ 1);
      if (!idle) {
        const T* const key_tile = stages + stage * Config::kStageValues;
        float s[kKeys / 8][4];
        multiply_rows<T, kWidth>(s, q, key_tile);
        const int visible[2] = {visible_of_row[0] - t0, visible_of_row[1] - t0};
        float before[2];
        softmax.add(s, scale_log2, t0 + kKeys > visible_of_warp, visible, before);
#pragma unroll
        for (int c = 0; c < kWidth / 8; ++c) {
          out[c][0] *= before[0], out[c][1] *= before[0];
          out[c][2] *= before[1], out[c][3] *= before[1];
        }
        add_weighted_rows<T, kWidth>(out, s, key_tile + Config::kTileValues);
      }
      cp_async_wait<0>();
      __syncthreads();  // the next tile is here, and all have done with this one
    }

    const int column0 = lane % 4 * 2;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = row0 + 8 * h;
      SoftmaxState state;
      state.max = softmax.max[h] * p.scale, state.sum = warp_sum<4>(softmax.sum[h]);
      if (row >= tile.rows) continue;
      const std::ptrdiff_t query = first_query + row, partial = tile.partial_row(p) + row;
      const float scale = p.splits > 1 ? 1.0f : state.normaliser();
#pragma unroll
      for (int c = 0; c < kWidth / 8; ++c) {
        const int column = 8 * c + column0;
        if (column >= p.head_dim) continue;
        const float left = out[c][2 * h] * scale, right = out[c][2 * h + 1] * scale;
        if (p.splits == 1 && p.half_storage) {
          T* const to = static_cast<T*>(p.out) + query * p.ldo + tile.head * p.head_dim + column;
          *reinterpret_cast<std::uint32_t*>(to) = pack2<T>(left, right);
        } else {
          float* const to = p.splits > 1 ? p.partial_out + partial * p.head_dim + column
                                         : static_cast<float*>(p.out) + query * p.ldo + tile.head * p.head_dim + column;
          to[0] = left, to[1] = right;
        }
      }
      if (lane % 4 != 0) continue;
      if (p.splits > 1) {
        p.partial_state[partial] = make_float2(state.max, state.sum);
      } else if (p.lse != nullptr) {
        p.lse[query * p.heads + tile.head] = state.log_sum_exp();
      }
    }
  }
}

}  // namespace wam::WAM_GPU
