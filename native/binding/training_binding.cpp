#include "binding/training_binding.h"

#include "binding/config_reader.h"
#include "binding/devices.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/tensors.h"
#include "binding/training.h"
#include "model/trainer.h"

namespace wam::binding {
namespace {

constexpr int kMaxThreads = 1024, kMaxTableDim = 1 << 16;
constexpr std::int64_t kMaxUpdates = 1'000'000'000;

class ModelUpdates : public Updates {
 public:
  explicit ModelUpdates(std::unique_ptr<model::Trainer> trainer) : trainer_(std::move(trainer)) {}
  int columns() const override { return kTrainColumns; }
  void step(double* row) override { write_step(trainer_->step(), row); }
  std::int64_t steps_done() const override { return trainer_->steps_done(); }
  std::vector<model::NamedTensor> tensors() const override { return trainer_->ema_tensors(); }
  std::vector<model::NamedTensor> state() const override { return trainer_->state(); }
  void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps) override {
    trainer_->restore(state, steps);
  }

 private:
  std::unique_ptr<model::Trainer> trainer_;
};

class TokenizerUpdates : public Updates {
 public:
  explicit TokenizerUpdates(std::unique_ptr<model::TokenizerTrainer> trainer) : trainer_(std::move(trainer)) {}
  int columns() const override { return 3; }
  void step(double* row) override {
    const model::TokenizerStats stats = trainer_->step();
    row[0] = static_cast<double>(stats.step);
    row[1] = stats.loss;
    row[2] = stats.order_violations;
  }
  std::int64_t steps_done() const override { return trainer_->steps_done(); }
  std::vector<model::NamedTensor> tensors() const override {
    for (model::NamedTensor& tensor : trainer_->state()) {
      if (tensor.name == "table") return {std::move(tensor)};
    }
    throw Error("ERR_INTERNAL", "the tokenizer trainer has no table");
  }
  std::vector<model::NamedTensor> state() const override { return trainer_->state(); }
  void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps) override {
    trainer_->restore(state, steps);
  }

 private:
  std::unique_ptr<model::TokenizerTrainer> trainer_;
};

/// createTrainer(model, train, dataset, threads, table, device?)
Napi::Value create_trainer(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  const model::ModelConfig config = read_model_config(info[0]);
  const model::TrainConfig train = read_train_config(info[1]);
  const auto data = from_handle<DatasetHandle>(env, info[2]);
  const auto threads = static_cast<int>(integer_value(info[3], "threads", 1, kMaxThreads));
  const auto rows = typed_array<float>(env, info[4], "table");
  const std::vector<float> table(rows.begin(), rows.end());
  const model::BackendFactory make_backend = backend_factory(info[5]);
  const auto training = std::make_shared<Training>(Environment::shared(env), data);
  return {env, training->start(env, [=]() -> std::unique_ptr<Updates> {
            return std::make_unique<ModelUpdates>(
                std::make_unique<model::Trainer>(config, train, data->data, make_backend, threads, table));
          })};
}

/// createTokenizerTrainer(coordinate, dim, config, device?)
Napi::Value create_tokenizer_trainer(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  const auto values = typed_array<double>(env, info[0], "coordinate");
  const std::vector<double> coordinate(values.begin(), values.end());
  const auto dim = static_cast<int>(integer_value(info[1], "dim", 1, kMaxTableDim));
  const model::TokenizerTrainConfig train = read_tokenizer_train_config(info[2]);
  const model::BackendFactory make_backend = backend_factory(info[3]);
  const auto training = std::make_shared<Training>(Environment::shared(env), nullptr);
  return {env, training->start(env, [=]() -> std::unique_ptr<Updates> {
            return std::make_unique<TokenizerUpdates>(
                std::make_unique<model::TokenizerTrainer>(coordinate, dim, train, make_backend));
          })};
}

Training& training_of(const Napi::CallbackInfo& info) { return *from_handle<Training>(info.Env(), info[0]); }

/// trainerRun(trainer, updates, onProgress?)
Napi::Value trainer_run(const Napi::CallbackInfo& info) {
  const std::int64_t updates = integer_value(info[1], "updates", 0, kMaxUpdates);
  return {info.Env(), training_of(info).run(info.Env(), updates, info[2].IsFunction() ? info[2] : napi_value{})};
}

/// trainerStop(trainer)
Napi::Value trainer_stop(const Napi::CallbackInfo& info) {
  training_of(info).stop(info.Env());
  return info.Env().Undefined();
}

/// trainerSteps(trainer)
Napi::Value trainer_steps(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(training_of(info).at_rest().steps_done()));
}

/// trainerTensors(trainer)
Napi::Value trainer_tensors(const Napi::CallbackInfo& info) {
  return write_tensors(info.Env(), training_of(info).at_rest().tensors());
}

/// trainerState(trainer)
Napi::Value trainer_state(const Napi::CallbackInfo& info) {
  return write_tensors(info.Env(), training_of(info).at_rest().state());
}

/// trainerRestore(trainer, tensors, steps)
Napi::Value trainer_restore(const Napi::CallbackInfo& info) {
  const std::int64_t steps = integer_value(info[2], "steps", 0, kMaxUpdates);
  training_of(info).at_rest().restore(read_tensors(info[1]), steps);
  return info.Env().Undefined();
}

/// closeTrainer(trainer)
Napi::Value close_trainer(const Napi::CallbackInfo& info) { return {info.Env(), training_of(info).close(info.Env())}; }

}  // namespace

model::BackendFactory backend_factory(Napi::Value value) {
  DeviceChoice choice;
  choice.isa = cpu::best_isa();
  if (!value.IsUndefined()) choice = read_device(Fields(value, "device"));
  return [choice] { return make_backend(choice, nullptr); };
}

void write_step(const model::StepStats& stats, double* row) {
  row[0] = static_cast<double>(stats.step);
  row[1] = stats.loss;
  row[2] = stats.grad_norm;
  row[3] = stats.lr;
  row[4] = static_cast<double>(stats.windows);
}

void register_training(Napi::Object exports) {
  define<&create_trainer>(exports, "createTrainer");
  define<&create_tokenizer_trainer>(exports, "createTokenizerTrainer");
  define<&trainer_run>(exports, "trainerRun");
  define<&trainer_stop>(exports, "trainerStop");
  define<&trainer_steps>(exports, "trainerSteps");
  define<&trainer_tensors>(exports, "trainerTensors");
  define<&trainer_state>(exports, "trainerState");
  define<&trainer_restore>(exports, "trainerRestore");
  define<&close_trainer>(exports, "closeTrainer");
}

}  // namespace wam::binding
