#include "bench/timing.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace wam::bench {
namespace {

using WAM_GPU::check;

constexpr int kBlocks = 15;                 // the median is over these
constexpr double kBlockMicroseconds = 2e4;  // long against the resolution of an event, about 0.5 us
constexpr int kMaxPerBlock = 2000;

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "making an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event"); }
  double microseconds_since(const Event& earlier) {
    check(cudaEventSynchronize(event_), "waiting for an event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_), "reading an event");
    return 1e3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

double time_runs(cudaStream_t stream, int runs, const std::function<void()>& work) {
  Event begin, end;
  begin.record(stream);
  for (int i = 0; i < runs; ++i) work();
  end.record(stream);
  return end.microseconds_since(begin) / runs;
}

}  // namespace

double time_on_stream(cudaStream_t stream, const std::function<void()>& work) {
  for (int i = 0; i < 3; ++i) work();  // scratch memory, clocks, caches
  const double once = time_runs(stream, 1, work);
  const int runs = std::clamp(static_cast<int>(kBlockMicroseconds / std::max(once, 1.0)), 1, kMaxPerBlock);
  std::vector<double> blocks(kBlocks);
  for (double& block : blocks) block = time_runs(stream, runs, work);
  std::nth_element(blocks.begin(), blocks.begin() + kBlocks / 2, blocks.end());
  return blocks[kBlocks / 2];
}

double time_operation(WAM_GPU::GpuBackend& backend, bool recordable, const std::function<void()>& operation) {
  if (!recordable) return time_on_stream(backend.stream(), operation);
  static std::uint64_t key = 0;
  ++key;
  constexpr int kCopies = 20;
  const auto copies = [&] {
    for (int i = 0; i < kCopies; ++i) operation();
  };
  return time_on_stream(backend.stream(), [&] { backend.replay(key, copies); }) / kCopies;
}

}  // namespace wam::bench
