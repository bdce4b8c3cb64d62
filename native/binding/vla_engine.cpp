#include "binding/vla_engine.h"

#include <utility>

#include "binding/handle.h"
#include "vla/tensor_source.h"

namespace wam::binding {

VlaEngine::VlaEngine(std::shared_ptr<Environment> environment, std::string directory, vla::VlaConfig config,
                     VlaOptions options)
    : environment_(environment),
      directory_(std::move(directory)),
      config_(config),
      options_(options),
      thread_(std::move(environment), options.queue_limit) {}

void VlaEngine::build() {
  if (options_.threads > 1 && options_.device.device == Device::cpu) {
    pool_ = std::make_unique<ThreadPool>(options_.threads, TeamOptions{.spin = options_.spin});
  }
  backend_ = make_backend(options_.device, pool_.get());
  const ThreadPool::Burst burst(pool_.get());
  weights_ = std::make_shared<vla::VlaWeights>(config_, vla::open_checkpoint(directory_), *backend_, options_.numeric);
  runner_ = std::make_unique<vla::VlaRunner>(weights_, *backend_, options_.limits);
  sampler_ = std::make_unique<vla::VlaSampler>(weights_, *runner_, *backend_);
  workspace_bytes_ = runner_->bytes();
}

napi_value VlaEngine::start(napi_env env) {
  auto self = shared_from_this();
  return thread_.submit(env, std::make_unique<CallJob>(
                                 environment_, self, [this](const std::atomic<bool>&) { build(); },
                                 [self](napi_env on) { return make_handle(on, self); }));
}

napi_value VlaEngine::call(napi_env env, double number, Work work, CallJob::Result result) {
  auto job = std::make_unique<CallJob>(
      environment_, shared_from_this(),
      [this, work = std::move(work)](const std::atomic<bool>& stop) {
        const model::LayerWatch watch{
            [](void* asked, int) { return static_cast<const std::atomic<bool>*>(asked)->load(); },
            const_cast<std::atomic<bool>*>(&stop)};
        const ThreadPool::Burst burst(pool_.get());
        work(*this, watch);
      },
      std::move(result));
  job->id = number;
  return thread_.submit(env, std::move(job));
}

napi_value VlaEngine::close(napi_env env) {
  auto self = shared_from_this();
  return thread_.close(env, self, [this] {
    sampler_.reset();
    runner_.reset();
    weights_.reset();
    workspace_bytes_ = 0;
    backend_.reset();
    pool_.reset();
  });
}

}  // namespace wam::binding
