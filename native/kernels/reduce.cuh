#pragma once
// Sums and maxima over a warp and over a block. The tree is fixed, so a result is a function of the values and of the
// lanes they lie in: the same bits every time. Every lane gets the result.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

inline constexpr unsigned kAllLanes = 0xffffffffu;

/// Sum over `kLanes` neighbouring lanes (a power of two; groups start at its multiples). All lanes of the warp take
/// part. A butterfly: both lanes of an exchange add the same two values, so all end with the same bits.
template <int kLanes = 32, class T>
WAM_DEVICE T warp_sum(T value) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(kAllLanes, value, distance);
  return value;
}

/// Maximum over `kLanes` neighbouring lanes, as warp_sum. NaN loses against any number.
template <int kLanes = 32>
WAM_DEVICE float warp_max(float value) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2)
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, distance));
  return value;
}
template <int kLanes = 32>
WAM_DEVICE double warp_max(double value) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2)
    value = fmax(value, __shfl_xor_sync(kAllLanes, value, distance));
  return value;
}

/// Values of shared memory that a block reduction of `kThreads` threads needs.
template <int kThreads>
inline constexpr int kReduceScratch = kThreads / 32;

/// Sum over the block, one-dimensional with `kThreads` threads. `scratch` is shared, kReduceScratch<kThreads> values; it
/// may be used again at once. Two barriers.
template <int kThreads, class T>
WAM_DEVICE T block_sum(T value, T* scratch) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  value = warp_sum(value);
  if constexpr (kThreads > 32) {
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    // Each warp sums the warps' sums for itself: no third barrier for handing the result round.
    value = warp_sum(lane < kThreads / 32 ? scratch[lane] : T{0});
    __syncthreads();
  }
  return value;
}

/// Maximum over the block, as block_sum. T is float or double.
template <int kThreads, class T>
WAM_DEVICE T block_max(T value, T* scratch) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  value = warp_max(value);
  if constexpr (kThreads > 32) {
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = warp_max(scratch[lane < kThreads / 32 ? lane : 0]);
    __syncthreads();
  }
  return value;
}

}  // namespace wam::WAM_GPU
