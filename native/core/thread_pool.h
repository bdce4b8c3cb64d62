#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace wam {

/// A fixed team of `threads` threads, the caller being one of them. `run` hands out task indices dynamically; what a
/// task computes may depend on its index only, never on the thread that runs it, so results do not depend on the team
/// size. Workers spin for a bounded time between regions and then sleep. Each worker flushes denormals.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls f(task, worker) for task in [0, tasks), worker in [0, threads). Returns when all are done; allocates
  /// nothing. The first exception thrown by a task is rethrown here. Not reentrant.
  template <class F>
  void run(int tasks, F&& f) {
    if (tasks <= 1 || workers_.empty()) {
      for (int i = 0; i < tasks; ++i) f(i, 0);
      return;
    }
    run_erased(
        tasks, [](void* context, int task, int worker) { (*static_cast<F*>(context))(task, worker); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  using Task = void (*)(void* context, int task, int worker);
  void run_erased(int tasks, Task task, void* context);
  void work(int worker);
  void drain(int worker);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<unsigned> generation_{0};
  std::atomic<int> next_{0}, running_{0};
  std::atomic<bool> stop_{false};
  int tasks_ = 0;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::exception_ptr failure_;
};

/// Sets flush-to-zero and denormals-are-zero for the calling thread while alive. Softmax tails and Gaussian features
/// underflow; without this an update takes twice as long.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();

 private:
  unsigned saved_;
};

}  // namespace wam
