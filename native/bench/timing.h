#pragma once
// Time of operations on the device by CUDA events.

#include <functional>

#include "cuda/cuda_backend_impl.h"

namespace wam::bench {

/// Median microseconds of one `operation`. A recordable one (it returns nothing to the host) is replayed from a graph that
/// holds it many times, so that the processor's part of a launch is not in the figure.
double time_operation(WAM_GPU::GpuBackend& backend, bool recordable, const std::function<void()>& operation);

/// The same of any work on `stream`, launched as it is.
double time_on_stream(cudaStream_t stream, const std::function<void()>& operation);

}  // namespace wam::bench
