#pragma once
// Kernels that the tests of the harness run: one for each thing it executes, and one full of mistakes. Compiled with
// the instrumentation of native/cuda, which the tests themselves are without.

#include <cstdint>

#include "kernels/device.cuh"

namespace wam::simt {

struct GeometryParams {
  std::int32_t* out = nullptr;  // [blocks, threads, 6]: threadIdx, blockIdx
};
void geometry(GeometryParams p);

/// Blocks of one warp. Each lane brings value[lane] and writes its results, kShuffleResults numbers of 64 bits.
struct ShuffleParams {
  const std::uint64_t* value = nullptr;  // [32]
  std::uint64_t* out = nullptr;          // [32, kShuffleResults]
};
inline constexpr int kShuffleResults = 20;
void shuffles(ShuffleParams p);

struct VoteParams {
  const std::int32_t* predicate = nullptr;  // [threads]
  std::uint32_t* out = nullptr;             // [threads, 8]
};
void votes(VoteParams p);

/// One warp: c[16,8] = a[16,16] b[16,8] (row-major 16-bit values) + c; a through ldmatrix, b through ldmatrix
/// transposed.
struct ProductParams {
  const std::uint16_t *a = nullptr, *b = nullptr;
  float* c = nullptr;
};
void product_bf16(ProductParams p);
void product_f16(ProductParams p);

/// One warp: what ldmatrix gives of 32 rows of 8 values. out [32 lanes, 12]: x4, x4 transposed, x2, x2 transposed.
struct LoadParams {
  const std::uint16_t* rows = nullptr;
  std::uint32_t* out = nullptr;
};
void load_fragments(LoadParams p);

/// One warp. Copies 16 bytes a lane in two groups, and looks at shared memory after issue, wait<1>, wait<0>; shared
/// memory holds -1 before. out [32, 3, 8].
struct CopyParams {
  const float* from = nullptr;  // [32, 8]
  float* out = nullptr;
  int valid_lanes = 32;  // the others copy zeros
};
void asynchronous_copies(CopyParams p);

/// Every thread applies every atomic to the cell of its kind.
struct AtomicParams {
  float* f = nullptr;
  double* d = nullptr;
  std::int32_t* i = nullptr;        // [6]: add, min, max, or, and, exchange
  unsigned long long* u = nullptr;  // [3]: add, min, max
  std::uint32_t* taken = nullptr;   // [threads of the grid]: atomicAdd of 1 gives each a number of its own
  std::uint32_t* counter = nullptr;
  std::uint32_t* swapped = nullptr;  // one cell, moved from k to k + 1 by compare-and-swap
};
void atomics(AtomicParams p);

/// y[i] = alpha x[i] + 1
struct ScaleParams {
  const float* x = nullptr;
  float* y = nullptr;
  float alpha = 0;
  int n = 0;
};
void scale(ScaleParams p);

enum class Fault {
  // mistakes
  read_after_write,
  write_after_read,
  write_after_write,
  write_after_several_reads,
  missing_warp_barrier,
  warp_barrier_of_other_lanes,
  uninitialised_shared,
  uninitialised_global,
  outside_shared,
  read_behind_buffer,
  write_before_buffer,
  use_after_free,
  misaligned_float4,
  misaligned_shared_word,
  read_in_flight,
  other_threads_copy_in_flight,
  barriers_of_two_places,
  barrier_after_return,
  collectives_of_two_places,
  not_in_own_mask,
  lane_outside_mask,
  collective_after_return,
  trap,
  race_between_blocks,
  read_of_other_block,
  race_in_block,
  atomic_and_plain,
  host_memory,
  other_threads_stack,
  // none
  warp_barriers,
  half_warp_barriers,
  neighbouring_bytes,
  constants,
  atomics_of_blocks,
  two_warps_readers,
  count,
};
/// 64 threads a block, 1 KiB of shared memory.
struct FaultParams {
  Fault fault = Fault::count;
  float* x = nullptr;  // [256]
  int n = 256;
};
void faults(FaultParams p);

}  // namespace wam::simt
