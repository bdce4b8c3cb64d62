// Streams, events, copies, recordings and launches of the emulated runtime.

#include "simt/stream.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>

#include "simt/device_state.h"
#include "simt/engine.h"

namespace wam::simt {

namespace {

struct Streams {
  Stream default_stream;
  std::vector<Stream*> all;
};
Streams& streams() {
  static auto& instance = *new Streams;
  return instance;
}

bool exists(const Stream* s) {
  const std::vector<Stream*>& all = streams().all;
  return s == nullptr || std::find(all.begin(), all.end(), s) != all.end();
}

Stream& named(Stream* s) { return s != nullptr ? *s : streams().default_stream; }

/// Queues, records or runs. The default stream and blocking streams wait for one another.
cudaError_t queue(Stream* handle, Operation operation) {
  Stream& stream = named(handle);
  auto shared = std::make_shared<const Operation>(std::move(operation));
  if (stream.capture != nullptr) {
    if (stream.invalidated) return set_error(cudaErrorStreamCaptureInvalidated);
    stream.capture->operations.push_back(std::move(shared));
    return cudaSuccess;
  }
  if (handle == nullptr) {
    if (const cudaError_t e = forbid_in_capture("work on the default stream", cudaStreamCaptureModeGlobal);
        e != cudaSuccess)
      return e;
    for (Stream* s : streams().all) {
      if (s->blocking) drain(*s);
    }
  } else if (stream.blocking) {
    drain(streams().default_stream);
  }
  stream.queue.push_back(std::move(shared));
  if (!device_state().options.deferred) drain(stream);
  return cudaSuccess;
}

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

void drain(Stream& stream) {
  if (stream.running) return;
  stream.running = true;
  while (!stream.queue.empty()) {
    const std::shared_ptr<const Operation> operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    (*operation)();
  }
  stream.running = false;
}

void drain_all() {
  for (Stream* s : streams().all) drain(*s);
  drain(streams().default_stream);
}

cudaError_t forbid_in_capture(const char* call, cudaStreamCaptureMode mode) {
  // A recording in global mode forbids unsafe calls, one in relaxed mode nothing. Threads are not told apart.
  for (Stream* s : streams().all) {
    if (s->capture == nullptr || s->mode > mode) continue;
    s->invalidated = true;
    report_misuse(std::string(call) + " while a stream is recorded");
    return set_error(cudaErrorStreamCaptureUnsupported);
  }
  return cudaSuccess;
}

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
  drain(streams().default_stream);
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

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const DeviceLock lock(device_state().mutex);
  auto made = std::make_unique<Stream>();
  made->blocking = (flags & cudaStreamNonBlocking) == 0;
  streams().all.push_back(made.get());
  *stream = made.release();
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (stream == nullptr || !exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  drain(*stream);
  delete stream->capture;
  std::vector<Stream*>& all = streams().all;
  all.erase(std::find(all.begin(), all.end(), stream));
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  Stream& s = named(stream);
  if (s.capture != nullptr) {
    s.invalidated = true;
    report_misuse("cudaStreamSynchronize while the stream is recorded");
    return set_error(cudaErrorStreamCaptureUnsupported);
  }
  drain(s);
  return take_failure();
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (!exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  return named(stream).queue.empty() ? take_failure() : cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize() {
  const DeviceLock lock(device_state().mutex);
  if (const cudaError_t e = forbid_in_capture("cudaDeviceSynchronize", cudaStreamCaptureModeThreadLocal);
      e != cudaSuccess)
    return e;
  drain_all();
  return take_failure();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  auto made = std::make_unique<Event>();
  made->timing = (flags & cudaEventDisableTiming) == 0;
  *event = made.release();
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const DeviceLock lock(device_state().mutex);
  if (event == nullptr) return set_error(cudaErrorInvalidResourceHandle);
  if (event->stream != nullptr && exists(event->stream)) drain(*event->stream);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const DeviceLock lock(device_state().mutex);
  if (event == nullptr || !exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  event->stream = &named(stream);
  const std::uint64_t number = ++event->recorded;
  return queue(stream, [event, number] {
    event->reached = number;
    event->at = std::chrono::steady_clock::now();
  });
}

namespace {
/// Runs the stream of the event up to it.
void reach(Event& event) {
  if (event.stream != nullptr && event.reached < event.recorded) drain(*event.stream);
}
}  // namespace

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const DeviceLock lock(device_state().mutex);
  if (event == nullptr) return set_error(cudaErrorInvalidResourceHandle);
  reach(*event);
  return take_failure();
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const DeviceLock lock(device_state().mutex);
  if (event == nullptr) return set_error(cudaErrorInvalidResourceHandle);
  return event->reached == event->recorded ? take_failure() : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const DeviceLock lock(device_state().mutex);
  if (start == nullptr || end == nullptr || !start->timing || !end->timing || start->recorded == 0 ||
      end->recorded == 0) {
    return set_error(cudaErrorInvalidResourceHandle);
  }
  if (start->reached < start->recorded || end->reached < end->recorded) return set_error(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(end->at - start->at).count();
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const DeviceLock lock(device_state().mutex);
  if (event == nullptr || !exists(stream)) return set_error(cudaErrorInvalidResourceHandle);
  if (named(stream).capture != nullptr) return set_error(cudaErrorStreamCaptureUnsupported);
  return queue(stream, [event] { reach(*event); });
}

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
