#include "binding/environment.h"

#include <algorithm>

#include "binding/job_thread.h"
#include "core/error.h"

namespace wam::binding {

namespace {
void check(napi_status status, const char* what) {
  if (status != napi_ok) throw Error("ERR_INTERNAL", std::string(what) + " failed");
}
}  // namespace

void Environment::install(napi_env env) {
  auto* holder = new std::shared_ptr<Environment>(std::make_shared<Environment>(env));
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Environment>*>(data); };
  if (napi_set_instance_data(env, holder, destroy, nullptr) != napi_ok) {
    delete holder;
    throw Error("ERR_INTERNAL", "napi_set_instance_data failed");
  }
}

std::shared_ptr<Environment> Environment::shared(napi_env env) {
  void* data = nullptr;
  check(napi_get_instance_data(env, &data), "napi_get_instance_data");
  return *static_cast<std::shared_ptr<Environment>*>(data);
}

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  check(napi_get_instance_data(env, &data), "napi_get_instance_data");
  return **static_cast<std::shared_ptr<Environment>*>(data);
}

Environment::Environment(napi_env env) : env_(env) {
  napi_value name;
  check(napi_create_string_utf8(env, "wam-flow", NAPI_AUTO_LENGTH, &name), "napi_create_string_utf8");
  check(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, call_js, &function_),
        "napi_create_threadsafe_function");
  check(napi_unref_threadsafe_function(env, function_), "napi_unref_threadsafe_function");
  // After the function: hooks run in reverse order, so ours ends the threads while the function still takes calls.
  check(napi_add_env_cleanup_hook(env, clean_up, this), "napi_add_env_cleanup_hook");
}

Environment::~Environment() = default;

void Environment::clean_up(void* self) {
  auto* environment = static_cast<Environment*>(self);
  // All are told first, so that the wait is that of the slowest one. Their jobs go last, with what only they keep alive.
  std::vector<std::deque<std::unique_ptr<Job>>> jobs;
  for (JobThread* thread : environment->threads_) jobs.push_back(thread->request_end());
  for (JobThread* thread : environment->threads_) thread->join();
  environment->threads_.clear();
  jobs.clear();
  napi_release_threadsafe_function(environment->function_, napi_tsfn_abort);
}

void Environment::set_error_factory(napi_env env, napi_value factory) {
  if (error_factory_ != nullptr) napi_delete_reference(env, error_factory_);
  error_factory_ = nullptr;
  check(napi_create_reference(env, factory, 1, &error_factory_), "napi_create_reference");
}

napi_value Environment::error_factory(napi_env env) const {
  napi_value factory = nullptr;
  if (error_factory_ != nullptr) napi_get_reference_value(env, error_factory_, &factory);
  return factory;
}

void Environment::post(std::unique_ptr<Delivery> delivery) {
  if (napi_call_threadsafe_function(function_, delivery.get(), napi_tsfn_nonblocking) == napi_ok) delivery.release();
}

void Environment::call_js(napi_env env, napi_value, void*, void* data) {
  std::unique_ptr<Delivery> delivery(static_cast<Delivery*>(data));
  if (env != nullptr) delivery->deliver(env);  // null: the environment is ending
}

void Environment::remove(JobThread* thread) {
  threads_.erase(std::remove(threads_.begin(), threads_.end(), thread), threads_.end());
}

void Environment::job_begins() {
  if (jobs_++ == 0) napi_ref_threadsafe_function(env_, function_);
}

void Environment::job_ends() {
  if (--jobs_ == 0) napi_unref_threadsafe_function(env_, function_);
}

}  // namespace wam::binding
