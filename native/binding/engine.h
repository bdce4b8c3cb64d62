#pragma once
#include <node_api.h>

#include <memory>
#include <vector>

#include "binding/counters.h"
#include "binding/devices.h"
#include "binding/job_thread.h"
#include "binding/plan_packing.h"
#include "core/backend.h"
#include "core/thread_pool.h"
#include "model/model.h"
#include "model/planner.h"

namespace wam::binding {

struct EngineOptions {
  int threads = 1;
  bool spin = true;
  DeviceChoice device;
  model::PlanLimits limits;
  std::size_t queue_limit = 0;
};

/// A planner's weights and memory with the thread that uses them. Functions are for the JavaScript thread unless they
/// say otherwise.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  static constexpr const char* kHandleName = "engine";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 4};

  Engine(std::shared_ptr<Environment> environment, std::shared_ptr<const model::Model> model, EngineOptions options);

  /// Builds the planner on the engine's thread; the promise resolves to the engine's handle.
  napi_value start(napi_env env);
  /// A promise of the results as an ArrayBuffer, or of undefined when aborted. `on_step` may be null.
  napi_value plan(napi_env env, std::unique_ptr<PlanWork> work, double job, napi_value on_step);
  /// Lets threads that sleep wake up while the caller prepares its call. Only a hint.
  void expect_plan();
  /// On this thread.
  void plan_here(PlanWork& work);
  napi_value close(napi_env env);

  const EngineOptions& options() const { return options_; }
  const model::Model& model() const { return *model_; }
  JobThread& thread() { return thread_; }
  std::size_t workspace_bytes() const { return workspace_bytes_; }

  std::unique_ptr<PlanWork> take_work();
  void give_back(std::unique_ptr<PlanWork> work);

 private:
  class StartJob;
  class PlanJob;
  /// On whichever thread holds the engine.
  void build();
  void compute(PlanWork& work);

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<const model::Model> model_;
  EngineOptions options_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<model::PlanEngine> planner_;
  std::size_t workspace_bytes_ = 0;
  std::vector<std::unique_ptr<PlanWork>> spare_;
  Counted<Count::engines> counted_;
  JobThread thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
