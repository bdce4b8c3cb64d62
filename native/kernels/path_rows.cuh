#pragma once
// The metric path around given x_1, a row a block: tokens drawn or moved, probabilities, rates and distances written
// out. The one-dimensional form looks at the band that carries weight; for the general form distances of the rows were
// measured before (table_distance.cuh).

#include <cfloat>

#include "core/host_device.h"
#include "core/philox.h"
#include "kernels/path_metric.cuh"

namespace wam::WAM_GPU {

/// The metric and where rows stand on the path.
struct PathRows {
  int vocab = 0;
  const float* coordinate = nullptr;  // [vocab] ascending, or null: the general form
  float power = 1;
  const float* distance = nullptr;    // [gridDim.x, vocab] of the general form
  const std::int32_t* x_1 = nullptr;  // [gridDim.x]
  const float* beta = nullptr;        // [gridDim.x], or null: all_beta
  float all_beta = 0;
};

struct PathDrawParams {
  PathRows path;
  bool rates = false;  // leaves x_t at the kinetic-optimal rates; else drawn from p(.|x1)
  float step_weight = 0;
  const std::int32_t* x_t = nullptr;    // [gridDim.x], read when `rates`
  const std::int32_t* fixed = nullptr;  // [gridDim.x] tokens that rows take when not negative, or null
  const float* jump = nullptr;          // [gridDim.x], read when `rates`
  const float* draw = nullptr;          // [gridDim.x], or null: both from the seed
  const std::uint64_t* seed = nullptr;  // one number
  std::uint32_t step = 0;
  RandomUse use = RandomUse::jump;  // word 0: jump or stay, word 1: where to
  int slots = 1;                    // row i of all is slot i % slots of sample i / slots
  int first_row = 0;                // of all rows, that of block 0
  std::int32_t* next = nullptr;     // [gridDim.x], may be x_t
};

struct PathValueParams {
  PathRows path;
  const float* beta_dot = nullptr;    // [gridDim.x], or null: probabilities
  const std::int32_t* x_t = nullptr;  // [gridDim.x], read for rates
  float* value = nullptr;             // [gridDim.x, vocab]
  float* total = nullptr;             // [gridDim.x], written for rates
};

struct PathRowsConfig {
  static constexpr int kThreads = 512;
  static constexpr int kMinThreads = 128;
  static constexpr int threads(int vocab) {
    const int wanted = (vocab - 1) / (2 * kSumBlock) * 32 + 32;
    return wanted < kMinThreads ? kMinThreads : wanted < kThreads ? wanted : kThreads;
  }
  static constexpr int kSumOffset = 16;  // after the band
  static constexpr int shared_bytes(int vocab) { return kSumOffset + 2 * sum_places(vocab) * 4; }
};

/// An infinite inverse temperature (t = 1 of the published schedule) as the greatest finite one: 0 * infinity would
/// make the weight of x1 itself a NaN.
WAM_HOST_DEVICE inline float at_most_finite(float value) { return FLT_MAX < value ? FLT_MAX : value; }

/// Distance at which weights are 0.
WAM_DEVICE double band_radius(float beta, float power) {
  if (!(beta > 0)) return DBL_MAX;
  const double depth = kBandDepth / static_cast<double>(beta);
  if (power == 1.0f) return depth;
  if (power == 2.0f) return sqrt(depth);
  if (power == 4.0f) return sqrt(sqrt(depth));
  return pow(depth, 1.0 / static_cast<double>(power));
}

/// A row of this block: its band and its weights, whose distances count from the start of the band.
struct PathRow {
  Band band;
  PathWeight<AnyDistance> weight;
};
/// One barrier at most; `slot` is two shared ints.
WAM_DEVICE PathRow open_row(const PathRows& p, bool rates, int x_t, int* slot) {
  const int row = static_cast<int>(blockIdx.x);
  const float beta = at_most_finite(p.beta != nullptr ? p.beta[row] : p.all_beta);
  PathRow r = {{0, p.vocab}, {{p.distance + static_cast<std::int64_t>(row) * p.vocab, 0, 1, false}, beta, 0, rates}};
  if (p.coordinate != nullptr) {
    const float anchor = p.coordinate[p.x_1[row]];
    if (threadIdx.x < 32) {  // one warp alone: the radius is a division or a power in double, slow on small devices
      const Band found = find_band(p.coordinate, p.vocab, anchor, band_radius(beta, p.power));
      if (threadIdx.x == 0) slot[0] = found.begin, slot[1] = found.count;
    }
    __syncthreads();
    r.band = {slot[0], slot[1]};
    r.weight.distance = {p.coordinate, anchor, p.power, true};
  }
  if (rates) r.weight.reach = r.weight.distance.of(r.weight.load(x_t));
  r.weight.distance.source += r.band.begin;
  return r;
}

/// grid (rows): x_t moved or drawn.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) path_draw(const __grid_constant__ PathDrawParams p) {
  WAM_SHARED(shared);
  auto* slot = reinterpret_cast<int*>(shared);
  auto* chunk_sum = reinterpret_cast<float*>(shared + Config::kSumOffset);
  float* weight_sum = chunk_sum + sum_places(p.path.vocab);
  const int row = static_cast<int>(blockIdx.x);
  const int given = p.fixed != nullptr ? p.fixed[row] : -1;
  if (given >= 0) {  // the whole block
    if (threadIdx.x == 0) p.next[row] = given;
  } else {
    const int x_t = p.rates ? p.x_t[row] : 0;
    const PathRow r = open_row(p.path, p.rates, x_t, slot);
    sum_chunks<true>(r.weight, r.band.count, 0, chunk_shape(r.band.count).chunks, chunk_sum, weight_sum);
    __syncthreads();
    if (threadIdx.x < 32) {
      float jump = 0, draw;
      if (p.draw != nullptr) {
        if (p.rates) jump = p.jump[row];
        draw = p.draw[row];
      } else {
        const int at = p.first_row + row;
        const Philox4 random = RandomStream(*p.seed).at(p.step, static_cast<std::uint32_t>(at % p.slots),
                                                        static_cast<std::uint32_t>(at / p.slots), p.use);
        jump = unit_uniform(random.word[0]), draw = unit_uniform(random.word[1]);
      }
      const int next = move_token(r.weight, r.band, chunk_sum, weight_sum, p.step_weight, jump, draw, x_t);
      if (threadIdx.x == 0) p.next[row] = next;
    }
  }
}

/// grid (rows): probabilities or rates of every token.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) path_values(const __grid_constant__ PathValueParams p) {
  WAM_SHARED(shared);
  auto* slot = reinterpret_cast<int*>(shared);
  auto* chunk_sum = reinterpret_cast<float*>(shared + Config::kSumOffset);
  float* weight_sum = chunk_sum + sum_places(p.path.vocab);
  const int row = static_cast<int>(blockIdx.x);
  const bool rates = p.beta_dot != nullptr;
  const PathRow r = open_row(p.path, rates, rates ? p.x_t[row] : 0, slot);
  const int chunks = chunk_shape(r.band.count).chunks;
  sum_chunks<true>(r.weight, r.band.count, 0, chunks, chunk_sum, weight_sum);
  __syncthreads();
  // Each warp for itself: the sums are few.
  const double weights = total_of(weight_sum, chunks);
  const double factor = (rates ? static_cast<double>(at_most_finite(p.beta_dot[row])) : 1.0) / weights;
  if (rates && threadIdx.x < 32) {
    const double sum = scan_chunks(chunk_sum, chunks).total;
    if (threadIdx.x == 0) p.total[row] = static_cast<float>(factor * sum);
  }
  const float scale = static_cast<float>(factor);
  float* out = p.value + static_cast<std::int64_t>(row) * p.path.vocab;
  for (int v = static_cast<int>(threadIdx.x); v < p.path.vocab; v += static_cast<int>(blockDim.x)) {
    const int i = v - r.band.begin;
    out[v] = i >= 0 && i < r.band.count ? scale * r.weight.of(r.weight.load(i)).x : 0.0f;
  }
}

struct LineDistanceParams {
  int vocab = 0;
  const float* coordinate = nullptr;  // [vocab]
  float power = 1;
  const std::int32_t* x_1 = nullptr;  // [gridDim.x]
  float* distance = nullptr;          // [gridDim.x, vocab]
};
struct LineDistanceConfig {
  static constexpr int kThreads = 256;
};
/// grid (rows): distance of every token.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) line_distances(const __grid_constant__ LineDistanceParams p) {
  const int row = static_cast<int>(blockIdx.x);
  const LineDistance distance = {p.coordinate, p.coordinate[p.x_1[row]], p.power};
  float* out = p.distance + static_cast<std::int64_t>(row) * p.vocab;
  for (int v = static_cast<int>(threadIdx.x); v < p.vocab; v += Config::kThreads) out[v] = distance.of(p.coordinate[v]);
}

struct UniformTokenParams {
  int rows = 0;
  int slots = 1;  // row i is slot i % slots of sample i / slots
  int vocab = 0;
  const std::uint64_t* seed = nullptr;  // one number
  std::int32_t* x_0 = nullptr;          // [rows]
};
struct UniformTokenConfig {
  static constexpr int kThreads = 128;
};
/// Uniform tokens. Multiply-shift maps 32 bits to the vocabulary without a float's rounding.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) uniform_tokens(const __grid_constant__ UniformTokenParams p) {
  const int i = static_cast<int>(blockIdx.x) * Config::kThreads + static_cast<int>(threadIdx.x);
  if (i < p.rows) {
    const Philox4 r = RandomStream(*p.seed).at(0, static_cast<std::uint32_t>(i % p.slots),
                                               static_cast<std::uint32_t>(i / p.slots), RandomUse::initial_token);
    p.x_0[i] =
        static_cast<std::int32_t>((static_cast<std::uint64_t>(r.word[0]) * static_cast<std::uint64_t>(p.vocab)) >> 32);
  }
}

}  // namespace wam::WAM_GPU
