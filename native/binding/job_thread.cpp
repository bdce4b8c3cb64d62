#include "binding/job_thread.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace wam::binding {

// --- Job -------------------------------------------------------------------------------------------------------

Job::Job(std::shared_ptr<Environment> environment, std::shared_ptr<void> owner)
    : environment_(std::move(environment)), owner_(std::move(owner)) {}

Job::~Job() = default;

void Job::execute() noexcept {
  try {
    run();
  } catch (...) {
    failure_ = current_failure();
  }
}

void Job::deliver(napi_env env) {
  environment_->job_ends();
  if (override_) failure_ = std::move(override_);
  napi_value value = nullptr;
  if (!failure_) {
    try {
      value = result(env);
    } catch (...) {
      failure_ = current_failure();
    }
  }
  // Null values and failed calls mean that the environment is ending: nobody waits for the promise any more.
  if (!failure_) {
    if (value != nullptr) napi_resolve_deferred(env, deferred_, value);
  } else if ((value = make_error(env, *failure_)) != nullptr) {
    napi_reject_deferred(env, deferred_, value);
  }
  settled(env);
}

// --- JobThread -------------------------------------------------------------------------------------------------

/// The thread's last words after `close`.
class JobThread::Ended : public Delivery {
 public:
  Ended(JobThread& thread, std::shared_ptr<void> owner, std::function<void()> on_end)
      : thread_(thread), owner_(std::move(owner)), on_end_(std::move(on_end)) {}
  void deliver(napi_env env) override {
    thread_.environment_->job_ends();
    thread_.join();
    thread_.ended_ = true;
    on_end_();
    napi_value undefined;
    napi_get_undefined(env, &undefined);
    for (napi_deferred closer : thread_.closers_) napi_resolve_deferred(env, closer, undefined);
    thread_.closers_.clear();
  }

 private:
  JobThread& thread_;
  std::shared_ptr<void> owner_;
  std::function<void()> on_end_;
};

JobThread::JobThread(std::shared_ptr<Environment> environment, std::size_t queue_limit)
    : environment_(std::move(environment)), queue_limit_(queue_limit) {
  thread_ = std::thread([this] {
    const Counted<Count::threads> counted;
    loop();
  });
  environment_->add(this);
}

JobThread::~JobThread() {
  request_end();
  join();
  environment_->remove(this);
}

void JobThread::loop() {
  const FlushDenormals flush;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || (!queue_.empty() && !guest_); });
    if (ending_) {
      if (last_words_) environment_->post(std::move(last_words_));
      return;
    }
    std::unique_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    running_ = job.get();
    lock.unlock();
    job->execute();
    lock.lock();
    // Posted under the lock: once `running_` is null nobody may find the job undelivered, `close` counts on it.
    running_ = nullptr;
    environment_->post(std::move(job));
    rest_.notify_all();
  }
}

napi_value JobThread::submit(napi_env env, std::unique_ptr<Job> job) {
  if (closed_) throw Error("ERR_CLOSED", "it was closed");
  napi_value promise;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) throw Error("ERR_CLOSED", "its thread has ended");
    if (queue_.size() >= queue_limit_) {
      throw Error("ERR_RANGE", "expected at most " + std::to_string(queue_limit_) + " waiting calls, one more came");
    }
    if (napi_create_promise(env, &job->deferred_, &promise) != napi_ok) {
      throw Error("ERR_INTERNAL", "napi_create_promise failed");
    }
    queue_.push_back(std::move(job));
  }
  environment_->job_begins();
  wake_.notify_one();
  return promise;
}

void JobThread::abort(napi_env env, double id) {
  std::unique_ptr<Job> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (running_ != nullptr && running_->id == id) running_->stop.store(true);
    const auto found = std::find_if(queue_.begin(), queue_.end(), [id](const auto& job) { return job->id == id; });
    if (found != queue_.end()) {
      dropped = std::move(*found);
      queue_.erase(found);
    }
  }
  if (dropped) {
    dropped->stop.store(true);
    dropped->deliver(env);
  }
}

void JobThread::abort_all(napi_env env) {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (running_ != nullptr) running_->stop.store(true);
    dropped.swap(queue_);
  }
  for (const auto& job : dropped) {
    job->stop.store(true);
    job->deliver(env);
  }
}

bool JobThread::idle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return running_ == nullptr && queue_.empty();
}

JobThread::Guest::Guest(JobThread& thread) : thread_(thread) {
  std::unique_lock<std::mutex> lock(thread_.mutex_);
  if (thread_.closed_ || thread_.ending_) throw Error("ERR_CLOSED", "it was closed");
  thread_.guest_ = true;  // the next job waits
  thread_.rest_.wait(lock, [this] { return thread_.running_ == nullptr; });
}

JobThread::Guest::~Guest() {
  bool waits;
  {
    const std::lock_guard<std::mutex> lock(thread_.mutex_);
    thread_.guest_ = false;
    waits = !thread_.queue_.empty() || thread_.ending_;
  }
  if (waits) thread_.wake_.notify_one();
}

napi_value JobThread::close(napi_env env, std::shared_ptr<void> owner, std::function<void()> on_end) {
  napi_value promise, undefined;
  napi_deferred deferred;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok || napi_get_undefined(env, &undefined) != napi_ok) {
    throw Error("ERR_INTERNAL", "napi_create_promise failed");
  }
  if (ended_) {
    napi_resolve_deferred(env, deferred, undefined);
    return promise;
  }
  closers_.push_back(deferred);
  if (closed_) return promise;
  closed_ = true;
  environment_->job_begins();  // the end itself is waited for

  const Failure failure{"ERR_CLOSED", "it was closed before the call was done"};
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (running_ != nullptr) {
      running_->stop.store(true);
      running_->fail(failure);
    }
    dropped.swap(queue_);
    last_words_ = std::make_unique<Ended>(*this, std::move(owner), std::move(on_end));
    ending_ = true;
  }
  wake_.notify_one();
  for (const auto& job : dropped) {
    job->fail(failure);
    job->deliver(env);
  }
  return promise;
}

std::deque<std::unique_ptr<Job>> JobThread::request_end() {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    if (running_ != nullptr) running_->stop.store(true);
    dropped.swap(queue_);
  }
  wake_.notify_one();
  return dropped;
}

void JobThread::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace wam::binding
