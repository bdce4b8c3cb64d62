#pragma once
// Everything in the kernels that is not C++: qualifiers, builtins, warp collectives, tensor-core and async-copy
// instructions. Under nvcc this header holds all the PTX of the project; under a host compiler the same names come from
// native/simt/device.h, which executes them. docs/cuda.md lists the wrappers.
//
// Rules of kernel code (native/kernels/*.cuh), which hold on both sides:
//  - one kernel, one trivially copyable parameter struct, passed by value;
//  - shared memory is dynamic only: WAM_SHARED(base) and a constexpr layout that the launcher shares;
//  - blocks are a multiple of 32 threads, and no thread returns before a barrier or full-mask collective;
//  - no exceptions, no non-trivial destructors, no memcpy, no static shared variables;
//  - wrappers take pointers, never raw shared-memory addresses.

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_runtime.h>  // builtins and vector types alone; the runtime's calls belong to native/cuda

#ifndef WAM_GPU
#define WAM_GPU cuda
#endif

/// Dynamic shared memory of the block, 128-byte aligned.
#define WAM_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#define WAM_DEVICE __device__ __forceinline__
/// A mistake that tests plant in the harness to prove that they would notice; see native/simt/builtins.h.
#define WAM_PLANT(n, good, bad) (good)

namespace wam::WAM_GPU {

/// 16-bit floats as bits. Arithmetic is done in float; these are for memory and for tensor cores.
struct bf16 {
  std::uint16_t bits;
};
struct f16 {
  std::uint16_t bits;
};

#if defined(__CUDA_ARCH__)
inline constexpr int kArch = __CUDA_ARCH__;
#else
inline constexpr int kArch = 0;
#endif
/// Whether mma on T exists here. Guard kernel bodies with it: `if constexpr (has_mma<T>())`.
template <class T>
WAM_DEVICE constexpr bool has_mma();
template <>
WAM_DEVICE constexpr bool has_mma<bf16>() {
  return kArch >= 800;
}
template <>
WAM_DEVICE constexpr bool has_mma<f16>() {
  return true;
}

// --- 16-bit conversions, round to nearest even -----------------------------------------------------------------------
WAM_DEVICE float to_float(float x) { return x; }
WAM_DEVICE float to_float(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
WAM_DEVICE float to_float(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
template <class T>
WAM_DEVICE T from_float(float x);
template <>
WAM_DEVICE float from_float<float>(float x) {
  return x;
}
template <>
WAM_DEVICE bf16 from_float<bf16>(float x) {
  bf16 y;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
  const unsigned u = __float_as_uint(x);
  y.bits = static_cast<std::uint16_t>(x != x ? 0x7fffu : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
#endif
  return y;
}
template <>
WAM_DEVICE f16 from_float<f16>(float x) {
  f16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
/// Two values in one register, `low` in the low half: the order of mma fragments and of memory.
template <class T>
WAM_DEVICE std::uint32_t pack2(float low, float high);
template <>
WAM_DEVICE std::uint32_t pack2<bf16>(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint32_t d;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
  return d;
#else
  return from_float<bf16>(low).bits | static_cast<std::uint32_t>(from_float<bf16>(high).bits) << 16;
#endif
}
template <>
WAM_DEVICE std::uint32_t pack2<f16>(float low, float high) {
  return from_float<f16>(low).bits | static_cast<std::uint32_t>(from_float<f16>(high).bits) << 16;
}
template <class T>
WAM_DEVICE float2 unpack2(std::uint32_t v) {
  return make_float2(to_float(T{static_cast<std::uint16_t>(v)}), to_float(T{static_cast<std::uint16_t>(v >> 16)}));
}

// --- fast math (ex2.approx etc.: about 2 ulp) ------------------------------------------------------------------------
WAM_DEVICE float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
WAM_DEVICE float fast_log2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
WAM_DEVICE float fast_rcp(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
WAM_DEVICE float fast_rsqrt(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// About 2^-11 relative: for 16-bit results only. sm_75 and up.
WAM_DEVICE float fast_tanh(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// --- tensor cores ------------------------------------------------------------------------------------------------------
WAM_DEVICE std::uint32_t shared_address_(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}
/// Loads 1, 2 or 4 matrices of 8x8 16-bit values. Lane 8m+i gives the address of row i (16 bytes) of matrix m; lane l
/// receives row l/4, columns 2(l%4) and +1, of each. `transposed` gives the transposed matrices.
template <bool transposed = false>
WAM_DEVICE void ldmatrix_x4(std::uint32_t (&r)[4], const void* row) {
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address_(row))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address_(row))
                 : "memory");
  }
}
template <bool transposed = false>
WAM_DEVICE void ldmatrix_x2(std::uint32_t (&r)[2], const void* row) {
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address_(row))
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address_(row))
                 : "memory");
  }
}
/// d[16,8] += a[16,16] b[16,8], float accumulation. With lane = 4g+q, register r, half h:
///   a: row g + 8(r&1), column 2q + h + 8(r>>1)    b: k 2q + h + 8r, column g    d: row g + 8(r>>1), column 2q + (r&1)
/// On sm_75 (f16 alone) two m16n8k8 make it.
template <class T>
WAM_DEVICE void mma_16816(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
template <>
WAM_DEVICE void mma_16816<bf16>(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}
template <>
WAM_DEVICE void mma_16816<f16>(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b[0]));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

// --- asynchronous copies global -> shared ------------------------------------------------------------------------------
/// 16 bytes, both sides 16-byte aligned; `valid` false writes zeros and does not read. On sm_75 a plain copy.
WAM_DEVICE void cp_async16(void* shared, const void* global, bool valid = true) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address_(shared)), "l"(global), "r"(bytes)
               : "memory");
#else
  *static_cast<uint4*>(shared) = valid ? *static_cast<const uint4*>(global) : make_uint4(0, 0, 0, 0);
#endif
}
/// 4 bytes, 4-byte aligned.
WAM_DEVICE void cp_async4(void* shared, const void* global, bool valid = true) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const int bytes = valid ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address_(shared)), "l"(global), "r"(bytes)
               : "memory");
#else
  *static_cast<unsigned*>(shared) = valid ? *static_cast<const unsigned*>(global) : 0u;
#endif
}
WAM_DEVICE void cp_async_commit() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Waits until at most `pending` of this thread's groups are in flight. Other threads' copies need a barrier after it.
template <int pending>
WAM_DEVICE void cp_async_wait() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

// --- global loads that are read once -----------------------------------------------------------------------------------
WAM_DEVICE float4 load_once(const float4* p) {
  float4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "l"(p));
  return v;
}

}  // namespace wam::WAM_GPU

#else

#ifndef WAM_GPU
#define WAM_GPU simt
#endif
#include "simt/device.h"

#endif
