#pragma once
// Streams, their queues, and what is recorded into graphs.

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "simt/runtime.h"

namespace wam::simt {

/// Work of a stream.
using Operation = std::function<void()>;

struct Graph {
  std::vector<std::shared_ptr<const Operation>> operations;
};
struct GraphExec {
  std::vector<std::shared_ptr<const Operation>> operations;
};

struct Stream {
  std::deque<std::shared_ptr<const Operation>> queue;
  bool blocking = true;      // with the default stream
  bool running = false;      // guards against events that wait for one another
  Graph* capture = nullptr;  // being recorded
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  bool invalidated = false;
};

struct Event {
  bool timing = true;
  Stream* stream = nullptr;    // that it was recorded on last
  std::uint64_t recorded = 0;  // times
  std::uint64_t reached = 0;   // the latest of them that was run
  std::chrono::steady_clock::time_point at;
};

/// Whether this is a stream; the default one, null, is.
bool exists(const Stream* stream);
Stream& named(Stream* stream);
/// Queues, records or runs. The default stream and blocking streams wait for one another.
cudaError_t queue(Stream* stream, Operation operation);
/// Notes the error for cudaGetLastError and returns it.
cudaError_t set_error(cudaError_t error);
/// cudaErrorLaunchFailure once when there was a report.
cudaError_t take_failure();
/// An error, and the end of the recording, while one is made in a mode up to `mode`.
cudaError_t forbid_in_capture(const char* call, cudaStreamCaptureMode mode);
void drain(Stream& stream);
void drain_all();
bool is_pinned(const void* memory, std::size_t bytes);

}  // namespace wam::simt
