#include "test/gpu/planted/attention_bugs.h"

namespace wam::simt {

namespace {

using C = AttentionBugConfig;
constexpr unsigned kAll = 0xffffffffu;

void load_tile(const AttentionBugParams& p, const bf16* from, bf16* to, int tile) {
  constexpr int kChunks = C::kKeys * C::kDim / 8;
  for (int chunk = static_cast<int>(threadIdx.x); chunk < kChunks; chunk += C::kThreads) {
    const int row = chunk / (C::kDim / 8), column = chunk % (C::kDim / 8) * 8;
    const int key = tile * C::kKeys + row;
    const bool valid = p.bug == AttentionBug::load_one_key_more ? key <= p.keys : key < p.keys;
    cp_async16(to + row * C::kStride + column, from + key * C::kDim + column, valid);
  }
}

/// Over the four lanes that share a row.
template <class Combine>
float over_quad(float x, Combine combine) {
  x = combine(x, __shfl_xor_sync(kAll, x, 1));
  return combine(x, __shfl_xor_sync(kAll, x, 2));
}

}  // namespace

__global__ void __launch_bounds__(AttentionBugConfig::kThreads)
    attention_with_bug(const __grid_constant__ AttentionBugParams p) {
  WAM_SHARED(base);
  bf16* const shared = reinterpret_cast<bf16*>(base);
  const auto keys_of = [&](int tile) { return shared + tile % 2 * C::kTile; };
  const auto values_of = [&](int tile) { return shared + (2 + tile % 2) * C::kTile; };
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32, g = lane / 4, q = lane % 4;
  const int head = static_cast<int>(blockIdx.y), first = static_cast<int>(blockIdx.x) * C::kRows + warp * 16;
  const bf16* query = p.q + head * p.queries * C::kDim;
  const bf16* key = p.k + head * p.keys * C::kDim;
  const bf16* value = p.v + head * p.keys * C::kDim;
  const int tiles = (p.keys + C::kKeys - 1) / C::kKeys;

  std::uint32_t a[C::kDim / 16][4];
  for (int step = 0; step < C::kDim / 16; ++step) {
    for (int r = 0; r < 4; ++r) {
      const int row = first + g + 8 * (r & 1), column = 16 * step + 2 * q + 8 * (r >> 1);
      const bf16* from = query + row * C::kDim + column;
      a[step][r] = row < p.queries ? *reinterpret_cast<const std::uint32_t*>(from) : 0u;
    }
  }
  float o[C::kDim / 8][4] = {}, largest[2] = {-1e30f, -1e30f}, sum[2] = {0, 0};
  load_tile(p, key, keys_of(0), 0);
  load_tile(p, value, values_of(0), 0);
  cp_async_commit();
  for (int tile = 0; tile < tiles; ++tile) {
    if (tile + 1 < tiles) {
      load_tile(p, key, keys_of(tile + 1), tile + 1);
      load_tile(p, value, values_of(tile + 1), tile + 1);
    }
    cp_async_commit();
    if (p.bug != AttentionBug::missing_wait) cp_async_wait<1>();
    if (p.bug != AttentionBug::no_barrier_after_wait) __syncthreads();

    float s[C::kKeys / 8][4] = {};
    for (int n = 0; n < C::kKeys / 8; ++n) {
      for (int step = 0; step < C::kDim / 16; ++step) {
        std::uint32_t b[2];
        ldmatrix_x2(b, keys_of(tile) + (8 * n + lane % 8) * C::kStride + 16 * step + lane / 8 % 2 * 8);
        if (p.bug == AttentionBug::swapped_fragment && n == 1) {
          const std::uint32_t swapped[2] = {b[1], b[0]};
          mma_16816<bf16>(s[n], a[step], swapped);
        } else {
          mma_16816<bf16>(s[n], a[step], b);
        }
      }
    }
    const float scale = 1.4426950408889634f * rsqrtf(static_cast<float>(C::kDim));
    for (int n = 0; n < C::kKeys / 8; ++n) {
      for (int r = 0; r < 4; ++r) {
        const int at = tile * C::kKeys + 8 * n + 2 * q + (r & 1);
        const bool masked = p.bug == AttentionBug::mask_one_key_more ? at > p.keys : at >= p.keys;
        s[n][r] = masked ? -1e30f : s[n][r] * scale;
      }
    }
    std::uint32_t probability[4];
    for (int half = 0; half < 2; ++half) {
      float most = -1e30f;
      for (int n = 0; n < C::kKeys / 8; ++n) most = max(most, max(s[n][2 * half], s[n][2 * half + 1]));
      const auto larger = [](float x, float y) { return max(x, y); };
      if (p.bug == AttentionBug::shuffle_in_branch) {
        if (lane < 16) most = over_quad(most, larger);
      } else {
        most = over_quad(most, larger);
      }
      const float now = max(largest[half], most), shrink = fast_exp2(largest[half] - now);
      largest[half] = now;
      sum[half] *= shrink;
      for (int c = 0; c < C::kDim / 8; ++c) {
        o[c][2 * half] *= shrink;
        o[c][2 * half + 1] *= shrink;
      }
      for (int n = 0; n < C::kKeys / 8; ++n) {
        const float low = fast_exp2(s[n][2 * half] - now), high = fast_exp2(s[n][2 * half + 1] - now);
        sum[half] += low + high;
        probability[2 * n + half] = pack2<bf16>(low, high);
      }
    }
    for (int c = 0; c < C::kDim / 8; ++c) {
      std::uint32_t b[2];
      ldmatrix_x2<true>(b, values_of(tile) + lane % 16 * C::kStride + 8 * c);
      mma_16816<bf16>(o[c], probability, b);
    }
    const bool skips = p.bug == AttentionBug::no_barrier_before_reuse ||
                       (p.bug == AttentionBug::warp_skips_barrier && warp == 1 && tile == 1);
    if (!skips) __syncthreads();
  }

  for (int half = 0; half < 2; ++half) {
    const float total = over_quad(sum[half], [](float x, float y) { return x + y; });
    const int row = first + g + 8 * half;
    const bool inside = p.bug == AttentionBug::store_one_row_more ? row <= p.queries : row < p.queries;
    if (!inside) continue;
    float* to = p.o + (head * p.queries + row) * C::kDim;
    for (int c = 0; c < C::kDim / 8; ++c) {
      to[8 * c + 2 * q] = o[c][2 * half] / total;
      to[8 * c + 2 * q + 1] = o[c][2 * half + 1] / total;
    }
    if (q == 0) p.lse[head * p.queries + row] = (largest[half] + log2f(total)) * 0.6931471805599453f;
  }
}

}  // namespace wam::simt
