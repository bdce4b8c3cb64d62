#pragma once
// CUDA's qualifiers, index variables, barriers, warp collectives and atomics, executed by the engine of this folder.
// The source location that every collective takes as its last, defaulted argument is what its diagnostics show and what
// tells a collective met by all lanes from one met by some.

#include <bit>
#include <cstdint>
#include <source_location>
#include <type_traits>

#include "simt/vector_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

namespace wam::simt {

// Declared const: within one thread of a kernel their values never change, whatever other threads do meanwhile.
[[gnu::const]] uint3 thread_index();
[[gnu::const]] uint3 block_index();
[[gnu::const]] dim3 block_size();
[[gnu::const]] dim3 grid_size();
[[gnu::const]] unsigned char* shared_memory();
#define threadIdx (::wam::simt::thread_index())
#define blockIdx (::wam::simt::block_index())
#define blockDim (::wam::simt::block_size())
#define gridDim (::wam::simt::grid_size())
inline constexpr int warpSize = 32;

/// Dynamic shared memory of the block, 128-byte aligned.
#define WAM_SHARED(name) unsigned char* const name = ::wam::simt::shared_memory()
#define WAM_DEVICE __device__ __forceinline__

/// A mistake planted in a kernel, to prove that the tests catch it: `bad` in place of `good` while bug `n` is on
/// (harness.h). NVIDIA's side knows `good` alone.
bool planted_bug(int n);
#define WAM_PLANT(n, good, bad) (::wam::simt::planted_bug(n) ? (bad) : (good))

using Site = std::source_location;

// --- barriers and fences ---------------------------------------------------------------------------------------------
void __syncthreads(Site at = Site::current());
int __syncthreads_or(int predicate, Site at = Site::current());
int __syncthreads_and(int predicate, Site at = Site::current());
int __syncthreads_count(int predicate, Site at = Site::current());
void __syncwarp(unsigned mask = 0xffffffffu, Site at = Site::current());
void __threadfence();
void __threadfence_block();
void __threadfence_system();
[[noreturn]] void __trap();

// --- warp collectives ------------------------------------------------------------------------------------------------
unsigned __ballot_sync(unsigned mask, int predicate, Site at = Site::current());
int __any_sync(unsigned mask, int predicate, Site at = Site::current());
int __all_sync(unsigned mask, int predicate, Site at = Site::current());

enum class Shuffle { index, up, down, exclusive_or };
/// What lane `operand` (counted as `kind` says, in groups of `width` lanes) brings.
std::uint64_t shuffle(unsigned mask, std::uint64_t value, Shuffle kind, unsigned operand, int width, Site at);
unsigned match_any(unsigned mask, std::uint64_t value, Site at);

template <class T>
concept WarpValue = std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8);

template <WarpValue T>
inline std::uint64_t to_word(T value) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<std::uint32_t>(value);
  else
    return std::bit_cast<std::uint64_t>(value);
}
template <WarpValue T>
inline T from_word(std::uint64_t word) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(static_cast<std::uint32_t>(word));
  else
    return std::bit_cast<T>(word);
}
template <WarpValue T>
inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32, Site at = Site::current()) {
  return from_word<T>(shuffle(mask, to_word(value), Shuffle::index, static_cast<unsigned>(lane), width, at));
}
template <WarpValue T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, Site at = Site::current()) {
  return from_word<T>(shuffle(mask, to_word(value), Shuffle::up, delta, width, at));
}
template <WarpValue T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, Site at = Site::current()) {
  return from_word<T>(shuffle(mask, to_word(value), Shuffle::down, delta, width, at));
}
template <WarpValue T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, Site at = Site::current()) {
  return from_word<T>(shuffle(mask, to_word(value), Shuffle::exclusive_or, static_cast<unsigned>(bits), width, at));
}
template <WarpValue T>
inline unsigned __match_any_sync(unsigned mask, T value, Site at = Site::current()) {
  return match_any(mask, to_word(value), at);
}

// --- atomics ---------------------------------------------------------------------------------------------------------
float atomicAdd(float* p, float value);
double atomicAdd(double* p, double value);
int atomicAdd(int* p, int value);
unsigned atomicAdd(unsigned* p, unsigned value);
unsigned long long atomicAdd(unsigned long long* p, unsigned long long value);
int atomicSub(int* p, int value);
unsigned atomicSub(unsigned* p, unsigned value);
int atomicMin(int* p, int value);
unsigned atomicMin(unsigned* p, unsigned value);
unsigned long long atomicMin(unsigned long long* p, unsigned long long value);
int atomicMax(int* p, int value);
unsigned atomicMax(unsigned* p, unsigned value);
unsigned long long atomicMax(unsigned long long* p, unsigned long long value);
int atomicExch(int* p, int value);
unsigned atomicExch(unsigned* p, unsigned value);
unsigned long long atomicExch(unsigned long long* p, unsigned long long value);
float atomicExch(float* p, float value);
int atomicCAS(int* p, int compare, int value);
unsigned atomicCAS(unsigned* p, unsigned compare, unsigned value);
unsigned long long atomicCAS(unsigned long long* p, unsigned long long compare, unsigned long long value);
int atomicOr(int* p, int value);
unsigned atomicOr(unsigned* p, unsigned value);
unsigned long long atomicOr(unsigned long long* p, unsigned long long value);
int atomicAnd(int* p, int value);
unsigned atomicAnd(unsigned* p, unsigned value);
unsigned long long atomicAnd(unsigned long long* p, unsigned long long value);
/// Wraps to 0 after `limit`.
unsigned atomicInc(unsigned* p, unsigned limit);

}  // namespace wam::simt
