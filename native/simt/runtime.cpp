// Devices, errors and memory of the emulated runtime.

#include "simt/runtime.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <unordered_map>

#include "simt/device_state.h"
#include "simt/stream.h"

namespace wam::simt {

cudaError_t set_error(cudaError_t error) {
  if (error != cudaSuccess) device_state().last_error = error;
  return error;
}

cudaError_t take_failure() {
  DeviceState& state = device_state();
  if (!state.failed || !state.options.fail_on_report) return cudaSuccess;
  state.failed = false;
  return set_error(cudaErrorLaunchFailure);
}

const char* cudaGetErrorName(cudaError_t error) {
#define WAM_NAME(name) \
  case name:           \
    return #name;
  switch (error) {
    WAM_NAME(cudaSuccess)
    WAM_NAME(cudaErrorInvalidValue)
    WAM_NAME(cudaErrorMemoryAllocation)
    WAM_NAME(cudaErrorInvalidConfiguration)
    WAM_NAME(cudaErrorInvalidDevicePointer)
    WAM_NAME(cudaErrorInvalidMemcpyDirection)
    WAM_NAME(cudaErrorInsufficientDriver)
    WAM_NAME(cudaErrorNoDevice)
    WAM_NAME(cudaErrorInvalidDevice)
    WAM_NAME(cudaErrorInvalidResourceHandle)
    WAM_NAME(cudaErrorNotReady)
    WAM_NAME(cudaErrorIllegalAddress)
    WAM_NAME(cudaErrorLaunchFailure)
    WAM_NAME(cudaErrorStreamCaptureUnsupported)
    WAM_NAME(cudaErrorStreamCaptureInvalidated)
    WAM_NAME(cudaErrorStreamCaptureUnmatched)
  }
#undef WAM_NAME
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevicePointer:
      return "invalid device pointer";
    case cudaErrorInvalidMemcpyDirection:
      return "invalid copy direction for memcpy";
    case cudaErrorInsufficientDriver:
      return "driver version is insufficient for runtime version";
    case cudaErrorNoDevice:
      return "no device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnmatched:
      return "stream is not capturing";
    case cudaErrorLaunchFailure:
      break;
  }
  // The caller may keep the text: every one that was given out stays.
  static std::set<std::string>& given = *new std::set<std::string>;
  const DeviceLock lock(device_state().mutex);
  const std::vector<std::string>& texts = device_state().reports.texts();
  return given.insert(texts.empty() ? "unspecified launch failure" : texts.front()).first->c_str();
}

cudaError_t cudaGetLastError() {
  const DeviceLock lock(device_state().mutex);
  return std::exchange(device_state().last_error, cudaSuccess);
}

cudaError_t cudaPeekAtLastError() {
  const DeviceLock lock(device_state().mutex);
  return device_state().last_error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  const DeviceLock lock(device_state().mutex);
  return set_error(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const DeviceLock lock(device_state().mutex);
  if (device != 0) return set_error(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "SIMT harness");
  properties->major = 9;
  properties->multiProcessorCount = device_state().options.multiprocessors;
  properties->totalGlobalMem = device_state().options.device_memory;
  properties->sharedMemPerBlock = kDefaultSharedBytes;
  properties->sharedMemPerBlockOptin = kMaxSharedBytes;
  properties->sharedMemPerMultiprocessor = kMaxSharedBytes + 1024;
  properties->maxThreadsPerBlock = kMaxThreads;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->regsPerBlock = 65536;
  properties->l2CacheSize = 50 << 20;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  const DeviceLock lock(device_state().mutex);
  if (device != 0) return set_error(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = kMaxThreads;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(kDefaultSharedBytes);
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = device_state().options.multiprocessors;
      return cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(kMaxSharedBytes) + 1024;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(kMaxSharedBytes);
      return cudaSuccess;
  }
  return set_error(cudaErrorInvalidValue);
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  DeviceState& state = device_state();
  const DeviceLock lock(state.mutex);
  if (const cudaError_t error = forbid_in_capture("cudaMalloc", cudaStreamCaptureModeThreadLocal); error != cudaSuccess)
    return error;
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (bytes > state.options.device_memory || state.buffers.live_bytes() > state.options.device_memory - bytes) {
    return set_error(cudaErrorMemoryAllocation);
  }
  const Buffer* buffer = state.buffers.allocate(bytes);
  if (buffer == nullptr) return set_error(cudaErrorMemoryAllocation);
  *memory = buffer->memory;
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  DeviceState& state = device_state();
  const DeviceLock lock(state.mutex);
  if (const cudaError_t error = forbid_in_capture("cudaFree", cudaStreamCaptureModeThreadLocal); error != cudaSuccess)
    return error;
  if (memory == nullptr) return cudaSuccess;
  drain_all();  // as CUDA does
  if (!state.buffers.release(memory)) return set_error(cudaErrorInvalidValue);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const DeviceState& state = device_state();
  const DeviceLock lock(device_state().mutex);
  *total = state.options.device_memory;
  *free = *total - state.buffers.live_bytes();
  return cudaSuccess;
}

namespace {
std::unordered_map<void*, std::size_t>& pinned() {
  static auto& map = *new std::unordered_map<void*, std::size_t>;
  return map;
}
}  // namespace

bool is_pinned(const void* memory, std::size_t bytes) {
  const auto* p = static_cast<const unsigned char*>(memory);
  for (const auto& [start, length] : pinned()) {
    const auto* begin = static_cast<const unsigned char*>(start);
    if (p >= begin && p + bytes <= begin + length) return true;
  }
  return false;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  const DeviceLock lock(device_state().mutex);
  if (const cudaError_t error = forbid_in_capture("cudaMallocHost", cudaStreamCaptureModeThreadLocal);
      error != cudaSuccess)
    return error;
  *memory = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (posix_memalign(memory, 4096, bytes) != 0) return set_error(cudaErrorMemoryAllocation);
  pinned()[*memory] = bytes;
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) { return cudaMallocHost(memory, bytes); }

cudaError_t cudaFreeHost(void* memory) {
  const DeviceLock lock(device_state().mutex);
  if (const cudaError_t error = forbid_in_capture("cudaFreeHost", cudaStreamCaptureModeThreadLocal);
      error != cudaSuccess)
    return error;
  if (memory == nullptr) return cudaSuccess;
  if (pinned().erase(memory) == 0) return set_error(cudaErrorInvalidValue);
  drain_all();
  std::free(memory);
  return cudaSuccess;
}

}  // namespace wam::simt
