#pragma once
#include <node_api.h>

#include <functional>
#include <memory>
#include <vector>

#include "binding/counters.h"
#include "binding/handles.h"
#include "binding/job_thread.h"
#include "model/model.h"

namespace wam::binding {

/// What a run of updates needs: the trainers of the engine under one face.
class Updates {
 public:
  virtual ~Updates() = default;
  virtual int columns() const = 0;
  /// Makes an update and writes its row of statistics [columns], the number of the update first.
  virtual void step(double* row) = 0;
  virtual std::int64_t steps_done() const = 0;
  /// Whether the last update was one to stop after.
  virtual bool stopped() const { return false; }
  /// Figures of the weights that the run started from; none by default.
  virtual std::vector<double> start() const { return {}; }
  /// Weights to use.
  virtual std::vector<model::NamedTensor> tensors() const = 0;
  virtual std::vector<model::NamedTensor> state() const = 0;
  virtual void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps) = 0;
};

using UpdatesFactory = std::function<std::unique_ptr<Updates>()>;

/// A training run's memory with the thread that works on it. For the JavaScript thread.
class Training : public std::enable_shared_from_this<Training> {
 public:
  static constexpr const char* kHandleName = "trainer";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 5};

  /// `data` may be null; else nothing may be added to it while this is open.
  Training(std::shared_ptr<Environment> environment, std::shared_ptr<DatasetHandle> data);
  ~Training();

  /// Calls `make` on the thread; the promise resolves to the handle.
  napi_value start(napi_env env, UpdatesFactory make);
  /// A promise of the statistics [updates done, columns]. `on_progress` may be null.
  napi_value run(napi_env env, std::int64_t updates, napi_value on_progress);
  void stop(napi_env env) { thread_.abort_all(env); }
  /// Throws Error(ERR_ARGUMENT) while a run is in flight, ERR_CLOSED after `close`.
  Updates& at_rest();
  napi_value close(napi_env env);

 private:
  class StartJob;
  class RunJob;
  void let_go_of_data();

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<DatasetHandle> data_;
  std::unique_ptr<Updates> updates_;
  Counted<Count::trainers> counted_;
  JobThread thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
