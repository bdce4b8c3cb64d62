// Recordings and launches of the emulated runtime.

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "simt/device_state.h"
#include "simt/engine.h"
#include "simt/stream.h"

namespace wam::simt {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const DeviceLock lock(device_state().mutex);
  if (stream == nullptr || !exists(stream)) return set_error(cudaErrorStreamCaptureUnsupported);
  if (stream->capture != nullptr) return set_error(cudaErrorInvalidValue);
  stream->capture = new Graph;
  stream->mode = mode;
  stream->invalidated = false;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const DeviceLock lock(device_state().mutex);
  *graph = nullptr;
  if (stream == nullptr || !exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  if (stream->capture == nullptr) return set_error(cudaErrorStreamCaptureUnmatched);
  std::unique_ptr<Graph> made(std::exchange(stream->capture, nullptr));
  if (stream->invalidated) return set_error(cudaErrorStreamCaptureInvalidated);
  *graph = made.release();
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const DeviceLock lock(device_state().mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  const Stream& s = named(stream);
  *status = s.capture == nullptr ? cudaStreamCaptureStatusNone
            : s.invalidated      ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const DeviceLock lock(device_state().mutex);
  if (graph == nullptr) return set_error(cudaErrorInvalidValue);
  *executable = new GraphExec{graph->operations};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (executable == nullptr || !exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  return queue(stream, [operations = executable->operations] {
    for (const auto& operation : operations) (*operation)();
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const DeviceLock lock(device_state().mutex);
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const DeviceLock lock(device_state().mutex);
  delete graph;
  return cudaSuccess;
}

namespace {
std::unordered_map<const void*, std::size_t>& shared_limits() {
  static auto& map = *new std::unordered_map<const void*, std::size_t>;
  return map;
}
}  // namespace

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const DeviceLock lock(device_state().mutex);
  if (kernel == nullptr) return set_error(cudaErrorInvalidValue);
  if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
  if (value < 0 || static_cast<std::size_t>(value) > kMaxSharedBytes) return set_error(cudaErrorInvalidValue);
  shared_limits()[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

cudaError_t queue_launch(cudaStream_t stream, const KernelLaunch& launch) {
  const DeviceLock lock(device_state().mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  const dim3 grid = launch.grid, block = launch.block;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMaxThreads || block.z > 64 || grid.x == 0 || grid.x > 0x7fffffffu || grid.y == 0 ||
      grid.y > 65535 || grid.z == 0 || grid.z > 65535) {
    return set_error(cudaErrorInvalidConfiguration);
  }
  if (threads % kWarp != 0) {  // CUDA takes it; the rules of kernel code do not
    report_misuse(std::string("block of ") + std::to_string(threads) + " threads, no multiple of 32: kernel " +
                  launch.name);
    return set_error(cudaErrorInvalidConfiguration);
  }
  const auto limit = shared_limits().find(reinterpret_cast<const void*>(launch.kernel));
  if (launch.shared_bytes > std::max(kDefaultSharedBytes, limit == shared_limits().end() ? 0 : limit->second)) {
    return set_error(cudaErrorInvalidValue);
  }
  return queue(stream, [launch] { run_kernel(launch); });
}

}  // namespace wam::simt
