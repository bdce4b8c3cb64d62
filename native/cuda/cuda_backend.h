#pragma once
// The GPU backend. Its sources are compiled twice: by nvcc for NVIDIA devices, where they are wam::cuda, and in test
// builds by the host compiler against the harness of native/simt, where they are wam::simt.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"

namespace wam::gpu {

/// Arithmetic of matrix products and attention. fp32 agrees with the CPU up to rounding; the others round what enters a
/// tensor core to 16 bits and accumulate in float.
enum class Precision { fp32, bf16, f16 };

struct Options {
  int device = 0;
  Precision precision = Precision::fp32;
  /// Backward passes without floating-point atomics, so that a training step gives the same bits every time.
  bool deterministic = true;
};

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  std::size_t memory_bytes = 0;
};

/// What there is. Empty: `why_none` says why (no driver, a driver that is too old, no device).
struct Devices {
  std::vector<DeviceInfo> list;
  std::string why_none;
};

}  // namespace wam::gpu

namespace wam::cuda {
gpu::Devices devices();
/// Throws Error: ERR_DEVICE_UNAVAILABLE with the reason, ERR_OUT_OF_MEMORY. One caller at a time.
std::unique_ptr<Backend> make_backend(const gpu::Options& options);
}  // namespace wam::cuda

namespace wam::simt {
gpu::Devices devices();
std::unique_ptr<Backend> make_backend(const gpu::Options& options);
}  // namespace wam::simt
