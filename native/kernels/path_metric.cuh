#pragma once
// The metric path around a row's x_1: distances in either form of TokenMetric, the band of tokens that carry weight,
// the weights and rates, and the move of a token. p(y|x1) = exp(-beta d(y,x1)) / sum; rates are taken without their
// common factor step_weight / sum, which the decision multiplies in once, in double.

#include "kernels/inverse_cdf.cuh"

namespace wam::WAM_GPU {

/// d(y, x1) of the token whose coordinate is x.
struct LineDistance {
  const float* source;  // coordinates, from the first token of the band
  float anchor, power;
  WAM_DEVICE float of(float x) const { return power_of(fabsf(x - anchor), power); }
};
/// Either form, told apart once a call: `anchor` and `power` mean nothing where distances were measured before.
struct AnyDistance {
  const float* source;  // coordinates, or distances of the row
  float anchor, power;
  bool line;
  WAM_DEVICE float of(float x) const { return line ? power_of(fabsf(x - anchor), power) : x; }
};

/// Number of the ascending u[0..n) that lie below `limit`, or at it too when `inclusive`. By one whole warp: 32 pivots
/// a round, so 20,001 tokens take three dependent loads in place of fifteen.
WAM_DEVICE int count_below(const float* u, int n, double limit, bool inclusive) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  int low = 0, high = n;  // the answer lies in [low, high]
  while (low < high) {
    const int stride = (high - low - 1) / 32 + 1;
    const int pivot = low + (lane + 1) * stride - 1;
    bool below = false;
    if (pivot < high) {
      const double x = static_cast<double>(u[pivot]);
      below = inclusive ? x <= limit : x < limit;
    }
    low += __popc(__ballot_sync(kAllLanes, below)) * stride;
    high = min(high, low + stride - 1);
  }
  return low;
}

/// Depth at which exp(-x) is 0 (flushed); a little more than needed, so that a band cut there loses nothing.
inline constexpr double kBandDepth = 88;

struct Band {
  int begin, count;
};
/// Tokens within `radius` of the anchor; the others are so far that their weight is 0. By one whole warp.
WAM_DEVICE Band find_band(const float* coordinate, int vocab, float anchor, double radius) {
  const double at = static_cast<double>(anchor);
  const int begin = count_below(coordinate, vocab, at - radius, false);
  return {begin, count_below(coordinate, vocab, at + radius, true) - begin};
}

/// x: the rate exp(-beta d) max(0, reach - d), or the weight exp(-beta d) itself; y: the weight.
template <class Distance>
struct PathWeight {
  Distance distance;
  float beta, reach;
  bool rates;
  WAM_DEVICE float load(int i) const { return distance.source[i]; }
  WAM_DEVICE float2 of(float loaded) const {
    const float d = distance.of(loaded);
    const float e = path_exp(-beta * d);
    const float nearer = reach - d;
    return make_float2(rates ? __fmul_rn(e, nearer > 0 ? nearer : 0.0f) : e, e);
  }
};

/// jump < 1 - exp(-expected) as in double, which is asked only where float cannot tell: it is off by 1e-7 at most, and
/// double takes some hundred dependent operations.
WAM_DEVICE bool leaves(float jump, double expected) {
  const float probability = -expm1f(-static_cast<float>(expected));
  if (fabsf(jump - probability) > 1e-6f) return jump < probability;
  return static_cast<double>(jump) < -expm1(-expected);
}

/// Where x_t goes: by one whole warp, after the sums over the band are complete, chunk_sum of rates (of weights when
/// not `weight.rates`) and weight_sum of weights.
template <class Distance>
WAM_DEVICE int move_token(const PathWeight<Distance>& weight, Band band, const float* chunk_sum,
                          const float* weight_sum, float step_weight, float jump, float draw, int x_t) {
  const int chunks = chunk_shape(band.count).chunks;
  const ChunkScan scan = scan_chunks(chunk_sum, chunks);
  bool jumps = true;
  if (weight.rates) {
    // An infinite step_weight times no rate at all means staying.
    const double weights = total_of(weight_sum, chunks);
    jumps = leaves(jump, scan.total > 0 ? static_cast<double>(step_weight) * (scan.total / weights) : 0.0);
  }
  if (!jumps) return x_t;  // the same in every lane
  return band.begin + pick(weight, band.count, chunk_sum, scan, static_cast<double>(draw) * scan.total, false);
}

}  // namespace wam::WAM_GPU
