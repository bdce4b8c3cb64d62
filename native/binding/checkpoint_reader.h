#pragma once
#include <node_api.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "binding/environment.h"
#include "binding/job_thread.h"
#include "vla/checkpoint_files.h"
#include "vla/manifest.h"

namespace wam::binding {

/// A checkpoint directory with the thread that opens and reads it. Functions are for the JavaScript thread.
class CheckpointReader : public std::enable_shared_from_this<CheckpointReader> {
 public:
  static constexpr const char* kHandleName = "checkpoint reader";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 40};

  CheckpointReader(std::shared_ptr<Environment> environment, std::string directory);

  /// A promise of the inspection (lib/native-checkpoint.ts), or of undefined when stopped. With `check_values` every
  /// weight that planning reads is looked at.
  napi_value inspect(napi_env env, const vla::JanusShape& shape, bool check_values);
  /// A promise of count floats as an ArrayBuffer, or of undefined when stopped.
  napi_value values(napi_env env, std::string name, std::int64_t begin, std::int64_t count);
  void stop(napi_env env) { thread_.abort_all(env); }
  napi_value close(napi_env env);

 private:
  class InspectJob;
  class ValuesJob;
  /// On the reader's thread: the files, opened at the first call.
  const vla::CheckpointFiles& files();

  std::shared_ptr<Environment> environment_;
  const std::string directory_;
  std::unique_ptr<vla::CheckpointFiles> files_;
  JobThread thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
