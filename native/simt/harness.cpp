#include "simt/harness.h"

#include <chrono>

#include "simt/builtins.h"
#include "simt/device_state.h"

namespace wam::simt {

DeviceState* the_device_state = nullptr;

DeviceState& make_device_state() {
  static DeviceState& state = *new DeviceState;  // outlives every static backend
  the_device_state = &state;
  return state;
}

HarnessOptions harness_options() {
  const DeviceLock lock(device_state().mutex);
  return device_state().options;
}

void set_harness_options(const HarnessOptions& options) {
  const DeviceLock lock(device_state().mutex);
  device_state().options = options;
}

std::vector<std::string> take_reports() {
  DeviceState& state = device_state();
  const DeviceLock lock(state.mutex);
  std::vector<std::string> texts = state.reports.texts();
  state.reports.clear();
  state.failed = false;
  return texts;
}

Counters counters() {
  const DeviceLock lock(device_state().mutex);
  return device_state().counters;
}

void reset_counters() {
  const DeviceLock lock(device_state().mutex);
  device_state().counters = {};
}

DeviceMemory device_memory() {
  const DeviceLock lock(device_state().mutex);
  return {device_state().buffers.live(), device_state().buffers.live_bytes()};
}

void set_planted_bug(int n) {
  const DeviceLock lock(device_state().mutex);
  device_state().planted = n;
}

bool planted_bug(int n) { return device_state().planted == n; }

void run_kernel(const KernelLaunch& launch) {
  DeviceState& state = device_state();
  Engine& e = make_engine();
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t switches = e.switches, blocks = e.blocks, accesses = state.shadow.accesses;
  const bool clean = state.reports.empty();
  e.run(launch, state.options);
  ++state.counters.launches;
  state.counters.switches += e.switches - switches;
  state.counters.blocks += e.blocks - blocks;
  state.counters.accesses += state.shadow.accesses - accesses;
  state.counters.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (clean && !state.reports.empty()) state.failed = true;
}

void report_misuse(const std::string& text) {
  DeviceState& state = device_state();
  if (state.reports.add_text(text, text)) state.failed = true;
}

}  // namespace wam::simt
