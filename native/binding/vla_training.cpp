#include "binding/vla_training.h"

#include <utility>

#include "binding/handle.h"
#include "vla/tensor_source.h"

namespace wam::binding {
namespace {

constexpr std::size_t kQueueLimit = 1024;

}  // namespace

VlaTraining::VlaTraining(std::shared_ptr<Environment> environment, std::string directory, vla::VlaConfig config,
                         vla::VlaTrainConfig train, DeviceChoice device, int threads)
    : environment_(environment),
      directory_(std::move(directory)),
      config_(config),
      train_(std::move(train)),
      device_(device),
      threads_(threads),
      thread_(std::move(environment), kQueueLimit) {}

void VlaTraining::build() {
  if (threads_ > 1 && device_.device == Device::cpu) pool_ = std::make_unique<ThreadPool>(threads_);
  backend_ = make_backend(device_, pool_.get());
  trainer_ = std::make_unique<vla::VlaTrainer>(config_, vla::open_checkpoint(directory_), *backend_, train_);
}

napi_value VlaTraining::start(napi_env env) {
  auto self = shared_from_this();
  return thread_.submit(env, std::make_unique<CallJob>(
                                 environment_, self, [this](const std::atomic<bool>&) { build(); },
                                 [self](napi_env on) { return make_handle(on, self); }));
}

napi_value VlaTraining::call(napi_env env, std::function<void(vla::VlaTrainer&)> work, CallJob::Result result) {
  return thread_.submit(env, std::make_unique<CallJob>(
                                 environment_, shared_from_this(),
                                 [this, work = std::move(work)](const std::atomic<bool>&) {
                                   const ThreadPool::Burst burst(pool_.get());
                                   work(*trainer_);
                                 },
                                 std::move(result)));
}

napi_value VlaTraining::close(napi_env env) {
  auto self = shared_from_this();
  return thread_.close(env, self, [this] {
    trainer_.reset();
    backend_.reset();
    pool_.reset();
  });
}

}  // namespace wam::binding
