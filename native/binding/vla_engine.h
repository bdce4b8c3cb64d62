#pragma once
#include <node_api.h>

#include <functional>
#include <memory>
#include <string>

#include "binding/call_job.h"
#include "binding/counters.h"
#include "binding/devices.h"
#include "binding/job_thread.h"
#include "core/backend.h"
#include "core/thread_pool.h"
#include "vla/vla_runner.h"
#include "vla/vla_sampler.h"

namespace wam::binding {

struct VlaOptions {
  int threads = 1;
  bool spin = true;
  DeviceChoice device;
  vla::RunnerLimits limits;
  vla::TokenRange numeric;
  std::size_t queue_limit = 0;
};

/// A vision-language model's weights and memory with the thread that uses them. For the JavaScript thread.
class VlaEngine : public std::enable_shared_from_this<VlaEngine> {
 public:
  static constexpr const char* kHandleName = "vision-language model";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 10};

  VlaEngine(std::shared_ptr<Environment> environment, std::string directory, vla::VlaConfig config, VlaOptions options);

  /// Opens and packs the weights on the engine's thread; the promise resolves to the engine's handle.
  napi_value start(napi_env env);
  /// A promise of what `result` makes, on the JavaScript thread, of what `work` did on the engine's; undefined when
  /// aborted.
  using Work = std::function<void(VlaEngine&, const model::LayerWatch&)>;
  napi_value call(napi_env env, double job, Work work, CallJob::Result result);
  napi_value close(napi_env env);

  const vla::VlaConfig& config() const { return config_; }
  const VlaOptions& options() const { return options_; }
  JobThread& thread() { return thread_; }
  std::size_t workspace_bytes() const { return workspace_bytes_; }

  // On the engine's thread.
  Backend& backend() { return *backend_; }
  vla::VlaRunner& runner() { return *runner_; }
  vla::VlaSampler& sampler() { return *sampler_; }

 private:
  void build();

  std::shared_ptr<Environment> environment_;
  const std::string directory_;
  const vla::VlaConfig config_;
  const VlaOptions options_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const vla::VlaWeights> weights_;
  std::unique_ptr<vla::VlaRunner> runner_;
  std::unique_ptr<vla::VlaSampler> sampler_;
  std::size_t workspace_bytes_ = 0;
  Counted<Count::engines> counted_;
  JobThread thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
