#pragma once
// What tests and the addon set and ask of the harness that runs kernels without a GPU: order of threads, checks,
// limits, and the reports of what kernels and the backend did wrong.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace wam::simt {

/// Which of the runnable threads of a block goes on when one has to wait, and in which order blocks run.
enum class Order { forward, reverse, random };

struct HarnessOptions {
  Order order = Order::forward;
  std::uint64_t seed = 1;  // of Order::random
  /// Asynchronous copies happen at the wait that covers them, the latest legal moment; else at once, the earliest.
  bool lazy_copies = true;
  /// Memory checks: bounds, alignment, races, uninitialised reads. Collectives and launches are always checked.
  bool check = true;
  /// Work queued on a stream runs when something waits for it, else when it is queued.
  bool deferred = false;
  /// A report makes the next call that waits for a stream fail with cudaErrorLaunchFailure and the report as its text.
  bool fail_on_report = true;
  std::size_t device_memory = std::size_t{64} << 30;  // bytes that cudaMalloc can give in all
  int multiprocessors = 8;
};

/// Whether this build reports what HarnessOptions::check is about; one for the address sanitizer leaves that to it, and
/// ends with the first fault.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kReportsMemory = false;
#else
inline constexpr bool kReportsMemory = true;
#endif

/// Of the process. Setting waits for the kernel that runs.
HarnessOptions harness_options();
void set_harness_options(const HarnessOptions& options);

/// Sets options for a scope.
class ScopedOptions {
 public:
  explicit ScopedOptions(const HarnessOptions& options) : before_(harness_options()) { set_harness_options(options); }
  ~ScopedOptions() { set_harness_options(before_); }
  ScopedOptions(const ScopedOptions&) = delete;
  ScopedOptions& operator=(const ScopedOptions&) = delete;

 private:
  HarnessOptions before_;
};

/// Everything reported since the last call, one text each; a fault met again at the same places of the source is not
/// repeated. Clears the error that reports left behind.
std::vector<std::string> take_reports();

struct Counters {
  std::uint64_t launches = 0, blocks = 0, switches = 0, accesses = 0;
  double seconds = 0;  // spent in kernels
};
Counters counters();
void reset_counters();

/// Device buffers that are allocated now, and their bytes.
struct DeviceMemory {
  std::size_t buffers = 0, bytes = 0;
};
DeviceMemory device_memory();

/// Turns planted bug n on (0: none); see WAM_PLANT.
void set_planted_bug(int n);

}  // namespace wam::simt
