#pragma once
// Attention on buffers of any storage, for the backend (floats) and for whoever has 16-bit buffers. The kernels are cut
// over several sources by what nvcc needs for them.

#include <cstddef>
#include <vector>

#include "cuda/cuda_backend.h"
#include "cuda/kernel_info.h"
#include "cuda/launch.h"
#include "kernels/attention_backward_common.cuh"

namespace wam::WAM_GPU {

/// Precision bf16 and f16 multiply on tensor cores where head_dim is a multiple of 8 up to 128, else in float. 16-bit
/// storage, of the precision's own type, needs such a head_dim and rows that start at multiples of 16 bytes.
struct AttentionCall {
  AttentionParams params;  // buffers and shape; the launch sets query_tiles, splits, vector and the partial results
  gpu::Precision precision = gpu::Precision::fp32;
  int segment_count = 0, max_keys = 0;
  int multiprocessors = 0;  // of the device
};

struct AttentionBackwardCall {
  AttentionCall call;
  AttentionBackwardParams grad;  // all but `forward`, delta and range_tiles; atomic_dq chooses where dq comes from
  int key_range_count = 0, max_range_rows = 0;
};

/// Bytes of device memory that `scratch` of the launch points to. 0 for some shapes.
std::size_t attention_scratch_bytes(const AttentionCall& call);
std::size_t attention_scratch_bytes(const AttentionBackwardCall& call);

/// Throw Error(ERR_SHAPE) for a shape or storage that no kernel takes.
void launch_attention(cudaStream_t stream, const AttentionCall& call, void* scratch);
void launch_attention_backward(cudaStream_t stream, const AttentionBackwardCall& call, void* scratch);

// --- by source: what the functions above choose from ------------------------------------------------------------------
/// Query rows of a block.
int attention_fp32_tile(int head_dim, int max_queries);
int attention_mma_tile();
void launch_attention_fp32(cudaStream_t stream, const AttentionParams& p, int segment_count);
void launch_attention_fp32_backward(cudaStream_t stream, const AttentionBackwardCall& call);
void launch_attention_mma(cudaStream_t stream, const AttentionParams& p, gpu::Precision precision, int segment_count);
void launch_attention_mma_dq(cudaStream_t stream, const AttentionBackwardCall& call);
void launch_attention_mma_dkdv(cudaStream_t stream, const AttentionBackwardCall& call);
void list_attention_fp32_kernels(std::vector<KernelInfo>& out);
void list_attention_fp32_backward_kernels(std::vector<KernelInfo>& out);
void list_attention_mma_kernels(std::vector<KernelInfo>& out);
void list_attention_mma_dq_kernels(std::vector<KernelInfo>& out);
void list_attention_mma_dkdv_kernels(std::vector<KernelInfo>& out);

constexpr int kFewQueries = 32;  // at most: the kernels for few queries run

inline unsigned attention_tiles(int rows, int tile) { return static_cast<unsigned>((rows + tile - 1) / tile); }

/// A shape of the report of kernels: `segments` times `queries` rows that see `keys` keys.
struct AttentionShape {
  int segments, queries, keys, heads, head_dim;
};
/// `products`: of queries and keys over a head, 2 forward. `query_arrays` and `key_arrays` count the arrays of either
/// side's shape that are read or written once, with `element_bytes` a value.
KernelCase attention_case(const AttentionShape& shape, int products, int query_arrays, int key_arrays,
                          int element_bytes, unsigned blocks_of_head);

/// What the configuration says of a kernel; the cases are left to add.
template <auto kKernel, class Config>
KernelInfo describe_attention_kernel(const char* family, bool hot) {
  KernelInfo k;
  k.family = family, k.symbol = kernel_symbol<kKernel>();
  k.threads = Config::kThreads, k.shared_bytes = Config::kSharedBytes, k.hot = hot;
  return k;
}

}  // namespace wam::WAM_GPU
