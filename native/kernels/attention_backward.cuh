#pragma once
// dk and dv on tensor cores (formulas: attention_backward_common.cuh). A block of four warps owns 64 keys of a key range
// and head, 16 a warp; the query rows of all segments and heads that see them pass through two stages of shared memory.
// Scores are computed transposed, [keys][queries], so that weights and their gradients lie in lanes as the a operands
// that the products with dout and q want.
//
// Registers at width 128: 128 of dk and dv, 16 of scores and gradients. Shared memory there: 32 KiB of keys and values,
// 16 KiB of stages (16 queries each), 2 KiB of gradients for dq; so two blocks fit on a multiprocessor of 100 KiB.

#include "kernels/attention_backward_common.cuh"
#include "kernels/attention_tile.cuh"

namespace wam::WAM_GPU {

template <class Element_, int kWidth_>
struct AttentionBackwardKeyConfig {
  using Element = Element_;
  static constexpr int kWidth = kWidth_;  // head_dim at most
  static constexpr int kKeys = 16 * kMmaWarps, kQueries = kWidth == 128 ? 16 : 32;
  static constexpr int kThreads = kMmaThreads;
  static constexpr int kBlocks = kWidth == 32 ? 3 : 2;  // that registers must allow on a multiprocessor
  // values: keys and values that stay, two stages of queries and dout, gradients of scores [kQueries][kKeys]
  static constexpr int kKeyValues = kKeys * kWidth, kQueryValues = kQueries * kWidth;
  static constexpr int kStageAt = 2 * kKeyValues, kStageValues = 2 * kQueryValues;
  static constexpr int kGradientAt = kStageAt + 2 * kStageValues;
  static constexpr int kSharedBytes = (kGradientAt + kQueries * kKeys) * 2;
  static_assert(kSharedBytes <= 64 * 1024, "what a block of compute capability 7.5 may have");
};

/// Leaves this warp's gradients of scores, [16 keys][kQueries], as rows of queries of a tile [kQueries][kKeys].
template <class T, int kKeys, int kTiles>
WAM_DEVICE void store_transposed(T* tile, const float (&ds)[kTiles][4], int warp, int lane) {
#pragma unroll
  for (int n = 0; n < kTiles; ++n) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int query = 8 * n + lane % 4 * 2 + e % 2;  // the key is lane/4 of the warp's first or second eight
      chunk_at<kKeys>(tile, query, 2 * warp + e / 2)[lane / 4] = from_float<T>(ds[n][e]);
    }
  }
}

/// Adds to dq what this block's keys make of it: ds [kQueries][kKeys] k [kKeys][kWidth]. Columns are dealt out to warps.
template <class Config>
WAM_DEVICE void add_dq(const AttentionBackwardParams& p, const QueryWalk<Config::kQueries>& at,
                       const typename Config::Element* ds, const typename Config::Element* keys, int warp, int lane) {
  using T = typename Config::Element;
#pragma unroll 1
  for (int n = 2 * warp; n < Config::kWidth / 8; n += 2 * kMmaWarps) {
    float dq[Config::kQueries / 16][2][4] = {};
#pragma unroll
    for (int step = 0; step < Config::kKeys / 16; ++step) {
      std::uint32_t b[2][2];
      load_b_of_columns<Config::kWidth>(b, keys, 16 * step, n / 2);
#pragma unroll
      for (int m = 0; m < Config::kQueries / 16; ++m) {
        std::uint32_t a[4];
        load_a<Config::kKeys>(a, ds, 16 * m, step);
        mma_16816<T>(dq[m][0], a, b[0]);
        mma_16816<T>(dq[m][1], a, b[1]);
      }
    }
#pragma unroll
    for (int m = 0; m < Config::kQueries / 16; ++m) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int row = 16 * m + lane / 4 + i % 4 / 2 * 8, column = 8 * (n + i / 4) + lane % 4 * 2 + i % 2;
        if (row < at.rows() && column < p.forward.head_dim)
          atomicAdd(p.dq + row_offset(at.query_row() + row, p.lddq) + at.head * p.forward.head_dim + column,
                    dq[m][i / 4][i % 4] * p.forward.scale);
      }
    }
  }
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks)
    attention_backward_dkdv(const __grid_constant__ AttentionBackwardParams p) {
  using T = typename Config::Element;
  if constexpr (has_mma<T>()) {
    constexpr int kWidth = Config::kWidth, kQueries = Config::kQueries;
    WAM_SHARED(memory);
    T* const keys = reinterpret_cast<T*>(memory);
    T *const values = keys + Config::kKeyValues, *const stages = keys + Config::kStageAt;
    T* const gradients = keys + Config::kGradientAt;

    const AttentionParams& a = p.forward;
    const KeyTile tile(p, Config::kKeys);
    if (tile.rows <= 0) return;  // the whole block
    QueryWalk<kQueries> at(p, tile);
    if (at.done()) return;  // the whole block: no query sees these keys
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;

    const auto load_stage = [&](const QueryWalk<kQueries>& of, int stage) {
      T* const to = stages + stage * Config::kStageValues;
      const auto row = [&](int r) { return of.query_row() + r; };
      load_tile<T, kQueries, kWidth>(to, HeadRows<T>(a.q, a.ldq, of.head, a), of.rows(), row);
      load_tile<T, kQueries, kWidth>(to + Config::kQueryValues, HeadRows<T>(p.dout, p.lddo, of.head, a), of.rows(),
                                     row);
      cp_async_commit();
    };
    const auto key_row = [&](int r) { return tile.begin + r; };
    load_tile<T, Config::kKeys, kWidth>(keys, HeadRows<T>(a.k, a.ldk, tile.kv_head, a), tile.rows, key_row);
    load_tile<T, Config::kKeys, kWidth>(values, HeadRows<T>(a.v, a.ldv, tile.kv_head, a), tile.rows, key_row);
    load_stage(at, 0);

    const int key0 = tile.begin + 16 * warp + lane / 4, column0 = lane % 4 * 2;  // this lane's keys: key0 and 8 on
    const bool exists[2] = {16 * warp + lane / 4 < tile.rows, 16 * warp + lane / 4 + 8 < tile.rows};
    const float scale_log2 = a.scale * kLog2E;
    float dk[kWidth / 8][4], dv[kWidth / 8][4];
    clear(dk);
    clear(dv);
    cp_async_wait<0>();
    __syncthreads();
    int stage = 0;
    while (!at.done()) {
      QueryWalk<kQueries> next = at;
      next.next();
      if (!next.done()) load_stage(next, stage ^ 1);
      const T* const queries = stages + stage * Config::kStageValues;
      const T* const douts = queries + Config::kQueryValues;
      float s[kQueries / 8][4], ds[kQueries / 8][4];
      multiply_rows<T, kWidth>(s, keys, 16 * warp, queries);
      multiply_rows<T, kWidth>(ds, values, 16 * warp, douts);
      const int rows = at.rows();
      const AttentionSegment segment = at.segment();
      const int first[2] = {exists[0] ? first_query_of_key(segment, key0) : segment.q_rows,
                            exists[1] ? first_query_of_key(segment, key0 + 8) : segment.q_rows};
#pragma unroll
      for (int n = 0; n < kQueries / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int query = 8 * n + column0 + e;
          const bool valid = query < rows;
          const float lse = valid ? a.lse[row_offset(at.query_row() + query, a.heads) + at.head] * kLog2E : 0.0f;
          const float delta = valid ? p.delta[(at.delta_row() + query) * a.heads + at.head] : 0.0f;
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            const bool seen = valid && at.begin + query >= first[h];
            float& weight = s[n][2 * h + e];
            weight = seen ? fast_exp2(fmaf(weight, scale_log2, -lse)) : 0.0f;
            ds[n][2 * h + e] = weight * (ds[n][2 * h + e] - WAM_PLANT(8, delta, 0.0f));
          }
        }
      }
      add_weighted_rows<T, kWidth>(dv, s, douts);
      add_weighted_rows<T, kWidth>(dk, ds, queries);
      if (p.atomic_dq) {
        store_transposed<T, Config::kKeys>(gradients, ds, warp, lane);
        __syncthreads();  // the gradients are here
        add_dq<Config>(p, at, gradients, keys, warp, lane);
      }
      cp_async_wait<0>();
      if (WAM_PLANT(7, true, false)) __syncthreads();  // the next tile is here, and all have done with this one
      at = next, stage ^= 1;
    }

#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (!exists[h]) continue;
      const std::ptrdiff_t key = key0 + 8 * h;
      float* const to_dk = p.dk + key * p.lddk + tile.kv_head * a.head_dim + column0;
      float* const to_dv = p.dv + key * p.lddv + tile.kv_head * a.head_dim + column0;
#pragma unroll
      for (int c = 0; c < kWidth / 8; ++c) {
        if (8 * c + column0 >= a.head_dim) continue;
        to_dk[8 * c] += dk[c][2 * h] * a.scale, to_dk[8 * c + 1] += dk[c][2 * h + 1] * a.scale;
        to_dv[8 * c] += dv[c][2 * h], to_dv[8 * c + 1] += dv[c][2 * h + 1];
      }
    }
  }
}

}  // namespace wam::WAM_GPU
