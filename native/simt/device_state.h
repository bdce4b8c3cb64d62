#pragma once
// The one device of the process. Every call of the runtime holds its lock, and so does a kernel while it runs.

#include <mutex>

#include "simt/device_buffers.h"
#include "simt/harness.h"
#include "simt/report.h"
#include "simt/runtime.h"
#include "simt/shadow.h"

namespace wam::simt {

struct DeviceState {
  std::recursive_mutex mutex;
  HarnessOptions options;
  DeviceBuffers buffers;
  Shadow shadow;
  Reports reports;
  Counters counters;
  bool failed = false;  // a report that no call has returned yet
  cudaError_t last_error = cudaSuccess;
  int planted = 0;
};

extern DeviceState* the_device_state;
DeviceState& make_device_state();
inline DeviceState& device_state() { return the_device_state != nullptr ? *the_device_state : make_device_state(); }
using DeviceLock = std::lock_guard<std::recursive_mutex>;

/// Whether memory is checked in the kernel that runs. The address sanitizer checks by itself, and without the hooks of
/// the thread sanitizer nobody would know what was written.
#if defined(__SANITIZE_ADDRESS__)
inline bool harness_checks() { return false; }
#else
inline bool harness_checks() { return engine().options().check; }
#endif

/// Runs a kernel to its end and turns its reports into a failure to come.
void run_kernel(const KernelLaunch& launch);
/// Records what the backend did wrong, as run_kernel does for kernels.
void report_misuse(const std::string& text);

}  // namespace wam::simt
