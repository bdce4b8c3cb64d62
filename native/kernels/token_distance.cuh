#pragma once
// The distances that decide which token is nearest, in float and in the CPU backend's order of summation: difference
// first, then squares, summed over 16 dimensions, these over 256, these in turn. Ties and near ties then fall as they
// do there, whichever way the candidates were found.

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"
#include "kernels/token_norms.cuh"

namespace wam::WAM_GPU {

inline constexpr int kDistanceDims = 16;  // of one partial sum, taken by one lane
inline constexpr int kQuadDims = 4 * kDistanceDims;
inline constexpr int kDistanceGroup = 256;  // dimensions whose partial sums are added up by themselves
inline constexpr int kQuads = 8;            // of a warp

/// A token and its distance as one number: the lesser distance is the lesser number, then the lesser token.
WAM_DEVICE std::uint64_t distance_key(float distance, int token) {
  return static_cast<std::uint64_t>(__float_as_uint(distance)) << 32 | static_cast<std::uint32_t>(token);
}
/// Token 0 at infinity: what a search without any number finds.
inline constexpr std::uint64_t kFarthest = std::uint64_t{0x7f800000u} << 32;

/// Takes the token when it is nearer than `best`. NaN is not.
WAM_DEVICE void keep_nearer(float distance, int token, std::uint64_t& best) {
  const std::uint64_t key = distance_key(distance, token);
  if (distance == distance && key < best) best = key;
}
/// The nearest over the lanes whose numbers agree modulo kStep, on each of them.
template <int kStep = 1>
WAM_DEVICE std::uint64_t warp_nearest(std::uint64_t best) {
#pragma unroll
  for (int distance = 16; distance >= kStep; distance /= 2) {
    const std::uint64_t other = __shfl_xor_sync(kAllLanes, best, distance);
    if (other < best) best = other;
  }
  return best;
}

/// The table that is searched.
struct TokenTable {
  const float* rows = nullptr;      // [vocab, dim]
  const float2* inverse = nullptr;  // [vocab] of TokenNormsParams when rows are to be normalised, else null
  int vocab = 0;
  int dim = 0;
  int aligned = 0;  // rows begin at multiples of 16 bytes
};

/// z[0..16) = dimensions [begin, begin + 16) of a token, zeros beyond the last.
WAM_DEVICE void load_dimensions(const TokenTable& t, int token, int begin, float (&z)[kDistanceDims]) {
  const float* row = t.rows + static_cast<std::int64_t>(token) * t.dim;
  if (t.aligned && begin + kDistanceDims <= t.dim) {
#pragma unroll
    for (int c = 0; c < kDistanceDims / 4; ++c) {
      const float4 v = *reinterpret_cast<const float4*>(row + begin + 4 * c);
      z[4 * c] = v.x;
      z[4 * c + 1] = v.y;
      z[4 * c + 2] = v.z;
      z[4 * c + 3] = v.w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kDistanceDims; ++i) z[i] = begin + i < t.dim ? row[begin + i] : 0.0f;
  }
  if (t.inverse != nullptr) {
    const float2 inverse = t.inverse[token];
#pragma unroll
    for (int i = 0; i < kDistanceDims; ++i) z[i] = normalised(z[i], inverse);
  }
}

/// part[j] = value[v] of lane j of the quad, for v = lane % kValues: a transpose in two exchanges. Were each lane to
/// ask each other for each value, four values would cost 16 shuffles; these are four.
template <int kValues>
WAM_DEVICE void quad_parts(const float (&value)[kValues], float (&part)[4]) {
  static_assert(kValues == 2 || kValues == 4);
  const int lane = static_cast<int>(threadIdx.x);
  const bool odd = (lane & 1) != 0, high = (lane & 2) != 0;
  // [pair][lane of the pair]: of the values whose number has this lane's last bit.
  float pair[kValues / 2][2];
#pragma unroll
  for (int i = 0; i < kValues / 2; ++i) {
    const float own = odd ? value[2 * i + 1] : value[2 * i];
    const float other = __shfl_xor_sync(kAllLanes, odd ? value[2 * i] : value[2 * i + 1], 1);
    pair[i][0] = odd ? other : own;
    pair[i][1] = odd ? own : other;
  }
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const float own = kValues == 4 && high ? pair[kValues / 2 - 1][j] : pair[0][j];
    const float sent = kValues == 4 && !high ? pair[kValues / 2 - 1][j] : pair[0][j];
    const float other = __shfl_xor_sync(kAllLanes, sent, 2);
    part[j] = high ? other : own;
    part[2 + j] = high ? own : other;
  }
}

/// |token t - query q|^2 of a quad's one token and kQueries queries (a multiple of 4), or two tokens and one query; all
/// lanes of the warp take part. Lane l gets in distance[i] that of query 4 i + l % 4, or of token l % 2. Each lane sums
/// 16 of 64 dimensions. Query q is the row at query + q ldq, with zeros up to a multiple of 64 dimensions, 16-byte
/// aligned.
template <int kTokens, int kQueries, int kSets>
WAM_DEVICE void quad_distances(const TokenTable& table, const int (&token)[kTokens], const float* query, int ldq,
                               float (&distance)[kSets]) {
  static_assert((kTokens == 1 || kQueries == 1) && kSets == (kTokens * kQueries + 3) / 4);
  constexpr int kValues = kTokens * kQueries / kSets;
  float group_sum[kSets];
#pragma unroll
  for (int i = 0; i < kSets; ++i) distance[i] = group_sum[i] = 0;
  for (int base = 0; base < table.dim; base += kQuadDims) {
    const int begin = base + static_cast<int>(threadIdx.x) % 4 * kDistanceDims;
    float z[kTokens][kDistanceDims];
#pragma unroll
    for (int t = 0; t < kTokens; ++t) load_dimensions(table, token[t], begin, z[t]);
#pragma unroll
    for (int set = 0; set < kSets; ++set) {
      float value[kValues] = {};
      constexpr int kSetQueries = kQueries / kSets;
#pragma unroll
      for (int q = 0; q < kSetQueries; ++q) {
        const float* at = query + static_cast<std::int64_t>(set * kSetQueries + q) * ldq + begin;
#pragma unroll
        for (int c = 0; c < kDistanceDims / 4; ++c) {
          const float4 v = *reinterpret_cast<const float4*>(at + 4 * c);
          const float element[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
          for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int t = 0; t < kTokens; ++t) {
              const float difference = z[t][4 * c + i] - element[i];
              value[q + t] = fmaf(difference, difference, value[q + t]);
            }
          }
        }
      }
      float part[4];
      quad_parts(value, part);
#pragma unroll
      for (int j = 0; j < 4; ++j) group_sum[set] += part[j];
    }
    if ((base + kQuadDims) % kDistanceGroup == 0 || base + kQuadDims >= table.dim) {
#pragma unroll
      for (int i = 0; i < kSets; ++i) {
        distance[i] += group_sum[i];
        group_sum[i] = 0;
      }
    }
  }
}

}  // namespace wam::WAM_GPU
