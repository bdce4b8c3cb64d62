#pragma once
// Random numbers written to device memory (kernels/random.cuh).

#include "cuda/runtime.h"
#include "kernels/random.cuh"

namespace wam::WAM_GPU {

/// Queues the fill that p describes.
void launch_philox_fill(cudaStream_t stream, const PhiloxFillParams& p);

}  // namespace wam::WAM_GPU
