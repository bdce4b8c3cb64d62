#include "binding/devices.h"

#include <string>

#include "core/error.h"

#ifndef WAM_CUDA
#define WAM_CUDA 0
#endif
#ifndef WAM_SIMT
#define WAM_SIMT 0
#endif

namespace wam::binding {
namespace {

gpu::Devices cuda_devices() {
#if WAM_CUDA
  return cuda::devices();
#else
  return {{}, "this build of wam-flow has no CUDA code; the prebuilt addon for linux-x64 has"};
#endif
}

Error unavailable(const std::string& why) { return Error("ERR_DEVICE_UNAVAILABLE", why); }

}  // namespace

DeviceChoice read_device(const Fields& fields) {
  DeviceChoice choice;
  choice.device =
      fields.choice<Device>("device", {{"cpu", Device::cpu}, {"cuda", Device::cuda}, {"simt", Device::simt}});
  if (choice.device == Device::cpu) {
    choice.isa = fields.choice<cpu::Isa>(
        "isa", {{"portable", cpu::Isa::portable}, {"avx2", cpu::Isa::avx2}, {"avx512", cpu::Isa::avx512}});
    if (!cpu::isa_supported(choice.isa)) {
      throw unavailable("isa: this machine or build cannot run " + std::string(cpu::isa_name(choice.isa)) +
                        "; the best one here is " + cpu::isa_name(cpu::best_isa()));
    }
    choice.precision = fields.choice<cpu::Precision>(
        "precision", {{"fp32", cpu::Precision::fp32}, {"bf16", cpu::Precision::bf16}, {"int8", cpu::Precision::int8}});
    return choice;
  }
  constexpr int kMaxGpu = 1023;
  choice.gpu.device = fields.integer("gpu", 0, kMaxGpu);
  choice.gpu.precision = fields.choice<gpu::Precision>(
      "precision", {{"fp32", gpu::Precision::fp32}, {"bf16", gpu::Precision::bf16}, {"f16", gpu::Precision::f16}});
  if (choice.device == Device::cuda) {
    const gpu::Devices found = cuda_devices();
    if (found.list.empty()) throw unavailable("device 'cuda' cannot be used: " + found.why_none);
  } else if (!WAM_SIMT) {
    throw unavailable("device 'simt' runs the CUDA kernels on the CPU and exists in test builds alone");
  }
  return choice;
}

std::unique_ptr<Backend> make_backend(const DeviceChoice& choice, [[maybe_unused]] ThreadPool* pool) {
  switch (choice.device) {
#if WAM_CUDA
    case Device::cuda:
      return cuda::make_backend(choice.gpu);
#endif
#if WAM_SIMT
    case Device::simt:
      return simt::make_backend(choice.gpu);
#endif
    default:
      return cpu::make_cpu_backend(pool, choice.isa, choice.precision);
  }
}

Napi::Value device_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const gpu::Devices found = cuda_devices();
  Napi::Array list = Napi::Array::New(env, found.list.size());
  for (std::uint32_t i = 0; i < found.list.size(); ++i) {
    const gpu::DeviceInfo& device = found.list[i];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
    entry.Set("memoryBytes", static_cast<double>(device.memory_bytes));
    list.Set(i, entry);
  }
  Napi::Object cuda = Napi::Object::New(env);
  cuda.Set("built", WAM_CUDA != 0);
  cuda.Set("devices", list);
  if (!found.why_none.empty()) cuda.Set("reason", found.why_none);
  Napi::Object result = Napi::Object::New(env);
  result.Set("cuda", cuda);
  result.Set("simt", WAM_SIMT != 0);
  return result;
}

}  // namespace wam::binding
