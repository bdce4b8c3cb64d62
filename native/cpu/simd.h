// The vector type of the CPU kernels: `Vec`, 16 lanes of `real` on every instruction set, so that a kernel is written
// once and compiled once a set. AVX-512: one register; AVX2: two; portable: 16-byte parts that any target has.
//
// A kernel file (*.inl) uses these names inside `namespace wam::cpu::WAM_ISA`, and is included by kernels_<isa>.cpp after
// this header, hence no include guard against several sets: one translation unit is one set. Inline functions shared
// with other units (std:: templates above all) must not be called from kernels: the linker would keep one copy, and that
// copy might be the AVX-512 one.
//
// Values    zero() splat(x) iota() load(p) load_partial(p, n, fill = 0) store(p, v) store_partial(p, v, n)
// Algebra   + - * / unary-   fma(a,b,c) = a*b+c   fnma(a,b,c) = c-a*b   max(a,b) min(a,b) abs(v) sqrt(v)
// Masks     lt le gt ge eq   &   first_lanes(n)   select(mask, a, b)   bits(mask): lane i is bit i
// Reduce    sum(v) max_lane(v) min_lane(v): one tree for all sets, lanes i and i+8, then i+4, i+2, i+1
// Functions exp log normal_cdf (simd_math.h), and their scalar partners scalar_exp ...
// Shuffles  transpose(Vec r[16])  transpose_fours(Vec r[4]): the same within each group of four lanes
// Integers  Words: 16 unsigned 32-bit lanes, what Philox needs
//
// fma rounds once on AVX2 and AVX-512 and twice on portable. max/min return the second operand when one is NaN. Masked
// loads touch no memory beyond n. The translation units are compiled with -ffp-contract=off, so a*b+c rounds twice
// everywhere unless fma says otherwise.

#ifndef WAM_ISA
#error "define WAM_ISA (portable, avx2 or avx512) before including cpu/simd.h"
#endif
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cpu/isa.h"

// gcc leaves exp and its like out of line when they are used often, and a Vec that is not one register then travels
// through memory.
#define WAM_INLINE inline __attribute__((always_inline))

namespace wam::cpu::WAM_ISA {

constexpr int kLanes = 16;

template <class T>
WAM_INLINE T larger(T a, T b) {
  return a > b ? a : b;
}
template <class T>
WAM_INLINE T smaller(T a, T b) {
  return a < b ? a : b;
}

// One name for both widths, without <cmath>'s shared inline overloads.
WAM_INLINE float scalar_exp(float x) { return ::expf(x); }
WAM_INLINE double scalar_exp(double x) { return ::exp(x); }
WAM_INLINE float scalar_log(float x) { return ::logf(x); }
WAM_INLINE double scalar_log(double x) { return ::log(x); }
WAM_INLINE float scalar_erfc(float x) { return ::erfcf(x); }
WAM_INLINE double scalar_erfc(double x) { return ::erfc(x); }
WAM_INLINE float scalar_sqrt(float x) { return __builtin_sqrtf(x); }
WAM_INLINE double scalar_sqrt(double x) { return __builtin_sqrt(x); }

}  // namespace wam::cpu::WAM_ISA

#if defined(WAM_ISA_AVX512)
#include "cpu/simd_avx512.h"
#elif defined(WAM_ISA_AVX2)
#include "cpu/simd_avx2.h"
#else
#include "cpu/simd_portable.h"
#endif
#include "cpu/simd_math.h"
