// What the harness must report: every mistake of planted/harness_kernels.h under every schedule, by its text, and
// nothing where there is none.

#include "simt/runtime.h"
#include "test/gpu/gpu_support.h"
#include "test/gpu/planted/harness_kernels.h"

using namespace wam;
using namespace wam::simt;

namespace {

struct Expected {
  Fault fault;
  std::initializer_list<const char*> parts;  // of one report
};

/// Runs the kernel on a buffer of 256 floats between two others, and gives what was reported.
std::vector<std::string> run_fault(Fault fault, unsigned blocks) {
  float* x = nullptr;
  CHECK_EQ(cudaMalloc(&x, 1024), cudaSuccess);
  if (fault != Fault::uninitialised_global) CHECK_EQ(cudaMemset(x, 0, 1024), cudaSuccess);
  std::vector<float> host(256);
  float* target = fault == Fault::host_memory ? host.data() : x;
  if (fault == Fault::use_after_free) CHECK_EQ(cudaFree(x), cudaSuccess);
  CHECK_EQ(launch_kernel(nullptr, "faults", faults, blocks, 64, 1024, {fault, target, 256}), cudaSuccess);
  if (fault != Fault::use_after_free) CHECK_EQ(cudaFree(x), cudaSuccess);
  return take_reports();
}

template <class Body>
void all_orders(Body body) {
  for (const Order order : {Order::forward, Order::reverse, Order::random}) {
    for (const bool lazy : {true, false}) {
      HarnessOptions options;
      options.order = order;
      options.lazy_copies = lazy;
      options.seed = 3;
      const ScopedOptions scope(options);
      body();
    }
  }
}

constexpr const char* kHere = "native/test/gpu/planted/harness_kernels.cpp:";

/// Memory faults end the program in a build for the address sanitizer.
void need_reports() {
  if (!kReportsMemory) test::skip("memory is checked by the address sanitizer here");
}

void check_reported(const Expected& e, unsigned blocks = 2) {
  all_orders([&] {
    const std::vector<std::string> reports = run_fault(e.fault, blocks);
    const test::Context at("fault " + std::to_string(static_cast<int>(e.fault)) + ": " + test::join(reports));
    CHECK(test::reported(reports, e.parts));
    CHECK(reports.size() <= 6);  // not one for each thread
  });
}

}  // namespace

TEST(harness_reports_races_in_shared_memory) {
  need_reports();
  check_reported({Fault::read_after_write,
                  {"race in shared memory: 4 bytes at offset ", "kernel faults, block (", kHere, "thread ("}});
  check_reported({Fault::write_after_read, {"write-after-read race in shared memory", kHere}});
  check_reported({Fault::write_after_write, {"write-after-write race in shared memory", kHere}});
  check_reported({Fault::write_after_several_reads, {"race in shared memory: 4 bytes at offset 4 of 1024", kHere}});
  check_reported({Fault::missing_warp_barrier, {"race in shared memory", kHere}});
  check_reported({Fault::warp_barrier_of_other_lanes, {"race in shared memory", kHere}});
}

TEST(harness_reports_what_nobody_wrote) {
  need_reports();
  check_reported(
      {Fault::uninitialised_shared, {"uninitialised shared read: 4 bytes at offset 160", "thread (40, 0, 0)", kHere}});
  check_reported({Fault::uninitialised_global, {"uninitialised global read", "of a buffer of 1024 bytes", kHere}});
}

TEST(harness_reports_memory_outside) {
  need_reports();
  check_reported({Fault::outside_shared,
                  {"out-of-bounds shared write: 4 bytes at offset 1024 of 1024 bytes", "thread (63, 0, 0)", kHere}});
  check_reported(
      {Fault::read_behind_buffer,
       {"out-of-bounds global read: 4 bytes at offset 1024 of a buffer of 1024 bytes", "thread (63, 0, 0)", kHere}});
  check_reported(
      {Fault::write_before_buffer,
       {"out-of-bounds global write: 4 bytes at offset -4 of a buffer of 1024 bytes", "thread (0, 0, 0)", kHere}},
      1);
  check_reported({Fault::use_after_free, {"use after free, global write", kHere}}, 1);
  check_reported({Fault::host_memory, {"of memory that is not the device's", kHere}});
  check_reported({Fault::other_threads_stack, {"read of another thread's stack", kHere}});
}

TEST(harness_reports_misalignment) {
  need_reports();
  check_reported({Fault::misaligned_float4, {"misaligned access", "float4", "needs 16 bytes", kHere}});
  check_reported({Fault::misaligned_shared_word, {"misaligned access", "needs 4 bytes", kHere}});
}

TEST(harness_reports_copies_in_flight) {
  need_reports();
  check_reported({Fault::read_in_flight, {"read of bytes of a cp.async in flight: 4 bytes", "copied at", kHere}}, 1);
  check_reported({Fault::other_threads_copy_in_flight, {"read of bytes of a cp.async in flight: 4 bytes", kHere}}, 1);
}

TEST(harness_reports_divergence) {
  check_reported({Fault::barriers_of_two_places, {"divergent barrier: kernel faults", "waits at", "came to", kHere}});
  check_reported({Fault::barrier_after_return,
                  {"divergent barrier: kernel faults", "waits for __syncthreads", "(7, 0, 0) has returned", kHere}});
  check_reported(
      {Fault::collectives_of_two_places, {"divergent warp collective", "__shfl_xor_sync", "mask 0xffffffff", kHere}});
  check_reported({Fault::not_in_own_mask,
                  {"divergent warp collective", "is not in the mask 0x0000ffff of its __syncwarp", kHere}});
  check_reported({Fault::lane_outside_mask, {"shuffle from a lane outside the mask", "reads lane 16", kHere}});
  check_reported(
      {Fault::collective_after_return, {"divergent warp collective", "waits for __any_sync", "has returned", kHere}});
  check_reported({Fault::trap, {"trap: kernel faults", "thread (5, 0, 0)", kHere}});
}

TEST(harness_reports_races_in_global_memory) {
  need_reports();
  check_reported({Fault::race_between_blocks, {"write-after-write race in global memory", "another block at", kHere}});
  check_reported({Fault::read_of_other_block, {"race in global memory", "another block at", kHere}});
  check_reported({Fault::race_in_block, {"race in global memory", kHere}}, 1);
  check_reported({Fault::atomic_and_plain, {"race in global memory", kHere}}, 1);
}

TEST(harness_reports_nothing_where_there_is_nothing) {
  for (int f = static_cast<int>(Fault::warp_barriers); f < static_cast<int>(Fault::count); ++f) {
    const auto fault = static_cast<Fault>(f);
    const bool one_block = fault != Fault::constants && fault != Fault::atomics_of_blocks;  // others write the same
    all_orders([&] {
      const std::vector<std::string> reports = run_fault(fault, one_block ? 1 : 2);
      const test::Context at("fault " + std::to_string(f) + ": " + test::join(reports));
      CHECK(reports.empty());
    });
  }
}

TEST(harness_reports_once_and_fails_the_next_wait) {
  need_reports();
  float* x = nullptr;
  CHECK_EQ(cudaMalloc(&x, 1024), cudaSuccess);
  CHECK_EQ(cudaMemset(x, 0, 1024), cudaSuccess);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(launch_kernel(nullptr, "faults", faults, 1, 64, 1024, {Fault::write_after_write, x, 256}), cudaSuccess);
  }
  CHECK_EQ(cudaStreamSynchronize(nullptr), cudaErrorLaunchFailure);
  const std::string text = cudaGetErrorString(cudaErrorLaunchFailure);
  CHECK(text.find("write-after-write race in shared memory") == 0);
  CHECK_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  CHECK_EQ(cudaGetLastError(), cudaSuccess);
  CHECK_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);  // told once
  CHECK_EQ(take_reports().size(), 1u);
  // Taken reports are forgotten: the same fault is new again, and a kernel after a fault runs as ever.
  CHECK_EQ(launch_kernel(nullptr, "faults", faults, 1, 64, 1024, {Fault::outside_shared, x, 256}), cudaSuccess);
  CHECK_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  CHECK_EQ(take_reports().size(), 1u);
  CHECK_EQ(launch_kernel(nullptr, "faults", faults, 1, 64, 1024, {Fault::warp_barriers, x, 256}), cudaSuccess);
  CHECK_EQ(cudaDeviceSynchronize(), cudaSuccess);
  // Nothing fails where that is not wanted.
  HarnessOptions options;
  options.fail_on_report = false;
  const ScopedOptions scope(options);
  CHECK_EQ(launch_kernel(nullptr, "faults", faults, 1, 64, 1024, {Fault::write_after_write, x, 256}), cudaSuccess);
  CHECK_EQ(cudaDeviceSynchronize(), cudaSuccess);
  CHECK_EQ(take_reports().size(), 1u);
  CHECK_EQ(cudaFree(x), cudaSuccess);
}
