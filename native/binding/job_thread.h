#pragma once
#include <node_api.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "binding/environment.h"
#include "binding/failure.h"
#include "core/thread_pool.h"

namespace wam::binding {

/// A piece of work whose result settles a promise. Made and destroyed on the JavaScript thread, run on a JobThread.
class Job : public Delivery {
 public:
  /// `owner` is what the job works with; it stays alive until the job is destroyed.
  Job(std::shared_ptr<Environment> environment, std::shared_ptr<void> owner);
  ~Job() override;

  /// On the native thread. What it throws rejects the promise.
  virtual void run() = 0;
  /// On the JavaScript thread after `run`: what the promise resolves to; null leaves it pending (the environment ends).
  virtual napi_value result(napi_env env) = 0;
  /// On the JavaScript thread when the promise is settled, whichever way.
  virtual void settled(napi_env) {}

  void execute() noexcept;
  void deliver(napi_env env) final;
  /// JavaScript thread: settles with `failure` whatever `run` gives.
  void fail(Failure failure) { override_ = std::move(failure); }

  double id = 0;                  // for abort; 0 is never aborted
  std::atomic<bool> stop{false};  // `run` looks at it between its steps

 private:
  friend class JobThread;
  std::shared_ptr<Environment> environment_;
  std::shared_ptr<void> owner_;
  napi_deferred deferred_ = nullptr;
  std::optional<Failure> failure_, override_;
  Counted<Count::jobs> counted_;
};

/// One native thread with a queue of jobs, tied to an environment. All functions are for the JavaScript thread.
class JobThread {
 public:
  JobThread(std::shared_ptr<Environment> environment, std::size_t queue_limit);
  ~JobThread();

  /// Queues the job and returns its promise. Throws Error: ERR_CLOSED, ERR_RANGE when too many jobs wait.
  napi_value submit(napi_env env, std::unique_ptr<Job> job);

  /// A queued job settles at once, as `result` gives without `run`; a running one is told to stop.
  void abort(napi_env env, double id);
  /// Tells every job to stop, as `abort` does one.
  void abort_all(napi_env env);

  /// No job waits or runs.
  bool idle();
  bool closed() const { return closed_; }

  /// Calls f on this thread while the native thread rests; waits for the job that is running.
  template <class F>
  void run_here(F&& f) {
    Guest guest(*this);
    FlushDenormals flush;
    f();
  }

  /// Rejects what waits or runs with ERR_CLOSED and returns a promise that resolves when the thread has ended and
  /// `on_end` was called. Called again it waits for the same end. `owner` keeps this object alive until then.
  napi_value close(napi_env env, std::shared_ptr<void> owner, std::function<void()> on_end);

  /// For the end of the environment: stops what runs and gives back what waits, without settling anything. The jobs must
  /// outlive `join`: one of them may be all that keeps this object alive.
  std::deque<std::unique_ptr<Job>> request_end();
  void join();

 private:
  class Ended;
  /// Holds the native thread off while alive.
  class Guest {
   public:
    explicit Guest(JobThread& thread);
    ~Guest();

   private:
    JobThread& thread_;
  };

  void loop();

  std::shared_ptr<Environment> environment_;
  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable wake_, rest_;
  std::deque<std::unique_ptr<Job>> queue_;
  Job* running_ = nullptr;
  bool guest_ = false, ending_ = false;
  std::unique_ptr<Delivery> last_words_;
  // JavaScript thread only:
  bool closed_ = false, ended_ = false;
  std::vector<napi_deferred> closers_;
  std::thread thread_;
};

}  // namespace wam::binding
