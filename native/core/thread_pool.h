#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace wam {

struct TeamOptions {
  /// Whether threads wait for each other by spinning, for a bounded time, before they sleep. Without it they sleep at
  /// once: nothing burns a core, but each joint of a plan costs tens of microseconds.
  bool spin = true;
  /// Threads beyond this number are not made: they would only take time slices from the others. 0: the processors that
  /// this process may run on.
  int cores = 0;
};

/// A fixed team of threads, the caller being one of them: `threads`, or as many as there are cores when those are
/// fewer. What a task computes may depend on its index only, never on the thread that runs it, so results do not depend
/// on the team size.
///
/// Each thread is given a block of neighbouring tasks, always the same for the same number of tasks, so that what they
/// read stays in its core's cache; whoever is done early takes from the others. A region does not wait for a worker
/// that wakes too late to get a task. Each worker flushes denormals.
class ThreadPool {
 public:
  explicit ThreadPool(int threads, TeamOptions options = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls f(task, worker) for task in [0, tasks), worker in [0, threads). Returns when all are done; allocates
  /// nothing. All tasks run even when one throws; the first exception is rethrown here. One caller at a time, and not
  /// from inside a task.
  template <class F>
  void run(int tasks, F&& f) {
    using Body = std::remove_reference_t<F>;
    if (tasks <= 1 || workers_.empty() || alone()) {
      for (int i = 0; i < tasks; ++i) f(i, 0);
      return;
    }
    run_erased(
        tasks, [](void* context, int task, int worker) { (*static_cast<Body*>(context))(task, worker); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

  /// Starts to wake workers that sleep; they are ready some 50 us later. Any thread may call it.
  void wake();

  /// A burst of regions, such as a plan. While one lives the workers stay awake between regions. It also notices when
  /// the machine has no core free for them, from threads that were kept from running: then the caller works alone for
  /// a while, instead of waiting a time slice for each worker. Results do not change. `pool` may be null. For the
  /// thread that calls `run`.
  class Burst {
   public:
    explicit Burst(ThreadPool* pool) : pool_(pool) {
      if (pool_ != nullptr) pool_->begin_burst();
    }
    ~Burst() {
      if (pool_ != nullptr) pool_->end_burst();
    }
    Burst(const Burst&) = delete;
    Burst& operator=(const Burst&) = delete;

   private:
    ThreadPool* pool_;
  };

 private:
  using Task = void (*)(void* context, int task, int worker);
  /// What one thread is to do in a region: a cache line of its own (two, since processors fetch them in pairs).
  struct alignas(128) Share {
    // Number of the region (32 bits), first task not yet taken, end (16 bits each). A successful exchange proves that the
    // region is still open, so only then may the other fields be read.
    std::atomic<std::uint64_t> range{0};
    Task task = nullptr;
    void* context = nullptr;
    int first = 0;  // added to the numbers in `range`
    std::atomic<int> caller_core{-1};
  };

  bool alone() const { return alone_ || (in_burst_ && crowded_.load(std::memory_order_relaxed)); }
  void run_erased(int tasks, Task task, void* context);
  void run_region(int first, int tasks, Task task, void* context);
  int take_all(int worker) noexcept;
  int take_from(Share& share, int worker, bool own) noexcept;
  void wait_for_workers(std::int64_t began);
  void work(int worker);
  void join_all();
  void notify_workers();
  void begin_burst();
  void end_burst();

  std::vector<std::thread> workers_;
  std::unique_ptr<Share[]> shares_;  // [threads]
  bool spin_ = true;

  // The caller's own.
  bool alone_ = false, in_burst_ = false;
  std::uint32_t region_ = 0;
  std::int64_t alone_until_ = 0, alone_for_ = 0, together_since_ = 0;  // ns

  // Written once a region by every thread.
  alignas(128) std::atomic<int> pending_{0};  // tasks not yet finished
  std::atomic<bool> caller_asleep_{false};

  // Written rarely.
  alignas(128) std::atomic<int> asleep_{0};
  std::atomic<std::uint32_t> calls_{0};  // of wake(): a sleeper that finds it changed looks for work
  std::atomic<bool> burst_{false}, crowded_{false}, failed_{false}, stop_{false};

  alignas(128) std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::exception_ptr failure_;
};

/// Sets flush-to-zero and denormals-are-zero for the calling thread while alive (x86; elsewhere it does nothing).
/// Softmax tails and Gaussian features underflow; without this an update takes twice as long.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_ = 0;
};

}  // namespace wam
