#pragma once
// The key/value cache write of a cached step (kernels/kv_cache.cuh).

#include "cuda/cuda_backend.h"
#include "cuda/runtime.h"
#include "kernels/kv_cache.cuh"

namespace wam::WAM_GPU {

/// Rotates q in place by the rows' positions, and writes rotated keys and values to the cache in the type that
/// `precision` names (fp32: float). `turns` of p is filled in. Throws Error(ERR_SHAPE) for a head_dim that is odd or
/// above 256.
void launch_kv_cache(cudaStream_t stream, gpu::Precision precision, KvCacheParams p, float theta);

}  // namespace wam::WAM_GPU
