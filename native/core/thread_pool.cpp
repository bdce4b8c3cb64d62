#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#define WAM_HAS_MXCSR 1
#else
#define WAM_HAS_MXCSR 0
#endif

namespace wam {
namespace {

constexpr std::int64_t kMicrosecond = 1'000, kMillisecond = 1'000'000;
// Waking a sleeper costs 35 to 60 us, so that is how long spinning for the next region can pay.
constexpr std::int64_t kSpin = 50 * kMicrosecond;
// In a burst the next region is certain; the bound is for a caller that is busy with something else, or not running.
constexpr std::int64_t kBurstSpin = kMillisecond;
// Between two looks at the clock a spinner needs 1 to 2 us: a longer gap means that something else ran in its place.
constexpr std::int64_t kPreempted = 200 * kMicrosecond;
// How long the caller works alone after it noticed a crowd: doubled while it is still there.
constexpr std::int64_t kShortestAlone = 4 * kMillisecond, kLongestAlone = 256 * kMillisecond;
constexpr int kMostTasks = 0xFFFF;  // of one region

void pause_briefly() {
#if WAM_HAS_MXCSR
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::uint64_t packed(std::uint32_t region, int next, int end) {
  return static_cast<std::uint64_t>(region) << 32 | static_cast<std::uint64_t>(next) << 16 |
         static_cast<std::uint64_t>(end);
}
int next_of(std::uint64_t range) { return static_cast<int>(range >> 16 & 0xFFFF); }
int end_of(std::uint64_t range) { return static_cast<int>(range & 0xFFFF); }
bool any_left(std::uint64_t range) { return next_of(range) != end_of(range); }

#if defined(__linux__)
int present_core() { return sched_getcpu(); }

/// Moves the calling thread to another core, if there is one that it may use; afterwards it may go where it likes.
void leave_core(int core) {
  cpu_set_t allowed, others;
  if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  others = allowed;
  CPU_CLR(static_cast<std::size_t>(core), &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
int present_core() { return -1; }
void leave_core(int) {}
#endif

int usable_cores() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 << 30 : static_cast<int>(cores);
}

}  // namespace

ThreadPool::ThreadPool(int threads, TeamOptions options) : spin_(options.spin) {
  threads = std::max(1, std::min(threads, options.cores > 0 ? options.cores : usable_cores()));
  shares_ = std::make_unique<Share[]>(static_cast<std::size_t>(threads));
  workers_.reserve(static_cast<std::size_t>(threads - 1));
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

/// Runs tasks of a share as long as it has some; returns how many. Its owner takes them from the front, others from the
/// back.
int ThreadPool::take_from(Share& share, int worker, bool own) noexcept {
  int done = 0;
  std::uint64_t range = share.range.load(std::memory_order_acquire);
  while (any_left(range)) {
    const std::uint64_t rest = own ? range + (1 << 16) : range - 1;
    if (!share.range.compare_exchange_weak(range, rest, std::memory_order_acquire)) continue;
    try {
      share.task(share.context, share.first + (own ? next_of(range) : end_of(range) - 1), worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failed_.exchange(true)) failure_ = std::current_exception();
    }
    ++done;
    range = share.range.load(std::memory_order_acquire);
  }
  return done;
}

/// The thread's own tasks, then those that others have not come to. The region stays open until the number returned is
/// taken from `pending_`.
int ThreadPool::take_all(int worker) noexcept {
  const int team = threads();
  int done = take_from(shares_[static_cast<std::size_t>(worker)], worker, true);
  for (int k = 1; k < team; ++k) {
    done += take_from(shares_[static_cast<std::size_t>((worker + k) % team)], worker, false);
  }
  return done;
}

void ThreadPool::run_erased(int tasks, Task task, void* context) {
  for (int first = 0; first < tasks; first += kMostTasks) {
    run_region(first, std::min(tasks - first, kMostTasks), task, context);
  }
  if (failed_.load()) {
    failed_.store(false);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::run_region(int first, int tasks, Task task, void* context) {
  const std::int64_t began = in_burst_ ? now() : 0;
  const int team = threads(), core = present_core();
  ++region_;
  pending_.store(tasks, std::memory_order_relaxed);
  for (int worker = team - 1; worker >= 0; --worker) {
    Share& share = shares_[static_cast<std::size_t>(worker)];
    share.task = task, share.context = context, share.first = first;
    share.caller_core.store(core, std::memory_order_relaxed);
    // Publishes the fields, and `pending_` with them. Sequentially consistent against the increment of asleep_ in work():
    // either this thread sees the sleeper or the sleeper sees the tasks.
    share.range.store(packed(region_, static_cast<int>(static_cast<std::int64_t>(tasks) * worker / team),
                             static_cast<int>(static_cast<std::int64_t>(tasks) * (worker + 1) / team)));
  }
  if (asleep_.load() != 0) notify_workers();
  const int done = take_all(0);
  if (pending_.fetch_sub(done, std::memory_order_acq_rel) != done) wait_for_workers(began);
}

void ThreadPool::notify_workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);  // waits until a worker that goes to sleep really sleeps
  }
  wake_.notify_all();
}

/// `began`: when the region did; 0 outside a burst.
void ThreadPool::wait_for_workers(std::int64_t began) {
  const auto done = [this] { return pending_.load(std::memory_order_acquire) == 0; };
  for (int i = 0; i < 32; ++i) {
    if (done()) return;
    pause_briefly();
  }
  const std::int64_t waits = now();
  if (spin_) {
    do {
      for (int i = 0; i < 32; ++i) {
        if (done()) return;
        pause_briefly();
      }
    } while (now() < waits + kSpin);
  }
  {
    std::unique_lock<std::mutex> lock(mutex_);
    caller_asleep_.store(true);
    finished_.wait(lock, [this] { return pending_.load() == 0; });
    caller_asleep_.store(false);
  }
  // Tasks are about equal: who waits for the last ones far longer than all of his own took waits for a thread that does
  // not run.
  const std::int64_t waited = now() - waits;
  if (began != 0 && waited > kPreempted && waited > 2 * (waits - began)) {
    crowded_.store(true, std::memory_order_relaxed);
  }
}

void ThreadPool::wake() {
  calls_.fetch_add(1);
  if (asleep_.load() != 0) notify_workers();
}

void ThreadPool::begin_burst() {
  in_burst_ = true;
  if (workers_.empty()) return;
  const std::int64_t time = now();
  if (crowded_.load(std::memory_order_relaxed)) {  // noticed since the last burst began
    crowded_.store(false, std::memory_order_relaxed);
    if (!alone_) {
      // Soon after the last time: the crowd is still there.
      const bool again = alone_for_ != 0 && time - together_since_ < 8 * alone_for_;
      alone_for_ = again ? std::min(2 * alone_for_, kLongestAlone) : kShortestAlone;
      alone_until_ = time + alone_for_;
      alone_ = true;
    }
  }
  if (alone_ && time >= alone_until_) {
    alone_ = false;
    together_since_ = time;
  }
  if (alone_) return;
  burst_.store(true);
  wake();
}

void ThreadPool::end_burst() {
  in_burst_ = false;
  burst_.store(false, std::memory_order_relaxed);
}

void ThreadPool::work(int worker) {
  const FlushDenormals flush;
  Share& own = shares_[static_cast<std::size_t>(worker)];
  std::uint32_t calls = calls_.load();
  const auto ready = [&] { return any_left(own.range.load()) || stop_.load(std::memory_order_relaxed); };
  const auto spin = [&] {
    std::int64_t before = now();
    const std::int64_t began = before;
    for (;;) {
      for (int i = 0; i < 32; ++i) {
        if (ready()) return true;
        pause_briefly();
      }
      const std::int64_t time = now();
      const bool burst = burst_.load(std::memory_order_relaxed);
      if (burst && time - before > kPreempted) {
        crowded_.store(true, std::memory_order_relaxed);
        return false;
      }
      before = time;
      // A scheduler that finds no idle core wakes a thread where its waker runs, and leaves it there for milliseconds: of
      // all places the one where a spinner does harm.
      const int core = present_core();
      if (burst && core >= 0 && core == own.caller_core.load(std::memory_order_relaxed)) leave_core(core);
      if (time > began + (burst ? kBurstSpin : kSpin)) return ready();
    }
  };
  while (!stop_.load()) {
    if (!(spin_ && spin()) && !ready()) {
      std::unique_lock<std::mutex> lock(mutex_);
      asleep_.fetch_add(1);
      wake_.wait(lock, [&] { return ready() || calls_.load() != calls; });
      asleep_.fetch_sub(1);
      calls = calls_.load();
    }
    const int done = take_all(worker);
    // From here the region may close: nothing of it may be touched. Sequentially consistent against the store of
    // caller_asleep_: either the caller sees zero or this thread sees the caller asleep.
    if (done > 0 && pending_.fetch_sub(done) == done && caller_asleep_.load()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      finished_.notify_one();
    }
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
