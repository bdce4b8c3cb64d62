#pragma once
// Launching a kernel, with errors that name it.

#include <cstddef>
#include <string>

#include "core/error.h"
#include "cuda/runtime.h"
#include "kernels/device.cuh"

namespace wam::WAM_GPU {

struct LaunchShape {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
};

/// Throws Error(ERR_INTERNAL or ERR_OUT_OF_MEMORY) saying what was done, and why it failed.
[[noreturn]] inline void fail(cudaError_t status, const std::string& doing) {
  (void)cudaGetLastError();  // a sticky error would be blamed on the next call as well
  const char* code = status == cudaErrorMemoryAllocation ? "ERR_OUT_OF_MEMORY" : "ERR_INTERNAL";
  throw Error(code, doing + ": " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) + ")");
}
/// The text is put together on failure alone: this stands behind every call of a plan.
inline void check(cudaError_t status, const char* doing, std::size_t bytes = 0) {
  if (status == cudaSuccess) return;
  fail(status, bytes == 0 ? doing : std::string(doing) + " (" + std::to_string(bytes) + " bytes)");
}

inline std::string describe(const char* name, const LaunchShape& s) {
  const auto dims = [](dim3 d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
  };
  return std::string("kernel ") + name + ", grid " + dims(s.grid) + ", block " + dims(s.block) + ", " +
         std::to_string(s.shared_bytes) + " bytes of shared memory";
}

/// Queues kernel(params) on the stream. An empty grid is no launch.
template <class Params>
void launch(cudaStream_t stream, const char* name, void (*kernel)(Params), const LaunchShape& shape,
            const Params& params) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  constexpr std::size_t kStaticLimit = 48 * 1024;  // beyond it a kernel must ask
  if (shape.shared_bytes > kStaticLimit) {
    const cudaError_t status =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shape.shared_bytes));
    if (status != cudaSuccess) fail(status, describe(name, shape));
  }
#if defined(__CUDACC__)
  void* arguments[] = {const_cast<Params*>(&params)};
  const cudaError_t status = cudaLaunchKernel(reinterpret_cast<const void*>(kernel), shape.grid, shape.block, arguments,
                                              shape.shared_bytes, stream);
#else
  const cudaError_t status =
      simt::launch_kernel(stream, name, kernel, shape.grid, shape.block, shape.shared_bytes, params);
#endif
  if (status != cudaSuccess) fail(status, describe(name, shape));
}

}  // namespace wam::WAM_GPU
