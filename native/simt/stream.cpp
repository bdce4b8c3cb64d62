// Streams and events of the emulated runtime.

#include "simt/stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "simt/device_state.h"

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

}  // namespace

bool exists(const Stream* s) {
  const std::vector<Stream*>& all = streams().all;
  return s == nullptr || std::find(all.begin(), all.end(), s) != all.end();
}

Stream& named(Stream* s) { return s != nullptr ? *s : streams().default_stream; }

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

}  // namespace wam::simt
