#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace wam {

/// A fixed team of `threads` threads, the caller being one of them. `run` hands out task indices dynamically; what a
/// task computes may depend on its index only, never on the thread that runs it, so results do not depend on the team
/// size. Workers spin for a bounded time between regions and then sleep; a region does not wait for a worker that wakes
/// too late to get a task. Each worker flushes denormals.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
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
    if (tasks <= 1 || workers_.empty()) {
      for (int i = 0; i < tasks; ++i) f(i, 0);
      return;
    }
    run_erased(
        tasks, [](void* context, int task, int worker) { (*static_cast<Body*>(context))(task, worker); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  using Task = void (*)(void* context, int task, int worker);
  void run_erased(int tasks, Task task, void* context);
  void work(int worker);
  void drain(int worker);
  void join_all();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  // High half: number of the region; low half: tasks not yet handed out. A successful decrement proves that the region
  // is still open, so only then may the fields of the region be read.
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<int> pending_{0};  // tasks not yet finished
  std::atomic<int> asleep_{0};
  std::atomic<bool> caller_asleep_{false}, failed_{false}, stop_{false};
  std::int64_t spin_ns_ = 0;
  int tasks_ = 0;
  Task task_ = nullptr;
  void* context_ = nullptr;
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
