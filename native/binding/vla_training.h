#pragma once
#include <node_api.h>

#include <memory>
#include <string>

#include "binding/call_job.h"
#include "binding/counters.h"
#include "binding/devices.h"
#include "binding/job_thread.h"
#include "core/backend.h"
#include "core/thread_pool.h"
#include "vla/vla_trainer.h"

namespace wam::binding {

/// Training of a vision-language model: its memory with the thread that works on it. For the JavaScript thread.
class VlaTraining : public std::enable_shared_from_this<VlaTraining> {
 public:
  static constexpr const char* kHandleName = "trainer of a vision-language model";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 11};

  VlaTraining(std::shared_ptr<Environment> environment, std::string directory, vla::VlaConfig config,
              vla::VlaTrainConfig train, DeviceChoice device, int threads);

  /// Reads the weights on the thread; the promise resolves to the handle.
  napi_value start(napi_env env);
  napi_value call(napi_env env, std::function<void(vla::VlaTrainer&)> work, CallJob::Result result);
  napi_value close(napi_env env);
  const vla::VlaConfig& config() const { return config_; }

 private:
  void build();

  std::shared_ptr<Environment> environment_;
  const std::string directory_;
  const vla::VlaConfig config_;
  const vla::VlaTrainConfig train_;
  const DeviceChoice device_;
  const int threads_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<vla::VlaTrainer> trainer_;
  Counted<Count::trainers> counted_;
  JobThread thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
