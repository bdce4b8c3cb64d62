// Copies and fills of the emulated runtime.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "simt/device_state.h"
#include "simt/stream.h"

namespace wam::simt {

namespace {

enum class Side { device, pinned, pageable };

/// Where memory of a copy lies; false when it is not what the kind says.
bool check_side(const void* p, std::size_t bytes, bool device, bool any, Side& side) {
  DeviceState& state = device_state();
  const bool in_buffer = state.buffers.holds(p, bytes);
  if (any) device = state.buffers.find(p) != nullptr;
  if (device != in_buffer) return false;
  if (!device && state.buffers.find(p) != nullptr) return false;
  side = device ? Side::device : is_pinned(p, bytes) ? Side::pinned : Side::pageable;
  return true;
}

cudaError_t check_copy(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, Side& to_side,
                       Side& from_side) {
  const bool any = kind == cudaMemcpyDefault;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (check_side(to, bytes, to_device, any, to_side) && check_side(from, bytes, from_device, any, from_side)) {
    return cudaSuccess;
  }
  report_misuse("copy outside of a buffer: " + std::to_string(bytes) + " bytes, of which a side is not what the kind " +
                "of copy says, or leaves its buffer");
  return set_error(cudaErrorInvalidValue);
}

/// Checked again when it runs: by then a buffer may be gone.
void copy_now(void* to, const void* from, std::size_t bytes, Side to_side, Side from_side) {
  DeviceState& state = device_state();
  if ((to_side == Side::device && !state.buffers.holds(to, bytes)) ||
      (from_side == Side::device && !state.buffers.holds(from, bytes))) {
    report_misuse("copy of " + std::to_string(bytes) + " bytes from or to a buffer that has been freed");
    return;
  }
  if (to_side == Side::device && from_side == Side::device)
    state.shadow.device_copied(to, from, bytes);
  else if (to_side == Side::device)
    state.shadow.host_wrote(to, bytes);
  std::memmove(to, from, bytes);
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  if (bytes == 0) return cudaSuccess;
  Side to_side, from_side;
  if (const cudaError_t e = check_copy(to, from, bytes, kind, to_side, from_side); e != cudaSuccess) return e;
  Stream& s = named(stream);
  const bool pageable = to_side == Side::pageable || from_side == Side::pageable;
  if (s.capture != nullptr && pageable) {
    s.invalidated = true;
    report_misuse("copy of pageable memory while a stream is recorded");
    return set_error(cudaErrorStreamCaptureUnsupported);
  }
  if (from_side == Side::pageable) {  // read before the call returns
    const auto* bytes_now = static_cast<const unsigned char*>(from);
    auto staged = std::make_shared<const std::vector<unsigned char>>(bytes_now, bytes_now + bytes);
    return queue(stream, [=] { copy_now(to, staged->data(), bytes, to_side, from_side); });
  }
  const cudaError_t e = queue(stream, [=] { copy_now(to, from, bytes, to_side, from_side); });
  if (e != cudaSuccess || to_side != Side::pageable) return e;
  drain(s);  // done before the call returns
  return take_failure();
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const DeviceLock lock(device_state().mutex);
  if (const cudaError_t e = forbid_in_capture("cudaMemcpy", cudaStreamCaptureModeThreadLocal); e != cudaSuccess)
    return e;
  if (bytes == 0) return take_failure();
  Side to_side, from_side;
  if (const cudaError_t e = check_copy(to, from, bytes, kind, to_side, from_side); e != cudaSuccess) return e;
  const cudaError_t e = queue(nullptr, [=] { copy_now(to, from, bytes, to_side, from_side); });
  if (e != cudaSuccess) return e;
  drain(named(nullptr));
  return take_failure();
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  DeviceState& state = device_state();
  const DeviceLock lock(state.mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  if (bytes == 0) return cudaSuccess;
  const auto holds = [memory, bytes] {
    if (device_state().buffers.holds(memory, bytes)) return true;
    report_misuse("memset of " + std::to_string(bytes) + " bytes that are not all in one live buffer");
    return false;
  };
  if (!holds()) return set_error(cudaErrorInvalidValue);
  return queue(stream, [=] {
    if (!holds()) return;
    device_state().shadow.host_wrote(memory, bytes);
    std::memset(memory, value, bytes);
  });
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
  const DeviceLock lock(device_state().mutex);
  if (const cudaError_t e = forbid_in_capture("cudaMemset", cudaStreamCaptureModeThreadLocal); e != cudaSuccess)
    return e;
  return cudaMemsetAsync(memory, value, bytes, nullptr);
}

cudaError_t discard(void* memory, std::size_t bytes, cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  if (bytes == 0) return cudaSuccess;
  return queue(stream, [=] {
    DeviceState& state = device_state();
    if (!state.buffers.holds(memory, bytes)) {
      report_misuse("discarding " + std::to_string(bytes) + " bytes that are not all in one live buffer");
      return;
    }
    state.shadow.discarded(memory, bytes);
    std::memset(memory, 0xff, bytes);  // NaN, as after cudaMalloc
  });
}

}  // namespace wam::simt
