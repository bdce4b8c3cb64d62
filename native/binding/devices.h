#pragma once
// Which backend an engine, a trainer or a single operation runs on. The only part of the binding that knows what this
// build was made with: CUDA (WAM_CUDA), the kernels' harness of test builds (WAM_SIMT), or the CPU alone.

#include <napi.h>

#include <memory>

#include "binding/fields.h"
#include "core/backend.h"
#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"

namespace wam::binding {

enum class Device { cpu, cuda, simt };

struct DeviceChoice {
  Device device = Device::cpu;
  cpu::Isa isa = cpu::Isa::portable;  // of the CPU
  cpu::Precision precision = cpu::Precision::fp32;
  gpu::Options gpu;  // of the others
};

/// { device, isa, precision } or { device, gpu, precision }. Throws ERR_ARGUMENT, ERR_DEVICE_UNAVAILABLE with the reason.
DeviceChoice read_device(const Fields& fields);

/// `pool` serves the CPU alone; it may be null and must outlive the backend.
std::unique_ptr<Backend> make_backend(const DeviceChoice& choice, ThreadPool* pool);

/// deviceInfo(): { cuda: { built, devices: [{ name, computeCapability, memoryBytes }], reason }, simt }
Napi::Value device_info(const Napi::CallbackInfo& info);

}  // namespace wam::binding
