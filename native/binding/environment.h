#pragma once
#include <node_api.h>

#include <memory>
#include <vector>

#include "binding/counters.h"

namespace wam::binding {

class JobThread;

/// Something that a native thread hands to the JavaScript thread. It is destroyed there too.
class Delivery {
 public:
  virtual ~Delivery() = default;
  virtual void deliver(napi_env env) = 0;
};

/// What the addon keeps for one JavaScript environment (the main thread or a worker): the way back for its threads.
/// It outlives every thread that uses it: the cleanup hook joins them before Node takes the function away.
class Environment {
 public:
  /// Makes the environment's instance data; called once, when the addon is loaded.
  static void install(napi_env env);
  static Environment& of(napi_env env);
  static std::shared_ptr<Environment> shared(napi_env env);

  explicit Environment(napi_env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  void set_error_factory(napi_env env, napi_value factory);
  /// Null until set.
  napi_value error_factory(napi_env env) const;

  /// Any thread. Delivers on the JavaScript thread, in the order of the calls.
  void post(std::unique_ptr<Delivery> delivery);

  // JavaScript thread only.
  void add(JobThread* thread) { threads_.push_back(thread); }
  void remove(JobThread* thread);
  /// While jobs are live the process does not end by itself.
  void job_begins();
  void job_ends();

 private:
  static void call_js(napi_env env, napi_value function, void* context, void* data);
  static void clean_up(void* self);

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  napi_ref error_factory_ = nullptr;
  std::vector<JobThread*> threads_;
  int jobs_ = 0;
  Counted<Count::environments> counted_;
};

}  // namespace wam::binding
