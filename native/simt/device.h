#pragma once
// The host half of kernels/device.cuh: the project's own wrappers of tensor-core, async-copy and 16-bit instructions,
// executed in plain C++. Behaves as compute capability 9.0.

#include <cstddef>
#include <cstdint>

#include "simt/arithmetic.h"
#include "simt/builtins.h"
#include "simt/vector_types.h"

namespace wam::simt {

/// 16-bit floats as bits. Arithmetic is done in float; these are for memory and for tensor cores.
struct bf16 {
  std::uint16_t bits;
};
struct f16 {
  std::uint16_t bits;
};

inline constexpr int kArch = 900;
template <class T>
constexpr bool has_mma() {
  static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>);
  return true;
}

// --- 16-bit conversions, round to nearest even -----------------------------------------------------------------------
inline float to_float(float x) { return x; }
inline float to_float(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
inline float to_float(f16 x) {
  const unsigned magnitude = x.bits & 0x7fffu, sign = (x.bits & 0x8000u) << 16;
  if (magnitude < 0x400u) return std::copysign(static_cast<float>(magnitude) * 0x1p-24f, __uint_as_float(sign));
  if (magnitude >= 0x7c00u) return __uint_as_float(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  return __uint_as_float(sign | ((magnitude << 13) + (112u << 23)));
}
template <class T>
T from_float(float x);
template <>
inline float from_float<float>(float x) {
  return x;
}
template <>
inline bf16 from_float<bf16>(float x) {
  const unsigned u = __float_as_uint(x);
  return {static_cast<std::uint16_t>(x != x ? 0x7fffu : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}
template <>
inline f16 from_float<f16>(float x) {
  const unsigned u = __float_as_uint(x), sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
  unsigned bits;
  if (magnitude > 0x7f800000u) {
    return {0x7fff};
  } else if (magnitude >= 0x477ff000u) {  // 65520 and more round to infinity
    bits = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // under 2^-14: a multiple of 2^-24, to which adding 0.5 rounds
    bits = __float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    bits = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  }
  return {static_cast<std::uint16_t>(sign | bits)};
}
/// Two values in one register, `low` in the low half: the order of mma fragments and of memory.
template <class T>
inline std::uint32_t pack2(float low, float high) {
  return from_float<T>(low).bits | static_cast<std::uint32_t>(from_float<T>(high).bits) << 16;
}
template <class T>
inline float2 unpack2(std::uint32_t v) {
  return make_float2(to_float(T{static_cast<std::uint16_t>(v)}), to_float(T{static_cast<std::uint16_t>(v >> 16)}));
}

// --- fast math -------------------------------------------------------------------------------------------------------
/// Denormals become zero of the same sign, as the .ftz forms do.
inline float flush(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
inline float fast_exp2(float x) { return flush(exp2f(flush(x))); }
inline float fast_log2(float x) { return log2f(flush(x)); }
inline float fast_rcp(float x) { return flush(1.0f / flush(x)); }
inline float fast_rsqrt(float x) { return rsqrtf(flush(x)); }
/// Kept to 11 bits, the accuracy of the instruction, so that a use where more is needed shows.
inline float fast_tanh(float x) {
  const unsigned u = __float_as_uint(std::tanh(x));
  return x != x ? x : __uint_as_float((u + 0xfffu + (u >> 13 & 1u)) & ~0x1fffu);
}

// --- tensor cores ----------------------------------------------------------------------------------------------------
void load_matrices(std::uint32_t* r, int matrices, const void* row, bool transposed, Site at);
/// a, b: 16-bit values, bfloat16 when `brain`.
void multiply_16816(float* d, const std::uint32_t* a, const std::uint32_t* b, bool brain, Site at);

/// Loads 1, 2 or 4 matrices of 8x8 16-bit values. Lane 8m+i gives the address of row i (16 bytes) of matrix m; lane l
/// receives row l/4, columns 2(l%4) and +1, of each. `transposed` gives the transposed matrices.
template <bool transposed = false>
inline void ldmatrix_x4(std::uint32_t (&r)[4], const void* row, Site at = Site::current()) {
  load_matrices(r, 4, row, transposed, at);
}
template <bool transposed = false>
inline void ldmatrix_x2(std::uint32_t (&r)[2], const void* row, Site at = Site::current()) {
  load_matrices(r, 2, row, transposed, at);
}
/// d[16,8] += a[16,16] b[16,8], float accumulation. With lane = 4g+q, register r, half h:
///   a: row g + 8(r&1), column 2q + h + 8(r>>1)    b: k 2q + h + 8r, column g    d: row g + 8(r>>1), column 2q + (r&1)
template <class T>
inline void mma_16816(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                      Site at = Site::current()) {
  static_assert(has_mma<T>());
  multiply_16816(d, a, b, std::is_same_v<T, bf16>, at);
}

// --- asynchronous copies global -> shared ----------------------------------------------------------------------------
void copy_async(void* shared, const void* global, int bytes, bool valid);
/// 16 bytes, both sides 16-byte aligned; `valid` false writes zeros and does not read.
[[gnu::always_inline]] inline void cp_async16(void* shared, const void* global, bool valid = true) {
  copy_async(shared, global, 16, valid);
}
/// 4 bytes, 4-byte aligned.
[[gnu::always_inline]] inline void cp_async4(void* shared, const void* global, bool valid = true) {
  copy_async(shared, global, 4, valid);
}
void cp_async_commit();
void wait_async(int pending);
/// Waits until at most `pending` of this thread's groups are in flight. Other threads' copies need a barrier after it.
template <int pending>
inline void cp_async_wait() {
  wait_async(pending);
}

// --- global loads that are read once ---------------------------------------------------------------------------------
inline float4 load_once(const float4* p) { return *p; }

}  // namespace wam::simt
