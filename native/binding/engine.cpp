#include "binding/engine.h"

#include <chrono>
#include <utility>

#include "binding/handle.h"
#include "binding/listener_call.h"
#include "core/error.h"

namespace wam::binding {
namespace {

using Clock = std::chrono::steady_clock;

// Memory of finished calls that is kept for the next ones. More than a few are in flight only by mistake.
constexpr std::size_t kSpareWork = 4;

}  // namespace

class Engine::StartJob : public Job {
 public:
  StartJob(std::shared_ptr<Environment> environment, std::shared_ptr<Engine> engine)
      : Job(std::move(environment), engine), engine_(std::move(engine)) {}
  void run() override { engine_->build(); }
  napi_value result(napi_env env) override { return make_handle(env, engine_); }

 private:
  std::shared_ptr<Engine> engine_;
};

class Engine::PlanJob : public Job {
 public:
  /// Takes `listener` over once it is submitted.
  PlanJob(std::shared_ptr<Environment> environment, std::shared_ptr<Engine> engine, std::unique_ptr<PlanWork> work,
          napi_ref listener)
      : Job(environment, engine),
        environment_(std::move(environment)),
        engine_(std::move(engine)),
        work_(std::move(work)),
        submitted_(Clock::now()),
        listener_(listener) {
    if (listener_ == nullptr) return;
    work_->options.on_step = [](void* self, int steps_run, const float* trajectory) {
      static_cast<PlanJob*>(self)->report(steps_run, trajectory);
    };
    work_->options.on_step_context = this;
  }

  void run() override {
    work_->queue_us = std::chrono::duration<double, std::micro>(Clock::now() - submitted_).count();
    work_->options.abort = &stop;
    engine_->compute(*work_);
  }

  napi_value result(napi_env env) override {
    napi_value value = nullptr;
    void* data;
    if (stop.load()) {
      napi_get_undefined(env, &value);
      return value;
    }
    const int slots = engine_->model().config().slots();
    if (napi_create_arraybuffer(env, result_bytes(*work_, slots), &data, &value) != napi_ok) return nullptr;
    write_results(*work_, slots, static_cast<std::byte*>(data));
    return value;
  }

  void settled(napi_env env) override {
    if (listener_ != nullptr) napi_delete_reference(env, listener_);
    engine_->give_back(std::move(work_));
  }

 private:
  void report(int steps_run, const float* trajectory) {
    const auto size = static_cast<std::size_t>(engine_->model().config().slots());
    environment_->post(std::make_unique<ListenerCall>(listener_, trajectory, size, steps_run));
  }

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Engine> engine_;
  std::unique_ptr<PlanWork> work_;
  Clock::time_point submitted_;
  napi_ref listener_;
};

Engine::Engine(std::shared_ptr<Environment> environment, std::shared_ptr<const model::Model> model,
               EngineOptions options)
    : environment_(environment),
      model_(std::move(model)),
      options_(options),
      thread_(std::move(environment), options.queue_limit) {}

void Engine::build() {
  if (options_.threads > 1 && options_.device.device == Device::cpu) {
    pool_ = std::make_unique<ThreadPool>(options_.threads, TeamOptions{.spin = options_.spin});
  }
  backend_ = make_backend(options_.device, pool_.get());
  planner_ = std::make_unique<model::PlanEngine>(model_, *backend_, options_.limits);
  workspace_bytes_ = planner_->workspace_bytes();
}

void Engine::compute(PlanWork& work) {
  const ThreadPool::Burst burst(pool_.get());
  for (int i = 0; i < work.count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (work.options.abort != nullptr && work.options.abort->load()) return;
    planner_->plan(work.observations[k], work.options, work.outputs[k]);
  }
}

napi_value Engine::start(napi_env env) {
  return thread_.submit(env, std::make_unique<StartJob>(environment_, shared_from_this()));
}

napi_value Engine::plan(napi_env env, std::unique_ptr<PlanWork> work, double number, napi_value on_step) {
  napi_ref listener = nullptr;
  if (on_step != nullptr && napi_create_reference(env, on_step, 1, &listener) != napi_ok) {
    throw Error("ERR_INTERNAL", "napi_create_reference failed");
  }
  try {
    auto job = std::make_unique<PlanJob>(environment_, shared_from_this(), std::move(work), listener);
    job->id = number;
    return thread_.submit(env, std::move(job));
  } catch (...) {
    if (listener != nullptr) napi_delete_reference(env, listener);
    throw;
  }
}

void Engine::expect_plan() {
  if (pool_ != nullptr && !thread_.closed()) pool_->wake();
}

void Engine::plan_here(PlanWork& work) {
  work.queue_us = 0;
  const Clock::time_point asked = Clock::now();
  thread_.run_here([&] {
    work.queue_us = std::chrono::duration<double, std::micro>(Clock::now() - asked).count();
    compute(work);
  });
}

napi_value Engine::close(napi_env env) {
  auto self = shared_from_this();
  return thread_.close(env, self, [this] {
    planner_.reset();
    workspace_bytes_ = 0;
    backend_.reset();
    pool_.reset();
    spare_.clear();
  });
}

std::unique_ptr<PlanWork> Engine::take_work() {
  if (spare_.empty()) return std::make_unique<PlanWork>();
  std::unique_ptr<PlanWork> work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

void Engine::give_back(std::unique_ptr<PlanWork> work) {
  if (spare_.size() >= kSpareWork) return;
  for (int i = 0; i < work->count; ++i) work->maps[static_cast<std::size_t>(i)].reset();
  spare_.push_back(std::move(work));
}

}  // namespace wam::binding
