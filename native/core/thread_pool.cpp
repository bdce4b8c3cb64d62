#include "core/thread_pool.h"

#include <chrono>
#include <utility>

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#define WAM_HAS_MXCSR 1
#else
#define WAM_HAS_MXCSR 0
#endif

namespace wam {
namespace {

// Waking a sleeper costs 35 to 60 us, so that is how long spinning for the next region can pay. A spinner that shares
// its core takes a time slice (milliseconds) from the thread it waits for: then it must give up almost at once.
constexpr std::int64_t kSpinNs = 50'000;
constexpr std::int64_t kCrowdedSpinNs = 2'000;

void pause_briefly() {
#if WAM_HAS_MXCSR
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `ready` or until `limit_ns` have passed; returns whether it became ready.
template <class Ready>
bool spin(std::int64_t limit_ns, Ready ready) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::nanoseconds(limit_ns);
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_briefly();
    }
  } while (Clock::now() < deadline);
  return ready();
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  const unsigned cores = std::thread::hardware_concurrency();
  spin_ns_ = cores != 0 && static_cast<unsigned>(threads) > cores ? kCrowdedSpinNs : kSpinNs;
  workers_.reserve(threads > 1 ? static_cast<std::size_t>(threads - 1) : 0);
  try {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
  } catch (...) {
    join_all();
    throw;
  }
}

ThreadPool::~ThreadPool() { join_all(); }

void ThreadPool::join_all() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::drain(int worker) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(ticket) != 0) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acquire)) continue;
    try {
      task_(context_, tasks_ - static_cast<int>(static_cast<std::uint32_t>(ticket)), worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failed_.exchange(true)) failure_ = std::current_exception();
    }
    // From here the region may close: nothing of it may be touched. Sequentially consistent against the store of
    // caller_asleep_: either the caller sees zero or this thread sees the caller asleep.
    if (pending_.fetch_sub(1) == 1 && caller_asleep_.load()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      finished_.notify_one();
    }
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::run_erased(int tasks, Task task, void* context) {
  tasks_ = tasks;
  task_ = task;
  context_ = context;
  pending_.store(tasks, std::memory_order_relaxed);
  const std::uint64_t region = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store(region << 32 | static_cast<std::uint32_t>(tasks));  // publishes the fields above
  // Sequentially consistent against the increment of asleep_ in work(): either this thread sees the sleeper or the
  // sleeper sees the ticket. The empty critical section waits until it has really gone to sleep.
  if (asleep_.load() != 0) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
    }
    wake_.notify_all();
  }
  drain(0);
  const auto done = [this] { return pending_.load() == 0; };
  if (!spin(spin_ns_, done)) {
    std::unique_lock<std::mutex> lock(mutex_);
    caller_asleep_.store(true);
    finished_.wait(lock, done);
    caller_asleep_.store(false);
  }
  if (failed_.load()) {
    failed_.store(false);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::work(int worker) {
  const FlushDenormals flush;
  const auto ready = [this] {
    return static_cast<std::uint32_t>(ticket_.load()) != 0 || stop_.load(std::memory_order_relaxed);
  };
  while (!stop_.load()) {
    if (!spin(spin_ns_, ready)) {
      std::unique_lock<std::mutex> lock(mutex_);
      asleep_.fetch_add(1);
      wake_.wait(lock, ready);
      asleep_.fetch_sub(1);
    }
    drain(worker);
  }
}

#if WAM_HAS_MXCSR
namespace {
constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
}
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | kFlushToZero | kDenormalsAreZero); }
FlushDenormals::~FlushDenormals() { _mm_setcsr(saved_); }
#else
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace wam
