// The GPU backend's life, memory, transfers and recordings.
#include <algorithm>
#include <cstring>

#include "cuda/cuda_backend_impl.h"

namespace wam::WAM_GPU {
namespace {

static_assert(sizeof(real) == sizeof(float), "the kernels compute in float");

// Every small transfer of a plan or of a training step fits many times; larger ones (weights) wait for themselves.
constexpr std::size_t kPinnedBytes = std::size_t{1} << 20;
// Shapes that a planner meets in a run; a caller who goes on making new ones starts over.
constexpr std::size_t kMaxRecordings = 64;

std::string reason_of(cudaError_t status) {
  return std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
}

}  // namespace

gpu::Devices devices() {
  gpu::Devices found;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    (void)cudaGetLastError();
    // Without any driver the runtime says that the driver is too old; version 0 tells the two apart.
    int driver = 0;
    const bool none = cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0;
    found.why_none = none ? "no NVIDIA driver is installed" : reason_of(status);
    return found;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    found.list.push_back({properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  if (found.list.empty()) found.why_none = "the driver reports no device";
  return found;
}

std::unique_ptr<Backend> make_backend(const gpu::Options& options) {
  const gpu::Devices found = devices();
  const auto unavailable = [](const std::string& why) { return Error("ERR_DEVICE_UNAVAILABLE", why); };
  if (found.list.empty()) throw unavailable("no GPU can be used: " + found.why_none);
  if (options.device < 0 || options.device >= static_cast<int>(found.list.size())) {
    throw unavailable("GPU " + std::to_string(options.device) + " was asked for; there are " +
                      std::to_string(found.list.size()));
  }
  const gpu::DeviceInfo& device = found.list[static_cast<std::size_t>(options.device)];
  constexpr int kOldest = 75;
  const int capability = 10 * device.major + device.minor;
  if (capability < kOldest) {
    throw unavailable(device.name + " has compute capability " + std::to_string(device.major) + "." +
                      std::to_string(device.minor) + "; 7.5 is the least");
  }
  if (options.precision == gpu::Precision::bf16 && capability < 80) {
    throw unavailable(device.name + " has no bf16 tensor cores; use f16 or fp32");
  }
  return std::make_unique<GpuBackend>(options);
}

GpuBackend::GpuBackend(const gpu::Options& options) : options_(options) {
  check(cudaSetDevice(options.device), "choosing the GPU");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  try {
    check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, options.device),
          "asking for the number of multiprocessors");
    void* memory = nullptr;
    check(cudaMallocHost(&memory, kPinnedBytes), "pinning memory", kPinnedBytes);
    pinned_ = {static_cast<unsigned char*>(memory), kPinnedBytes, 0};
  } catch (...) {
    cudaStreamDestroy(stream_);
    throw;
  }
}

GpuBackend::~GpuBackend() {
  (void)cudaStreamSynchronize(stream_);
  drop_recordings();
  for (const Scratch& s : scratch_) {
    if (s.memory != nullptr) cudaFree(s.memory);
  }
  cudaFreeHost(pinned_.memory);
  cudaStreamDestroy(stream_);
}

const char* GpuBackend::name() const {
#if defined(__CUDACC__)
  constexpr const char* kNames[] = {"cuda-fp32", "cuda-bf16", "cuda-f16"};
#else
  constexpr const char* kNames[] = {"simt-fp32", "simt-bf16", "simt-f16"};
#endif
  return kNames[static_cast<int>(options_.precision)];
}

void* GpuBackend::allocate(std::size_t bytes) {
  void* memory = nullptr;
  bytes = std::max<std::size_t>(bytes, 1);
  check(cudaSetDevice(options_.device), "choosing the GPU");
  check(cudaMalloc(&memory, bytes), "allocating device memory", bytes);
  const cudaError_t status = cudaMemsetAsync(memory, 0, bytes, stream_);
  if (status != cudaSuccess) cudaFree(memory);
  check(status, "clearing device memory", bytes);
  return memory;
}

void GpuBackend::release(void* memory) noexcept {
  // Waits for work that may still use it.
  if (memory != nullptr) cudaFree(memory);
}

void GpuBackend::upload(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  constexpr const char* kDoing = "copying to the device";
  // What a thread has chosen is its own, and a plan may begin on any: with an upload, always.
  check(cudaSetDevice(options_.device), "choosing the GPU");
  if (bytes > pinned_.bytes) {
    check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), kDoing, bytes);
    check(cudaStreamSynchronize(stream_), kDoing, bytes);
    pinned_.used = 0;
    return;
  }
  if (pinned_.used + bytes > pinned_.bytes) {
    check(cudaStreamSynchronize(stream_), kDoing, bytes);
    pinned_.used = 0;
  }
  unsigned char* stage = pinned_.memory + pinned_.used;
  constexpr std::size_t kAlign = 64;
  pinned_.used = std::min(pinned_.bytes, pinned_.used + (bytes + kAlign - 1) / kAlign * kAlign);
  std::memcpy(stage, host, bytes);
  check(cudaMemcpyAsync(device, stage, bytes, cudaMemcpyHostToDevice, stream_), kDoing, bytes);
}

void GpuBackend::download(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return;
  constexpr const char* kDoing = "copying from the device";
  // A pinned target lets the copy engine write at once; what is waiting in front of it stays where it is.
  const bool fits = pinned_.used + bytes <= pinned_.bytes;
  void* target = fits ? pinned_.memory + pinned_.used : host;
  check(cudaMemcpyAsync(target, device, bytes, cudaMemcpyDeviceToHost, stream_), kDoing, bytes);
  check(cudaStreamSynchronize(stream_), kDoing, bytes);
  if (fits) std::memcpy(host, target, bytes);
  pinned_.used = 0;
}

void GpuBackend::replay(std::uint64_t key, const std::function<void()>& work) {
  if (recordings_.size() >= kMaxRecordings && recordings_.find(key) == recordings_.end()) drop_recordings();
  const auto [found, first] = recordings_.try_emplace(key);
  if (first) {
    // As it is: this grows the scratch memory to the shapes of the work, so that recording it allocates nothing.
    try {
      work();
    } catch (...) {
      recordings_.erase(key);
      throw;
    }
    return;
  }
  if (found->second.graph == nullptr) {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "beginning to record");
    cudaGraph_t graph = nullptr;
    recording_ = true;
    try {
      work();
    } catch (...) {
      recording_ = false;
      (void)cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      (void)cudaGetLastError();
      throw;
    }
    recording_ = false;
    check(cudaStreamEndCapture(stream_, &graph), "recording");
    const cudaError_t status = cudaGraphInstantiate(&found->second.graph, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "preparing a recording");
  }
  check(cudaGraphLaunch(found->second.graph, stream_), "replaying a recording");
}

void* GpuBackend::scratch_bytes(int slot, std::size_t bytes) {
  Scratch& s = scratch_[slot];
  if (bytes <= s.bytes) {
#if !defined(__CUDACC__)
    simt::discard(s.memory, s.bytes, stream_);  // what another operation left must not be read
#endif
    return s.memory;
  }
  if (recording_) throw Error("ERR_INTERNAL", "scratch memory grew while a recording was made");
  check(cudaStreamSynchronize(stream_), "waiting to enlarge scratch memory");
  drop_recordings();
  if (s.memory != nullptr) cudaFree(s.memory);
  s = {};
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes), "allocating scratch memory", bytes);
  s = {memory, bytes};
  return memory;
}

void GpuBackend::drop_recordings() noexcept {
  for (auto& [key, recording] : recordings_) {
    if (recording.graph != nullptr) cudaGraphExecDestroy(recording.graph);
  }
  recordings_.clear();
}

}  // namespace wam::WAM_GPU
