#pragma once
// What the search for the nearest token needs to know of each row of a table or of the queries, in one pass over the
// rows: the inverse norm, the row in 16 bits for the tensor cores, and how far that copy is from the row. It reads 4
// and writes 2 bytes an element, 7.7 MB for 20,001 x 64, and a row is read again from the L1 cache, not from memory.

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

/// A row x as scale * (f16 row) + rest, as far as a bound on distances needs it. Rows that are not `tame` (an element
/// that is not finite, or whose magnitude could leave float's range when squared) have square -inf and zeros else, so
/// that every bound they enter is -inf; rows of padding have +inf.
struct RowStats {
  float square;  // at most |x|^2
  float scale;   // a power of two
  float norm;    // at least |x|
  float rest;    // at least |x - scale * copy|
};
static_assert(sizeof(RowStats) == 16);

struct TokenNormsParams {
  const float* rows = nullptr;  // [count, dim]
  int count = 0;
  int dim = 0;
  int normalise = 0;          // everything below is of the row divided by its norm (floored at 1e-12)
  float2* inverse = nullptr;  // [count] 1/norm as the sum of two floats, or null
  float* row = nullptr;       // [padded, row_width] the row, zeros from dim and from count on, or null
  int row_width = 0;
  f16* copy = nullptr;  // [count, copy_width] zeros from dim on, or null
  int copy_width = 0;
  RowStats* stats = nullptr;  // [padded], with copy
  int padded = 0;             // at least count: rows of the grid
};

/// Half a warp takes a row: its lanes are the 16 lanes that the CPU backend sums in, so that norms agree bit for bit.
struct TokenNormsConfig {
  static constexpr int kThreads = 256;
  static constexpr int kLanes = 16;
  static constexpr int kRows = kThreads / kLanes;
};

inline constexpr float kTameHigh = 1.0995116e12f;  // 2^40: squares of 2^12 elements stay below 2^92
inline constexpr float kTameLow = 9.0949470e-13f;  // 2^-40
inline constexpr int kCopyExponent = 14;           // the largest element of a copy is in [2^14, 2^15)

/// Relative error of sums of squares as taken below, with room for the roundings around them: a lane adds dim/16 terms,
/// and the lanes are added in 4 steps.
WAM_DEVICE float norm_slack(int dim) { return static_cast<float>(dim / 16 + 16) * 1.1920929e-7f; }

/// 1 / max(|x|, 1e-12) by 16 lanes, the same on each, in the CPU backend's order of summation.
WAM_DEVICE double inverse_norm(const float* x, int dim) {
  constexpr int kLanes = TokenNormsConfig::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int first = static_cast<int>(threadIdx.x) % 32 - lane;  // of the half warp
  double square = 0;
  for (int begin = 0; begin < dim; begin += 4 * kLanes) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int p = begin + i * kLanes + lane;
      const float v = p < dim ? x[p] : 0.0f;
      sum = fmaf(v, v, sum);
    }
    double part = static_cast<double>(__shfl_sync(kAllLanes, sum, first + lane % 4));
#pragma unroll
    for (int i = 1; i < 4; ++i) part += static_cast<double>(__shfl_sync(kAllLanes, sum, first + lane % 4 + 4 * i));
    part += __shfl_xor_sync(kAllLanes, part, 1);
    part += __shfl_xor_sync(kAllLanes, part, 2);
    square += part;
  }
  // The square of a norm above 1e19 does not fit float: eight partial sums in double, where the squares are exact.
  if (__any_sync(kAllLanes, !(square < 1e37))) {
    double part = 0;
    for (int p = lane % 8; p < dim; p += 8) {
      const double v = static_cast<double>(x[p]);
      part = fma(v, v, part);
    }
    part += __shfl_xor_sync(kAllLanes, part, 4);
    part += __shfl_xor_sync(kAllLanes, part, 2);
    part += __shfl_xor_sync(kAllLanes, part, 1);
    if (!(square < 1e37)) square = part;
  }
  constexpr double kFloor = 1e-12;
  const double norm = sqrt(square);
  return 1 / (norm < kFloor ? kFloor : norm);
}

/// x divided by the norm that `inverse` is of. Rounded to one factor, all elements would share its error.
WAM_DEVICE float normalised(float x, float2 inverse) { return fmaf(x, inverse.x, x * inverse.y); }

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) token_norms(const __grid_constant__ TokenNormsParams p) {
  constexpr int kLanes = Config::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int index = static_cast<int>(blockIdx.x) * Config::kRows + static_cast<int>(threadIdx.x) / kLanes;
  const bool own = index < p.count;
  // Lanes without a row follow the last one, for the shuffles.
  const std::int64_t row = own ? index : p.count - 1;
  const float* x = p.rows + row * p.dim;
  float2 inverse = make_float2(1.0f, 0.0f);
  if (p.normalise) {
    const double exact = inverse_norm(x, p.dim);
    inverse.x = static_cast<float>(exact);
    inverse.y = static_cast<float>(exact - static_cast<double>(inverse.x));
    if (p.inverse != nullptr && own && lane == 0) p.inverse[row] = inverse;
  }
  const auto element = [&](int i) {
    if (i >= p.dim) return 0.0f;
    return p.normalise ? normalised(x[i], inverse) : x[i];
  };
  if (p.row != nullptr && index < p.padded) {
    float* to = p.row + static_cast<std::int64_t>(index) * p.row_width;
    for (int i = lane; i < p.row_width; i += kLanes) to[i] = own ? element(i) : 0.0f;
  }
  if (p.copy != nullptr) {  // of the whole grid
    float largest = 0;
    bool tame = true;
    for (int i = lane; i < p.dim; i += kLanes) {
      const float magnitude = fabsf(element(i));
      tame = tame && magnitude <= kTameHigh;  // false for NaN
      largest = fmaxf(largest, magnitude);
    }
    largest = warp_max<kLanes>(largest);
    const int wild = warp_sum<kLanes>(tame && (largest == 0 || largest >= kTameLow) ? 0 : 1);
    // 2^(kCopyExponent - exponent of the largest element) and its inverse: products with them are exact.
    const bool scaled = largest > 0 && wild == 0;
    const unsigned exponent = scaled ? __float_as_uint(largest) >> 23 : 127u + kCopyExponent;
    const float scale = __uint_as_float((exponent - kCopyExponent) << 23);
    const float unscale = __uint_as_float((254u + kCopyExponent - exponent) << 23);
    float square = 0, rest = 0;
    for (int i = lane; i < p.copy_width; i += kLanes) {
      const float z = wild == 0 ? element(i) * unscale : 0.0f;
      const f16 rounded = from_float<f16>(z);
      const float left = z - to_float(rounded);
      square = fmaf(z, z, square);
      rest = fmaf(left, left, rest);
      if (own) p.copy[row * p.copy_width + i] = rounded;
    }
    square = warp_sum<kLanes>(square);
    rest = warp_sum<kLanes>(rest);
    if (lane == 0 && index < p.padded) {
      const float slack = norm_slack(p.dim);
      RowStats stats = {__uint_as_float(0x7f800000u), 0, 0, 0};
      if (own) {
        stats.square = wild == 0 ? square * scale * scale * (1 - slack) : -__uint_as_float(0x7f800000u);
        stats.scale = scaled ? scale : 0.0f;
        stats.norm = sqrtf(square) * stats.scale * (1 + slack);
        // Squares below float's range are lost in the sum: 2^-40 of a row whose largest element is 2^14 at least.
        stats.rest = (sqrtf(rest) * (1 + slack) + 9.0949470e-13f) * stats.scale;
      }
      p.stats[index] = stats;
    }
  }
}

}  // namespace wam::WAM_GPU
