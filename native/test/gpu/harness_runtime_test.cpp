// The emulated runtime keeps CUDA's rules: what is recorded runs later and by value, what may not be recorded fails,
// work in flight reads pinned memory late, limits and errors are those of CUDA.

#include "simt/runtime.h"
#include "test/gpu/gpu_support.h"
#include "test/gpu/planted/harness_kernels.h"

using namespace wam;
using namespace wam::simt;

namespace {

constexpr int kCount = 256;
constexpr std::size_t kBytes = kCount * sizeof(float);

/// Two device arrays, a pinned one, and a stream of its own; gone at the end of the scope.
struct Setup {
  float *x = nullptr, *y = nullptr, *pinned = nullptr;
  cudaStream_t stream = nullptr;
  Setup() {
    CHECK_EQ(cudaMalloc(&x, kBytes), cudaSuccess);
    CHECK_EQ(cudaMalloc(&y, kBytes), cudaSuccess);
    CHECK_EQ(cudaMallocHost(&pinned, kBytes), cudaSuccess);
    CHECK_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    set(1);
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;
  ~Setup() {
    cudaStreamDestroy(stream);
    cudaFreeHost(pinned);
    cudaFree(x);
    cudaFree(y);
  }
  void set(float value) {
    const std::vector<float> values(kCount, value);
    CHECK_EQ(cudaMemcpyAsync(x, values.data(), kBytes, cudaMemcpyHostToDevice, stream), cudaSuccess);
  }
  cudaError_t scale_by(float alpha) {
    return launch_kernel(stream, "scale", scale, kCount / 64, 64, 0, {x, y, alpha, kCount});
  }
  float first_y() {
    float value = -1;
    CHECK_EQ(cudaMemcpyAsync(&value, y, sizeof value, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    return value;
  }
};

HarnessOptions deferred() {
  HarnessOptions options;
  options.deferred = true;
  return options;
}

}  // namespace

TEST(harness_replays_what_was_recorded) {
  for (const bool late : {false, true}) {
    HarnessOptions options;
    options.deferred = late;
    const ScopedOptions scope(options);
    Setup s;
    CHECK_EQ(s.scale_by(10), cudaSuccess);
    CHECK_EQ(s.first_y(), 11);
    s.pinned[0] = 5;
    CHECK_EQ(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    const std::uint64_t launches = counters().launches;
    CHECK_EQ(cudaMemcpyAsync(s.x, s.pinned, sizeof(float), cudaMemcpyHostToDevice, s.stream), cudaSuccess);
    float alpha = 2;
    CHECK_EQ(s.scale_by(alpha), cudaSuccess);
    alpha = 3;  // the recording has its own copy
    CHECK_EQ(cudaMemsetAsync(s.x, 0, 4, s.stream), cudaSuccess);
    cudaStreamCaptureStatus status;
    CHECK_EQ(cudaStreamIsCapturing(s.stream, &status), cudaSuccess);
    CHECK_EQ(status, cudaStreamCaptureStatusActive);
    cudaGraph_t graph = nullptr;
    CHECK_EQ(cudaStreamEndCapture(s.stream, &graph), cudaSuccess);
    CHECK_EQ(counters().launches, launches);  // nothing ran
    CHECK_EQ(s.first_y(), 11);
    cudaGraphExec_t executable = nullptr;
    CHECK_EQ(cudaGraphInstantiate(&executable, graph), cudaSuccess);
    CHECK_EQ(cudaGraphDestroy(graph), cudaSuccess);
    for (const float value : {7.0f, 8.0f}) {
      s.pinned[0] = value;  // read at each replay
      CHECK_EQ(cudaGraphLaunch(executable, s.stream), cudaSuccess);
      CHECK_EQ(s.first_y(), 2 * value + 1);
    }
    CHECK_EQ(counters().launches, launches + 2);
    float x = -1;
    CHECK_EQ(cudaMemcpyAsync(&x, s.x, 4, cudaMemcpyDeviceToHost, s.stream), cudaSuccess);
    CHECK_EQ(x, 0);
    CHECK_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  }
  test::check_no_reports();
}

TEST(harness_forbids_what_cannot_be_recorded) {
  const struct {
    const char* what;
    cudaError_t (*call)(Setup& s);
  } forbidden[] = {
      {"cudaMalloc",
       [](Setup&) {
         void* p;
         return cudaMalloc(&p, 16);
       }},
      {"cudaFree", [](Setup& s) { return cudaFree(s.y); }},
      {"cudaMallocHost",
       [](Setup&) {
         void* p;
         return cudaMallocHost(&p, 16);
       }},
      {"cudaStreamSynchronize", [](Setup& s) { return cudaStreamSynchronize(s.stream); }},
      {"cudaDeviceSynchronize", [](Setup&) { return cudaDeviceSynchronize(); }},
      {"cudaMemcpy", [](Setup& s) { return cudaMemcpy(s.pinned, s.x, 16, cudaMemcpyDeviceToHost); }},
      {"cudaMemset", [](Setup& s) { return cudaMemset(s.x, 0, 16); }},
      {"pageable",
       [](Setup& s) {
         float host[4] = {};
         return cudaMemcpyAsync(s.x, host, 16, cudaMemcpyHostToDevice, s.stream);
       }},
  };
  for (const auto& f : forbidden) {
    const test::Context at(f.what);
    Setup s;
    CHECK_EQ(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeGlobal), cudaSuccess);
    CHECK_EQ(f.call(s), cudaErrorStreamCaptureUnsupported);
    CHECK(test::reported(take_reports(), {f.what, "recorded"}));
    CHECK_EQ(s.scale_by(1), cudaErrorStreamCaptureInvalidated);
    cudaGraph_t graph = nullptr;
    CHECK_EQ(cudaStreamEndCapture(s.stream, &graph), cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
    CHECK_EQ(s.scale_by(4), cudaSuccess);  // the stream is usable again
    CHECK_EQ(s.first_y(), 5);
    CHECK_EQ(cudaStreamEndCapture(s.stream, &graph), cudaErrorStreamCaptureUnmatched);
    (void)cudaGetLastError();
  }
  test::check_no_reports();
}

TEST(harness_defers_work_until_something_waits) {
  const ScopedOptions scope(deferred());
  Setup s;
  const std::uint64_t launches = counters().launches;
  s.pinned[0] = 3;
  CHECK_EQ(cudaMemcpyAsync(s.x, s.pinned, sizeof(float), cudaMemcpyHostToDevice, s.stream), cudaSuccess);
  s.pinned[0] = 4;  // too early: the copy has not run
  CHECK_EQ(s.scale_by(1), cudaSuccess);
  CHECK_EQ(cudaMemcpyAsync(s.pinned + 1, s.y, sizeof(float), cudaMemcpyDeviceToHost, s.stream), cudaSuccess);
  s.pinned[1] = -1;
  CHECK_EQ(counters().launches, launches);
  CHECK_EQ(cudaStreamQuery(s.stream), cudaErrorNotReady);
  CHECK_EQ(cudaStreamSynchronize(s.stream), cudaSuccess);
  CHECK_EQ(counters().launches, launches + 1);
  CHECK_EQ(cudaStreamQuery(s.stream), cudaSuccess);
  CHECK_EQ(s.pinned[1], 5);
  test::check_no_reports();
}

TEST(harness_streams_wait_for_events) {
  const ScopedOptions scope(deferred());
  Setup s;
  cudaStream_t other = nullptr;
  cudaEvent_t written = nullptr, start = nullptr;
  CHECK_EQ(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), cudaSuccess);
  CHECK_EQ(cudaEventCreateWithFlags(&written, cudaEventDisableTiming), cudaSuccess);
  CHECK_EQ(cudaEventCreate(&start), cudaSuccess);
  CHECK_EQ(cudaEventRecord(start, s.stream), cudaSuccess);
  CHECK_EQ(s.scale_by(6), cudaSuccess);
  CHECK_EQ(cudaEventRecord(written, s.stream), cudaSuccess);
  CHECK_EQ(cudaEventQuery(written), cudaErrorNotReady);
  CHECK_EQ(cudaStreamWaitEvent(other, written), cudaSuccess);
  float y = -1;
  CHECK_EQ(cudaMemcpyAsync(&y, s.y, sizeof y, cudaMemcpyDeviceToHost, other), cudaSuccess);
  CHECK_EQ(y, 7);
  CHECK_EQ(cudaEventSynchronize(written), cudaSuccess);
  float milliseconds = -1;
  CHECK_EQ(cudaEventElapsedTime(&milliseconds, start, written), cudaErrorInvalidResourceHandle);  // without timing
  CHECK_EQ(cudaEventElapsedTime(&milliseconds, start, start), cudaSuccess);
  CHECK_EQ(milliseconds, 0);
  CHECK_EQ(cudaEventDestroy(written), cudaSuccess);
  CHECK_EQ(cudaEventDestroy(start), cudaSuccess);
  CHECK_EQ(cudaStreamDestroy(other), cudaSuccess);
  (void)cudaGetLastError();
  test::check_no_reports();
}

TEST(harness_limits_device_memory) {
  const DeviceMemory before = device_memory();
  HarnessOptions options;
  options.device_memory = before.bytes + 4096;
  const ScopedOptions scope(options);
  void *a = nullptr, *b = nullptr;
  CHECK_EQ(cudaMalloc(&a, 3000), cudaSuccess);
  CHECK_EQ(reinterpret_cast<std::uintptr_t>(a) % 256, 0u);
  CHECK_EQ(cudaMalloc(&b, 2000), cudaErrorMemoryAllocation);
  CHECK_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  CHECK(b == nullptr);
  std::size_t free = 0, total = 0;
  CHECK_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  CHECK_EQ(free, 1096u);
  CHECK_EQ(cudaFree(a), cudaSuccess);
  CHECK_EQ(cudaFree(a), cudaErrorInvalidValue);
  CHECK_EQ(cudaFree(nullptr), cudaSuccess);
  CHECK_EQ(cudaMalloc(&b, 4000), cudaSuccess);
  CHECK_EQ(device_memory().bytes, before.bytes + 4000);
  CHECK_EQ(cudaFree(b), cudaSuccess);
  CHECK_EQ(device_memory().buffers, before.buffers);
  (void)cudaGetLastError();
}

TEST(harness_copies_stay_inside_buffers) {
  Setup s;
  std::vector<float> host(kCount + 1);
  CHECK_EQ(cudaMemcpyAsync(s.x, host.data(), kBytes + 4, cudaMemcpyHostToDevice, s.stream), cudaErrorInvalidValue);
  CHECK(test::reported(take_reports(), {"copy outside of a buffer: 1028 bytes"}));
  CHECK_EQ(cudaMemcpyAsync(host.data(), s.x + 1, kBytes, cudaMemcpyDeviceToHost, s.stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemcpyAsync(s.x, host.data(), kBytes, cudaMemcpyDeviceToDevice, s.stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemcpyAsync(host.data(), s.x, kBytes, cudaMemcpyHostToDevice, s.stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemsetAsync(s.x + 1, 0, kBytes, s.stream), cudaErrorInvalidValue);
  take_reports();
  CHECK_EQ(cudaMemcpyAsync(s.y, s.x, kBytes, cudaMemcpyDefault, s.stream), cudaSuccess);
  // Freed before the copy runs.
  const ScopedOptions scope(deferred());
  void* short_lived = nullptr;
  CHECK_EQ(cudaMalloc(&short_lived, 16), cudaSuccess);
  CHECK_EQ(cudaMemcpyAsync(short_lived, s.x, 16, cudaMemcpyDeviceToDevice, s.stream), cudaSuccess);
  CHECK_EQ(cudaFree(short_lived), cudaSuccess);  // waits for the copy
  CHECK_EQ(cudaStreamSynchronize(s.stream), cudaSuccess);
  (void)cudaGetLastError();
  test::check_no_reports();
}

TEST(harness_knows_what_was_copied_without_being_written) {
  if (!kReportsMemory) test::skip("memory is checked by the address sanitizer here");
  Setup s;
  CHECK_EQ(cudaMemsetAsync(s.x, 0, 512, s.stream), cudaSuccess);  // x was set as a whole: all of it counts as written
  float *part = nullptr, *copy = nullptr;
  CHECK_EQ(cudaMalloc(&part, kBytes), cudaSuccess);
  CHECK_EQ(cudaMalloc(&copy, kBytes), cudaSuccess);
  CHECK_EQ(cudaMemsetAsync(part, 0, kBytes - 6, s.stream), cudaSuccess);
  CHECK_EQ(cudaMemcpyAsync(copy, part, kBytes, cudaMemcpyDeviceToDevice, s.stream), cudaSuccess);
  CHECK_EQ(launch_kernel(s.stream, "scale", scale, 4, 64, 0, {copy, s.y, 1, kCount - 2}), cudaSuccess);
  test::check_no_reports();
  CHECK_EQ(launch_kernel(s.stream, "scale", scale, 4, 64, 0, {copy, s.y, 1, kCount - 1}), cudaSuccess);
  CHECK(
      test::reported(take_reports(), {"uninitialised global read: 4 bytes at offset 1016 of a buffer of 1024 bytes"}));
  // What is discarded is as good as never written, and nothing else is.
  CHECK_EQ(cudaMemsetAsync(copy, 0, kBytes, s.stream), cudaSuccess);
  CHECK_EQ(discard(copy + 128, kBytes - 512 - 2, s.stream), cudaSuccess);
  CHECK_EQ(launch_kernel(s.stream, "scale", scale, 2, 64, 0, {copy, s.y, 1, 128}), cudaSuccess);
  test::check_no_reports();
  CHECK_EQ(launch_kernel(s.stream, "scale", scale, 4, 64, 0, {copy, s.y, 1, kCount}), cudaSuccess);
  CHECK(test::reported(take_reports(), {"uninitialised global read: 4 bytes at offset 512 of a buffer of 1024 bytes"}));
  CHECK_EQ(cudaFree(part), cudaSuccess);
  CHECK_EQ(cudaFree(copy), cudaSuccess);
}

TEST(harness_limits_launches) {
  Setup s;
  const auto launch = [&](dim3 grid, dim3 block, std::size_t shared) {
    return launch_kernel(s.stream, "scale", scale, grid, block, shared, {s.x, s.y, 1, kCount});
  };
  CHECK_EQ(launch(4, 64, 48 * 1024), cudaSuccess);
  CHECK_EQ(launch(4, 64, 48 * 1024 + 1), cudaErrorInvalidValue);
  const auto* kernel = reinterpret_cast<const void*>(&scale);
  CHECK_EQ(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024 + 1),
           cudaErrorInvalidValue);
  CHECK_EQ(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024), cudaSuccess);
  CHECK_EQ(launch(4, 64, 100 * 1024), cudaSuccess);
  CHECK_EQ(launch(4, 64, 100 * 1024 + 1), cudaErrorInvalidValue);
  CHECK_EQ(launch(4, 1056, 0), cudaErrorInvalidConfiguration);
  CHECK_EQ(launch(dim3(1, 65536), 64, 0), cudaErrorInvalidConfiguration);
  CHECK_EQ(launch(0, 64, 0), cudaErrorInvalidConfiguration);
  test::check_no_reports();
  CHECK_EQ(launch(4, 48, 0), cudaErrorInvalidConfiguration);
  CHECK(test::reported(take_reports(), {"block of 48 threads, no multiple of 32: kernel scale"}));
  (void)cudaGetLastError();
}

TEST(harness_describes_its_device) {
  int value = 0;
  CHECK_EQ(cudaGetDeviceCount(&value), cudaSuccess);
  CHECK_EQ(value, 1);
  CHECK_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  CHECK_EQ(cudaSetDevice(0), cudaSuccess);
  HarnessOptions options;
  options.multiprocessors = 3;
  const ScopedOptions scope(options);
  CHECK_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);
  CHECK_EQ(value, 3);
  CHECK_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), cudaSuccess);
  CHECK_EQ(value, 227 * 1024);
  cudaDeviceProp properties;
  CHECK_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  CHECK_EQ(properties.major * 100, kArch);
  CHECK_EQ(std::string(cudaGetErrorName(cudaErrorMemoryAllocation)), std::string("cudaErrorMemoryAllocation"));
  CHECK_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
}
