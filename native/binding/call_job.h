#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "binding/job_thread.h"

namespace wam::binding {

/// A job that is two functions: what to do, and what to give for it.
class CallJob : public Job {
 public:
  /// On the job thread; looks at `stop` now and then.
  using Work = std::function<void(const std::atomic<bool>& stop)>;
  /// On the JavaScript thread.
  using Result = std::function<napi_value(napi_env)>;

  CallJob(std::shared_ptr<Environment> environment, std::shared_ptr<void> owner, Work work, Result result)
      : Job(std::move(environment), std::move(owner)), work_(std::move(work)), result_(std::move(result)) {}

  void run() override {
    if (!stop.load()) work_(stop);
  }
  /// Undefined when it was stopped.
  napi_value result(napi_env env) override {
    if (!stop.load()) return result_(env);
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    return undefined;
  }

 private:
  Work work_;
  Result result_;
};

}  // namespace wam::binding
