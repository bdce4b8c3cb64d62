#pragma once
// Lower bounds of the distances between queries and groups of 16 tokens, by tensor cores. They decide which groups
// cannot hold the nearest token; what is left is measured in float (token_lookup.cuh). 1,024 queries x 20,001 tokens x
// 64 dimensions are 2.6 GFLOP: 16 us on an RTX 4090's tensor cores, 64 us as differences and multiply-adds in float.
//
// The bound. x^ is the f16 copy of a row x = s_x x^ + r_x, with |r_x| <= rest_x (measured, about 0.4 * 2^-11 |x|). Then
//   q.e = s_q s_e q^.e^ + r_q.e + s_q q^.r_e,  |r_q.e| <= rest_q |e|,  |s_q q^.r_e| <= (|q| + rest_q) rest_e.
// The tensor core's sum differs from q^.e^ by at most k |q^| |e^|: products of f16 are exact, and each step over 16
// dimensions adds 17 numbers with at most 32 units of 2^-23 of the sum of magnitudes lost, truncating or not, which
// Cauchy-Schwarz bounds; hence k = 2^-22 width, and 2^-20 for the float operations below. So
//   |q - e|^2 >= |q|^2 + |e|^2 - 2 s_q s_e sum - A |e| - B rest_e,  A = 2 (rest_q + k (|q| + rest_q)),
//                                                                   B = 2 (1 + k) (|q| + rest_q).
// f16 rather than bf16, whatever the precision of the models: its rest is an eighth, so the groups left are fewer, the
// rate is the same, and scaling by the row's largest element gives it the range. Real tables leave many groups: tokens
// of numbers lie along a curve, 1e-4 apart, and the bound is off by about 1e-3, so some 600 of 20,001 tokens are left.

#include "kernels/device.cuh"
#include "kernels/token_norms.cuh"

namespace wam::WAM_GPU {

inline constexpr int kBoundGroup = 16;  // tokens of one bound

struct TokenBoundsParams {
  const f16* query = nullptr;             // [rows, width]
  const RowStats* query_stats = nullptr;  // [rows]
  const f16* table = nullptr;             // [tokens, width]
  const RowStats* table_stats = nullptr;  // [tokens, up to a multiple of kTokens]
  int rows = 0;
  int tokens = 0;
  int width = 0;            // a multiple of kSlice
  int tiles_per_block = 0;  // of kTokens tokens; block y takes the tiles from y * tiles_per_block
  float* bound = nullptr;   // [rows, ldb] of tokens [16 j, 16 j + 16)
  int ldb = 0;
};

/// Four warps, two by two, of 32 queries x 64 tokens each: 16 mma for 6 ldmatrix. Two stages of 12 KiB and 5 KiB beside
/// them let three blocks share a multiprocessor (two on compute capability 7.5), which hides the barrier of a slice.
struct TokenBoundsConfig {
  static constexpr int kThreads = 128;
  static constexpr int kQueries = 64, kTokens = 128, kSlice = 32;
  static constexpr int kWarpQueries = 32, kWarpTokens = 64;
  static constexpr int kStages = 2;
  static constexpr int kRowBytes = kSlice * 2, kChunks = kRowBytes / 16;
  static constexpr int kQueryBytes = kQueries * kRowBytes, kTokenBytes = kTokens * kRowBytes;
  static constexpr int kQueryAt = 0;
  static constexpr int kTokenAt = kQueryAt + kStages * kQueryBytes;
  static constexpr int kTokenStatsAt = kTokenAt + kStages * kTokenBytes;  // two tiles in turn
  static constexpr int kQueryTermsAt = kTokenStatsAt + 2 * kTokens * 16;
  static constexpr int kSharedBytes = kQueryTermsAt + kQueries * 16;
};

/// Where 16-byte chunk c of a row of four lies: eight rows of one chunk are in different banks.
WAM_DEVICE int slice_chunk(int row, int chunk) { return row * 64 + ((chunk ^ (row >> 1 & 3)) * 16); }

/// Tokens are laid out so that the 16 columns of a fragment that one lane holds, (2q, 2q+1) of eight mma, are 16 tokens
/// in a row: token 16 q + 2 j + h of 64 is column 2 q + h of mma j. Then a bound needs no shuffle.
WAM_DEVICE int token_slot(int token) {
  return (token & ~63) | (token >> 1 & 7) << 3 | (token >> 4 & 3) << 1 | (token & 1);
}
/// The four lanes of a row read tokens 16 apart at once: in different banks.
WAM_DEVICE int stats_slot(int token) { return token ^ (token >> 4 & 3); }

/// Queues the copies of one slice of both operands, and the tokens' stats with the first slice of a tile.
template <class Config>
WAM_DEVICE void load_slice(const TokenBoundsParams& p, unsigned char* shared, int stage, int first_query, int tile,
                           int slice) {
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int i = 0; i < Config::kQueries * Config::kChunks / Config::kThreads; ++i) {
    const int at = thread + i * Config::kThreads, row = at / Config::kChunks, chunk = at % Config::kChunks;
    const int query = first_query + row;
    const bool valid = query < p.rows;
    cp_async16(shared + Config::kQueryAt + stage * Config::kQueryBytes + slice_chunk(row, chunk),
               p.query + static_cast<std::int64_t>(valid ? query : 0) * p.width + slice * Config::kSlice + chunk * 8,
               valid);
  }
#pragma unroll
  for (int i = 0; i < Config::kTokens * Config::kChunks / Config::kThreads; ++i) {
    const int at = thread + i * Config::kThreads, row = at / Config::kChunks, chunk = at % Config::kChunks;
    const int token = tile * Config::kTokens + row;
    const bool valid = token < p.tokens;
    cp_async16(shared + Config::kTokenAt + stage * Config::kTokenBytes + slice_chunk(token_slot(row), chunk),
               p.table + static_cast<std::int64_t>(valid ? token : 0) * p.width + slice * Config::kSlice + chunk * 8,
               valid);
  }
  if (slice == 0) {
    static_assert(Config::kTokens == Config::kThreads);
    cp_async16(shared + Config::kTokenStatsAt + (tile % 2 * Config::kTokens + stats_slot(thread)) * 16,
               p.table_stats + static_cast<std::int64_t>(tile) * Config::kTokens + thread);
  }
  cp_async_commit();
}

/// The bound less |q|^2: `query` is (-2 s_q, -A, -B, .), `token` its RowStats.
WAM_DEVICE float bound_of(float4 query, float4 token, float product) {
  return fmaf(query.z, token.w, fmaf(query.y, token.z, fmaf(query.x, token.y * product, token.x)));
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, 3) token_bounds(const __grid_constant__ TokenBoundsParams p) {
  WAM_SHARED(shared);
  constexpr int kM = Config::kWarpQueries / 16, kN = Config::kWarpTokens / 8;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int warp_query = warp / 2 * Config::kWarpQueries, warp_token = warp % 2 * Config::kWarpTokens;
  const int first_query = static_cast<int>(blockIdx.x) * Config::kQueries;
  const int tiles = (p.tokens + Config::kTokens - 1) / Config::kTokens;
  const int begin_tile = static_cast<int>(blockIdx.y) * p.tiles_per_block;
  const int end_tile = begin_tile + p.tiles_per_block < tiles ? begin_tile + p.tiles_per_block : tiles;
  const int slices = p.width / Config::kSlice;
  const int steps = (end_tile - begin_tile) * slices;

  // (-2 s_q, -A, -B, |q|^2) of the block's queries.
  auto* query_terms = reinterpret_cast<float4*>(shared + Config::kQueryTermsAt);
  if (thread < Config::kQueries) {
    RowStats s = {0, 0, 0, 0};
    if (first_query + thread < p.rows) s = p.query_stats[first_query + thread];
    const float lost = static_cast<float>(p.width) * 2.3841858e-7f + 9.5367432e-7f;
    const float size = (s.norm + s.rest) * 1.0000153f;  // 1 + 2^-16, for the roundings of these lines
    query_terms[thread] =
        make_float4(-2 * s.scale, -2.0000306f * (s.rest + lost * size), -2 * (1 + lost) * size, s.square);
  }
  if (steps > 0) load_slice<Config>(p, shared, 0, first_query, begin_tile, 0);

  float sum[kM][kN][4] = {};
  for (int step = 0; step < steps; ++step) {
    const int stage = step % Config::kStages, slice = step % slices, tile = begin_tile + step / slices;
    cp_async_wait<0>();
    __syncthreads();  // this slice is there, and the other stage has been read by all
    if (step + 1 < steps) {
      load_slice<Config>(p, shared, (step + 1) % Config::kStages, first_query, begin_tile + (step + 1) / slices,
                         (step + 1) % slices);
    }
    const unsigned char* queries = shared + Config::kQueryAt + stage * Config::kQueryBytes;
    const unsigned char* tokens = shared + Config::kTokenAt + stage * Config::kTokenBytes;
#pragma unroll
    for (int k = 0; k < Config::kSlice / 16; ++k) {
      std::uint32_t a[kM][4];
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        ldmatrix_x4(a[m], queries + slice_chunk(warp_query + 16 * m + lane % 16, 2 * k + lane / 16));
      }
#pragma unroll
      for (int n = 0; n < kN; n += 2) {
        std::uint32_t pair[4];
        ldmatrix_x4(pair, tokens + slice_chunk(warp_token + 8 * (n + lane / 16) + lane % 8, 2 * k + lane / 8 % 2));
        const std::uint32_t b[2][2] = {{pair[0], pair[1]}, {pair[2], pair[3]}};
#pragma unroll
        for (int m = 0; m < kM; ++m) {
          mma_16816<f16>(sum[m][n], a[m], b[0]);
          mma_16816<f16>(sum[m][n + 1], a[m], b[1]);
        }
      }
    }
    if (slice + 1 < slices) continue;

    // The stats of the next tile may be on their way already, into the other half.
    const auto* stats = reinterpret_cast<const float4*>(shared + Config::kTokenStatsAt) + tile % 2 * Config::kTokens;
    const int row = lane / 4, group = lane % 4;
#pragma unroll
    for (int m = 0; m < kM; ++m) {  // one at a time: the terms of all rows at once would not fit 128 registers
      const int local = warp_query + 16 * m + row, query = first_query + local;
      const float4 upper = query_terms[local], lower = query_terms[local + 8];
      float least_upper = __uint_as_float(0x7f800000u), least_lower = least_upper;
#pragma unroll
      for (int i = 0; i < kBoundGroup; ++i) {
        const float4 s = stats[stats_slot(warp_token + kBoundGroup * group + i)];
        const float (&product)[4] = sum[m][i / 2];
        least_upper = fminf(least_upper, bound_of(upper, s, product[i % 2]));
        least_lower = fminf(least_lower, bound_of(lower, s, product[2 + i % 2]));
      }
      float* to = p.bound + static_cast<std::int64_t>(query) * p.ldb +
                  (tile * Config::kTokens + warp_token) / kBoundGroup + group;
      if (query < p.rows) *to = least_upper + upper.w;
      if (query + 8 < p.rows) to[8 * static_cast<std::int64_t>(p.ldb)] = least_lower + lower.w;
    }
#pragma unroll
    for (int m = 0; m < kM; ++m) {
#pragma unroll
      for (int n = 0; n < kN; ++n) {
#pragma unroll
        for (int r = 0; r < 4; ++r) sum[m][n][r] = 0;
      }
    }
  }
}

}  // namespace wam::WAM_GPU
