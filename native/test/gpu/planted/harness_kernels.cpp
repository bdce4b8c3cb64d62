#include "test/gpu/planted/harness_kernels.h"

namespace wam::simt {

__global__ void geometry(const __grid_constant__ GeometryParams p) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  std::int32_t* out = p.out + 6 * (block * blockDim.x * blockDim.y * blockDim.z + thread);
  out[0] = static_cast<std::int32_t>(threadIdx.x);
  out[1] = static_cast<std::int32_t>(threadIdx.y);
  out[2] = static_cast<std::int32_t>(threadIdx.z);
  out[3] = static_cast<std::int32_t>(blockIdx.x);
  out[4] = static_cast<std::int32_t>(blockIdx.y);
  out[5] = static_cast<std::int32_t>(blockIdx.z);
}

__global__ void __launch_bounds__(32) shuffles(const __grid_constant__ ShuffleParams p) {
  constexpr unsigned kAll = 0xffffffffu;
  const int lane = static_cast<int>(threadIdx.x);
  const std::uint64_t mine = p.value[lane];
  std::uint64_t* out = p.out + kShuffleResults * lane;
  int n = 0;
  for (const int width : {32, 16, 8}) {
    out[n++] = __shfl_sync(kAll, mine, 5 * lane + 3, width);
    out[n++] = __shfl_up_sync(kAll, mine, 3, width);
    out[n++] = __shfl_down_sync(kAll, mine, 5, width);
    out[n++] = __shfl_xor_sync(kAll, mine, 9, width);
  }
  // The other types, whose bits must travel unchanged.
  out[n++] = static_cast<std::uint64_t>(
      __double_as_longlong(__shfl_sync(kAll, __longlong_as_double(static_cast<long long>(mine)), 7)));
  out[n++] = __float_as_uint(__shfl_xor_sync(kAll, __uint_as_float(static_cast<unsigned>(mine)), 1));
  out[n++] = static_cast<std::uint64_t>(__shfl_up_sync(kAll, static_cast<int>(mine), 1u));
  out[n++] = static_cast<std::uint64_t>(__shfl_down_sync(kAll, static_cast<unsigned>(mine), 1u));
  // Two halves at once, in different branches.
  if (lane < 16) {
    out[n++] = __shfl_xor_sync(0x0000ffffu, mine, 15);
    out[n++] = __ballot_sync(0x0000ffffu, lane % 3 == 0);
  } else {
    out[n++] = __shfl_xor_sync(0xffff0000u, mine, 8);
    out[n++] = __ballot_sync(0xffff0000u, lane % 5 == 0);
  }
  out[n++] = __match_any_sync(kAll, mine % 5);
  out[n++] = static_cast<std::uint64_t>(__popc(__match_any_sync(kAll, static_cast<float>(mine % 3))));
}

__global__ void votes(const __grid_constant__ VoteParams p) {
  constexpr unsigned kAll = 0xffffffffu;
  const int mine = p.predicate[threadIdx.x];
  std::uint32_t* out = p.out + 8 * threadIdx.x;
  out[0] = __ballot_sync(kAll, mine);
  out[1] = static_cast<std::uint32_t>(__any_sync(kAll, mine));
  out[2] = static_cast<std::uint32_t>(__all_sync(kAll, mine));
  out[3] = static_cast<std::uint32_t>(__syncthreads_count(mine));
  out[4] = static_cast<std::uint32_t>(__syncthreads_or(mine));
  out[5] = static_cast<std::uint32_t>(__syncthreads_and(mine));
  out[6] = static_cast<std::uint32_t>(__syncthreads_count(mine == 0));
  out[7] = static_cast<std::uint32_t>(__all_sync(kAll, 1));
}

namespace {

template <class T>
void product(const ProductParams& p) {
  WAM_SHARED(base);
  auto* a = reinterpret_cast<std::uint16_t*>(base);  // [16][16]
  std::uint16_t* b = a + 256;                        // [16][8]
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) a[i] = p.a[i];
  for (int i = lane; i < 128; i += 32) b[i] = p.b[i];
  __syncwarp();
  std::uint32_t fa[4], fb[2];
  // Matrices 0 to 3 of a: rows 0-7 and 8-15 of columns 0-7, then of columns 8-15.
  ldmatrix_x4(fa, a + (lane % 16) * 16 + lane / 16 * 8);
  ldmatrix_x2<true>(fb, b + lane % 16 * 8);
  float d[4];
  const int g = lane / 4, q = lane % 4;
  for (int r = 0; r < 4; ++r) d[r] = p.c[(g + 8 * (r >> 1)) * 8 + 2 * q + (r & 1)];
  mma_16816<T>(d, fa, fb);
  for (int r = 0; r < 4; ++r) p.c[(g + 8 * (r >> 1)) * 8 + 2 * q + (r & 1)] = d[r];
}

}  // namespace

__global__ void __launch_bounds__(32) product_bf16(const __grid_constant__ ProductParams p) { product<bf16>(p); }
__global__ void __launch_bounds__(32) product_f16(const __grid_constant__ ProductParams p) { product<f16>(p); }

__global__ void __launch_bounds__(32) load_fragments(const __grid_constant__ LoadParams p) {
  WAM_SHARED(base);
  auto* rows = reinterpret_cast<std::uint16_t*>(base);  // [32][8]
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) rows[i] = p.rows[i];
  __syncwarp();
  std::uint32_t four[4], two[2];
  std::uint32_t* out = p.out + 12 * lane;
  ldmatrix_x4(four, rows + 8 * lane);
  for (int r = 0; r < 4; ++r) out[r] = four[r];
  ldmatrix_x4<true>(four, rows + 8 * lane);
  for (int r = 0; r < 4; ++r) out[4 + r] = four[r];
  ldmatrix_x2(two, rows + 8 * (lane % 16));
  for (int r = 0; r < 2; ++r) out[8 + r] = two[r];
  ldmatrix_x2<true>(two, rows + 8 * (lane % 16));
  for (int r = 0; r < 2; ++r) out[10 + r] = two[r];
}

__global__ void __launch_bounds__(32) asynchronous_copies(const __grid_constant__ CopyParams p) {
  WAM_SHARED(base);
  const int lane = static_cast<int>(threadIdx.x);
  float* mine = reinterpret_cast<float*>(base) + 8 * lane;
  float* out = p.out + 24 * lane;
  const float* from = p.from + 8 * lane;
  const bool valid = lane < p.valid_lanes;
  for (int i = 0; i < 8; ++i) mine[i] = -1;
  cp_async16(mine, from, valid);
  cp_async_commit();
  for (int i = 4; i < 8; ++i) cp_async4(mine + i, from + i, valid);
  cp_async_commit();
  for (int i = 0; i < 8; ++i) out[i] = mine[i];
  cp_async_wait<1>();
  for (int i = 0; i < 8; ++i) out[8 + i] = mine[i];
  cp_async_wait<0>();
  for (int i = 0; i < 8; ++i) out[16 + i] = mine[i];
}

__global__ void atomics(const __grid_constant__ AtomicParams p) {
  const int k = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(p.f, static_cast<float>(k));
  atomicAdd(p.d, static_cast<double>(k) * 0.5);
  atomicAdd(p.i, k);
  atomicMin(p.i + 1, -k);
  atomicMax(p.i + 2, k * 3);
  atomicOr(p.i + 3, 1 << k % 31);
  atomicAnd(p.i + 4, ~(1 << k % 31));
  atomicExch(p.i + 5, k);
  atomicAdd(p.u, static_cast<unsigned long long>(k) << 33);
  atomicMin(p.u + 1, static_cast<unsigned long long>(k) << 33);
  atomicMax(p.u + 2, static_cast<unsigned long long>(k) << 33);
  p.taken[k] = atomicAdd(p.counter, 1u);
  std::uint32_t expected = 0;
  for (std::uint32_t seen; (seen = atomicCAS(p.swapped, expected, expected + 1)) != expected;) expected = seen;
}

__global__ void scale(const __grid_constant__ ScaleParams p) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < p.n) p.y[i] = p.alpha * p.x[i] + 1;
}

namespace {

__constant__ const float kTable[4] = {1, 2, 3, 4};

struct Scratch {
  float* volatile address;
};

void shared_faults(const FaultParams& p, float* s, int thread) {
  const int other = (thread + 32) % 64;
  const int lane = thread % 32;
  switch (p.fault) {
    case Fault::read_after_write:
      s[thread] = 1;
      p.x[thread] = s[other];
      break;
    case Fault::write_after_read:
      s[thread] = 1;
      __syncthreads();
      p.x[thread] = s[thread];
      s[other] = 2;
      break;
    case Fault::write_after_write:
      s[thread % 32] = static_cast<float>(thread);
      break;
    case Fault::write_after_several_reads:
      s[thread] = 1;
      __syncthreads();
      p.x[thread] = s[0] + s[1];
      if (thread == 63) s[1] = 2;
      break;
    case Fault::missing_warp_barrier:
      s[thread] = 1;
      p.x[thread] = s[thread ^ 1];
      break;
    case Fault::warp_barrier_of_other_lanes:  // lanes 0-15 and 16-31 synchronise among themselves
      s[thread] = 1;
      if (lane < 16)
        __syncwarp(0x0000ffffu);
      else
        __syncwarp(0xffff0000u);
      p.x[thread] = s[thread ^ 16];
      break;
    case Fault::warp_barriers:
      for (int step = 0; step < 3; ++step) {
        s[thread] = static_cast<float>(step);
        __syncwarp();
        p.x[thread] = s[thread ^ 1] + s[thread ^ 31];
        __syncwarp();
      }
      break;
    case Fault::half_warp_barriers:
      s[thread] = 1;
      if (lane < 16)
        __syncwarp(0x0000ffffu);
      else
        __syncwarp(0xffff0000u);
      p.x[thread] = s[thread ^ 8];
      break;
    case Fault::two_warps_readers:
      s[thread] = 1;
      __syncthreads();
      p.x[thread] = s[other] + s[thread];
      __syncthreads();
      s[other] = 2;
      break;
    case Fault::uninitialised_shared:
      if (thread != 40) s[thread] = 1;
      __syncthreads();
      p.x[thread] = s[thread];
      break;
    case Fault::outside_shared:
      s[4 * thread + 4] = 1;
      break;
    case Fault::misaligned_shared_word:
      *reinterpret_cast<unsigned*>(reinterpret_cast<unsigned char*>(s) + 4 * thread + 2) = 1;
      break;
    case Fault::read_in_flight:
      cp_async16(s + 4 * thread, p.x + 4 * thread);
      cp_async_commit();
      p.x[thread] = s[4 * thread];
      break;
    case Fault::other_threads_copy_in_flight:
      cp_async16(s + 4 * thread, p.x + 4 * thread);
      cp_async_commit();
      __syncthreads();
      p.x[thread] = s[4 * other];
      break;
    case Fault::neighbouring_bytes: {
      auto* bytes = reinterpret_cast<unsigned char*>(s);
      auto* halves = reinterpret_cast<std::uint16_t*>(s + 32);
      bytes[thread] = 1;
      halves[thread] = 2;
      __syncthreads();
      p.x[thread] = static_cast<float>(bytes[63 - thread] + halves[63 - thread]);
      if (thread < 16) p.x[thread] += static_cast<float>(reinterpret_cast<unsigned*>(bytes)[thread]);
      break;
    }
    default:
      break;
  }
}

void global_faults(const FaultParams& p, int thread) {
  const int block = static_cast<int>(blockIdx.x);
  switch (p.fault) {
    case Fault::uninitialised_global:
      p.x[64 + thread] = p.x[thread];
      break;
    case Fault::read_behind_buffer:
      p.x[thread] = p.x[thread * 4 + 4];
      break;
    case Fault::write_before_buffer:
      p.x[thread - 1] = 1;
      break;
    case Fault::use_after_free:
      p.x[thread] = 1;
      break;
    case Fault::misaligned_float4: {
      const float4 v = *reinterpret_cast<const float4*>(p.x + thread + 1);
      p.x[thread] = v.x + v.y;
      break;
    }
    case Fault::race_between_blocks:
      p.x[thread + 32 * block] = 1;
      break;
    case Fault::read_of_other_block:
      if (block == 0)
        p.x[thread] = 1;
      else
        p.x[128 + thread] = p.x[thread];
      break;
    case Fault::race_in_block:
      p.x[thread] = 1;
      p.x[128 + thread] = p.x[thread ^ 32];
      break;
    case Fault::atomic_and_plain:
      if (thread % 2 == 0)
        atomicAdd(p.x, 1.0f);
      else
        p.x[0] = 1;
      break;
    case Fault::atomics_of_blocks:
      atomicAdd(p.x + thread, 1.0f);
      break;
    case Fault::host_memory:
      p.x[0] = p.x[1];
      break;
    case Fault::constants:
      p.x[thread + 64 * block] = kTable[thread % 4];
      break;
    default:
      break;
  }
}

[[gnu::noinline]] float local_of_lane(int lane) {
  // The address of lane 0's local variable, read by the others.
  float local = 5;
  Scratch mine{&local};
  const auto address = static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(mine.address));
  const auto* of_0 = reinterpret_cast<const float*>(static_cast<std::uintptr_t>(__shfl_sync(0xffffffffu, address, 0)));
  return *of_0 + static_cast<float>(lane);
}

}  // namespace

__global__ void __launch_bounds__(64) faults(const __grid_constant__ FaultParams p) {
  WAM_SHARED(base);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  switch (p.fault) {
    case Fault::barriers_of_two_places:
      if (thread < 32)
        __syncthreads();
      else
        __syncthreads();
      break;
    case Fault::barrier_after_return:
      if (thread == 7) return;
      __syncthreads();
      break;
    case Fault::collectives_of_two_places:
      p.x[thread] = lane < 16 ? __shfl_xor_sync(0xffffffffu, 1.0f, 1) : __shfl_xor_sync(0xffffffffu, 2.0f, 1);
      break;
    case Fault::not_in_own_mask:
      __syncwarp(0x0000ffffu);
      break;
    case Fault::lane_outside_mask:
      if (lane < 16) p.x[thread] = __shfl_sync(0x0000ffffu, 1.0f, lane + 8);
      break;
    case Fault::collective_after_return:
      if (lane == 3) return;
      p.x[thread] = static_cast<float>(__any_sync(0xffffffffu, 1));
      break;
    case Fault::trap:
      if (thread == 5) __trap();
      break;
    case Fault::other_threads_stack:
      p.x[thread] = local_of_lane(lane);
      break;
    default:
      shared_faults(p, reinterpret_cast<float*>(base), thread);
      global_faults(p, thread);
  }
}

}  // namespace wam::simt
