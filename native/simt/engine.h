#pragma once
// Runs the blocks of a kernel one after another, each of its threads on a fiber. A thread runs until it must wait for
// others; then the next that can go on is switched to directly. One kernel runs at a time in the process, under the
// lock of the device (device_state.h).

#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <thread>
#include <vector>

#include "simt/fiber.h"
#include "simt/harness.h"
#include "simt/runtime.h"
#include "simt/vector_types.h"

namespace wam::simt {

using Site = std::source_location;

inline constexpr int kWarp = 32;
inline constexpr int kMaxThreads = 1024;

struct Warp;

/// A copy between cp.async and the wait that covers it.
struct AsyncCopy {
  unsigned char* to;
  const unsigned char* from;
  int bytes;
  bool valid;
  unsigned group;
  const void* pc;
};

/// One CUDA thread.
struct Thread {
  Context context;
  bool has_context = false;
  bool finished = false;
  unsigned id = 0, lane = 0;
  uint3 index{};
  Warp* warp = nullptr;
  const char* waiting_for = nullptr;  // while not ready
  Site waiting_at;
  std::vector<AsyncCopy> copies;  // in flight, oldest first
  unsigned group = 0;             // that cp.async adds to now
  std::uint32_t segment = 0;      // see shadow.h; 0: none since the last synchronisation
};

/// A collective that some lanes of its mask have reached.
struct Rendezvous {
  unsigned mask, arrived;
  const char* operation;
  Site at;
};

struct Warp {
  unsigned index = 0;
  unsigned ready = 0;  // lanes that can go on
  Thread* threads = nullptr;
  void* operands[kWarp] = {};
  std::vector<Rendezvous> pending;
};

class Engine {
 public:
  Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Runs all blocks, or those before a fault.
  void run(const KernelLaunch& launch, const HarnessOptions& options);

  // From here on: for the running thread of a kernel.
  Thread& self() { return *current_; }
  const KernelLaunch& launch() const { return *launch_; }
  const HarnessOptions& options() const { return options_; }
  uint3 block() const { return block_; }
  unsigned char* shared() const { return shared_; }
  bool on_stack(const void* p) const { return stacks_.contains(reinterpret_cast<std::uintptr_t>(p)); }

  void barrier(Site at);
  /// A barrier that returns how many threads brought `true`.
  unsigned vote(bool mine, Site at) {
    votes_ += mine;
    barrier(at);
    return last_votes_;  // until the next barrier opens, for which this thread is needed
  }
  /// Waits for the lanes of `mask`; the last one calls run(warp, mask), which finds everybody's `operands` in the warp.
  void collective(unsigned mask, const char* operation, void* operands, void (*run)(Warp&, unsigned mask), Site at);
  /// In random order, lets others run.
  void may_yield();
  /// Reports, drops the kernel and goes back to the host.
  [[noreturn]] void fail(const char* kind, const std::string& text, const void* pc0 = nullptr,
                         const void* pc1 = nullptr);
  /// "thread (3, 0, 0)"
  std::string describe(const Thread& thread) const;
  /// "kernel attention_forward, block (1, 2, 0)"
  std::string describe_kernel() const;

  std::uint64_t switches = 0, blocks = 0;

 private:
  static constexpr const char* kBarrierName = "__syncthreads";
  static void fiber_main();
  void run_block();
  void drop_fibers();
  void finish_thread();
  [[noreturn]] void fail_deadlock();
  void wait(const char* what, Site at);
  /// The thread to go on with; null when none can.
  Thread* next();
  void go(Thread& to);  // from the running thread
  void enter(Thread& first);
  std::uint64_t random();

  StackPool stacks_;
  Context host_;
  std::thread::id host_thread_;
  std::unique_ptr<Thread[]> threads_;
  std::unique_ptr<Warp[]> warps_;
  const KernelLaunch* launch_ = nullptr;
  HarnessOptions options_;
  std::uint64_t random_state_ = 1;
  uint3 block_{};
  Thread* current_ = nullptr;
  unsigned thread_count_ = 0, warp_count_ = 0;
  unsigned ready_warps_ = 0;
  unsigned finished_ = 0;
  bool failed_ = false;

  unsigned at_barrier_ = 0;
  Thread* first_at_barrier_ = nullptr;
  unsigned votes_ = 0, last_votes_ = 0;

  unsigned char* shared_ = nullptr;
};

/// Made when first asked for by the host.
extern Engine* the_engine;
Engine& make_engine();
inline Engine& engine() { return *the_engine; }

}  // namespace wam::simt
