#include "binding/training.h"

#include <chrono>
#include <utility>

#include "binding/listener_call.h"
#include "core/error.h"

namespace wam::binding {
namespace {

using Clock = std::chrono::steady_clock;

// Often enough for a progress bar, rarely enough to cost nothing.
constexpr auto kReportInterval = std::chrono::milliseconds(100);
constexpr std::size_t kQueueLimit = 1;

}  // namespace

class Training::StartJob : public Job {
 public:
  StartJob(std::shared_ptr<Environment> environment, std::shared_ptr<Training> training, UpdatesFactory make)
      : Job(std::move(environment), training), training_(std::move(training)), make_(std::move(make)) {}
  void run() override { training_->updates_ = make_(); }
  napi_value result(napi_env env) override { return make_handle(env, training_); }

 private:
  std::shared_ptr<Training> training_;
  UpdatesFactory make_;
};

class Training::RunJob : public Job {
 public:
  /// Takes `listener` over once it is submitted.
  RunJob(std::shared_ptr<Environment> environment, std::shared_ptr<Training> training, std::int64_t updates,
         napi_ref listener)
      : Job(environment, training),
        environment_(std::move(environment)),
        training_(std::move(training)),
        updates_(updates),
        listener_(listener) {}

  void run() override {
    Updates& updates = *training_->updates_;
    const auto columns = static_cast<std::size_t>(updates.columns());
    std::size_t reported = 0;
    Clock::time_point report_at = Clock::now() + kReportInterval;
    for (std::int64_t i = 0; i < updates_ && !stop.load(); ++i) {
      const std::size_t row = rows_.size();
      rows_.resize(row + columns);
      updates.step(&rows_[row]);
      if (updates.stopped()) break;
      if (listener_ == nullptr || Clock::now() < report_at) continue;
      report(reported, columns);
      reported = rows_.size();
      report_at = Clock::now() + kReportInterval;
    }
    if (listener_ != nullptr && reported < rows_.size()) report(reported, columns);
  }

  napi_value result(napi_env env) override {
    napi_value buffer, array;
    void* data;
    if (napi_create_arraybuffer(env, rows_.size() * sizeof(double), &data, &buffer) != napi_ok) return nullptr;
    std::copy(rows_.begin(), rows_.end(), static_cast<double*>(data));
    if (napi_create_typedarray(env, napi_float64_array, rows_.size(), buffer, 0, &array) != napi_ok) return nullptr;
    return array;
  }

  void settled(napi_env env) override {
    if (listener_ != nullptr) napi_delete_reference(env, listener_);
  }

 private:
  void report(std::size_t from, std::size_t columns) {
    const std::size_t size = rows_.size() - from;
    environment_->post(std::make_unique<ListenerCall>(listener_, &rows_[from], size, static_cast<int>(size / columns)));
  }

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Training> training_;
  std::int64_t updates_;
  napi_ref listener_;
  std::vector<double> rows_;
};

Training::Training(std::shared_ptr<Environment> environment, std::shared_ptr<DatasetHandle> data)
    : environment_(environment), data_(std::move(data)), thread_(std::move(environment), kQueueLimit) {
  if (data_) ++data_->readers;
}

Training::~Training() { let_go_of_data(); }

void Training::let_go_of_data() {
  if (const auto data = std::exchange(data_, nullptr)) --data->readers;
}

napi_value Training::start(napi_env env, UpdatesFactory make) {
  return thread_.submit(env, std::make_unique<StartJob>(environment_, shared_from_this(), std::move(make)));
}

napi_value Training::run(napi_env env, std::int64_t updates, napi_value on_progress) {
  at_rest();
  napi_ref listener = nullptr;
  if (on_progress != nullptr && napi_create_reference(env, on_progress, 1, &listener) != napi_ok) {
    throw Error("ERR_INTERNAL", "napi_create_reference failed");
  }
  try {
    return thread_.submit(env, std::make_unique<RunJob>(environment_, shared_from_this(), updates, listener));
  } catch (...) {
    if (listener != nullptr) napi_delete_reference(env, listener);
    throw;
  }
}

Updates& Training::at_rest() {
  if (thread_.closed()) throw Error("ERR_CLOSED", "the trainer was closed");
  if (!thread_.idle()) throw Error("ERR_ARGUMENT", "the trainer is at work; wait for its run to end");
  return *updates_;
}

napi_value Training::close(napi_env env) {
  return thread_.close(env, shared_from_this(), [this] {
    updates_.reset();
    let_go_of_data();
  });
}

}  // namespace wam::binding
