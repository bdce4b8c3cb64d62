#include <algorithm>
#include <limits>
#include <memory>
#include <string>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handle.h"
#include "binding/path_schedule.h"
#include "binding/tensors.h"
#include "binding/vla_binding.h"
#include "binding/vla_input.h"
#include "binding/vla_training.h"

namespace wam::binding {
namespace {

constexpr int kMaxTokens = 1 << 16, kMaxImages = 64, kMaxThreads = 256, kMaxBatch = 1 << 16, kMaxCopies = 1024;
constexpr int kMaxInt = std::numeric_limits<int>::max();
constexpr std::int64_t kMaxSeed = std::int64_t{1} << 53;

std::vector<std::string> read_names(const Napi::Array& array, const std::string& name) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    if (!value.IsString()) throw Error("ERR_ARGUMENT", name + ": expected strings");
    names.push_back(value.As<Napi::String>().Utf8Value());
  }
  return names;
}

vla::VlaTrainConfig read_train(const Fields& fields) {
  vla::VlaTrainConfig train;
  train.tokens = fields.integer("maxTokens", 1, kMaxTokens), train.images = fields.integer("maxImages", 1, kMaxImages);
  train.beta1 = fields.number("beta1"), train.beta2 = fields.number("beta2"), train.eps = fields.number("eps");
  train.weight_decay = fields.number("weightDecay"), train.clip = fields.number("clip");
  train.trainable = read_names(fields.array("trainable"), fields.path("trainable"));
  train.copies = fields.integer("maxCopies", 1, kMaxCopies);
  train.recompute = fields.boolean("recompute");
  train.schedule = read_path_schedule(fields.object("schedule"));
  train.mask_token = fields.integer("maskId", -1, kMaxInt);
  train.smear = fields.number("smear");
  const Fields triplet = fields.object("triplet");
  train.triplet.first_id = triplet.integer("firstId", 0, kMaxInt);
  train.triplet.count = triplet.integer("count", 0, kMaxInt),
  train.triplet.batch = triplet.integer("batch", 1, kMaxInt);
  train.triplet.weight = triplet.number("weight"), train.triplet.margin = triplet.number("margin");
  train.triplet.margin_per_gap = triplet.number("marginPerGap");
  train.triplet.seed = static_cast<std::uint64_t>(triplet.integer64("seed", 0, kMaxSeed));
  const Fields lora = fields.object("lora");
  train.lora.rank = lora.integer("rank", 0, kMaxInt), train.lora.alpha = lora.number("alpha");
  train.lora.targets = read_names(lora.array("targets"), lora.path("targets"));
  train.lora.seed = static_cast<std::uint64_t>(lora.integer64("seed", 0, kMaxSeed));
  return train;
}

/// vlaTrainingMemory(config, options): bytes by part.
Napi::Value vla_training_memory(const Napi::CallbackInfo& info) {
  const Fields fields(info[1], "options");
  // Sizes do not depend on where the memory is.
  const std::unique_ptr<Backend> backend = make_backend({}, nullptr);
  const vla::TrainMemory memory = vla::VlaTrainer::plan(read_vla_config(info[0]), *backend, read_train(fields));
  Napi::Object result = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, std::int64_t bytes) {
    result.Set(name, Napi::Number::New(info.Env(), static_cast<double>(bytes)));
  };
  set("weights", memory.weights), set("gradients", memory.gradients), set("moments", memory.moments);
  set("vision", memory.vision), set("language", memory.language), set("head", memory.head);
  set("total", memory.total());
  return result;
}

/// createVlaTrainer(directory, config, options)
Napi::Value create_vla_trainer(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw Error("ERR_ARGUMENT", "directory: expected a string");
  const Fields fields(info[2], "options");
  const auto training = std::make_shared<VlaTraining>(
      Environment::shared(info.Env()), info[0].As<Napi::String>().Utf8Value(), read_vla_config(info[1]),
      read_train(fields), read_device(fields), fields.integer("threads", 1, kMaxThreads));
  return {info.Env(), training->start(info.Env())};
}

/// An array of { ids, imageMask, pixels, mask, prefixRows, targets, counted, weights, begin, end, times, seed, states, chosen,
/// advantage, logProbability, clip, temperature }.
std::shared_ptr<std::vector<vla::VlaExample>> read_batch(const Napi::Value& value, const vla::VlaConfig& config) {
  if (!value.IsArray()) throw Error("ERR_ARGUMENT", "batch: expected an array");
  const auto array = value.As<Napi::Array>();
  if (array.Length() < 1 || array.Length() > kMaxBatch) {
    throw Error("ERR_RANGE", "batch: expected 1 to " + std::to_string(kMaxBatch) + " examples");
  }
  auto batch = std::make_shared<std::vector<vla::VlaExample>>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(value.Env());
    const Fields fields(array.Get(i), "batch[" + std::to_string(i) + "]");
    VlaInput input = read_vla_input(fields, config);
    vla::VlaExample example;
    example.x_t = std::move(input.ids), example.image = std::move(input.image);
    example.pixels = std::move(input.pixels), example.images = input.images;
    example.mask = input.mask, example.prefix_rows = input.prefix_rows;
    const auto copy = [&]<class To>(const char* name, std::vector<To>& to, auto from) {
      const auto values = fields.array_of<decltype(from)>(name);
      to.assign(values.begin(), values.end());
    };
    copy("targets", example.x_1, std::int32_t{}), copy("counted", example.counted, std::uint8_t{});
    copy("weights", example.weights, float{}), copy("times", example.times, double{});
    example.range = {fields.integer("begin", 0, kMaxInt), fields.integer("end", 0, kMaxInt)};
    example.seed = static_cast<std::uint64_t>(fields.integer64("seed", 0, kMaxSeed));
    vla::Policy& policy = example.policy;
    copy("states", policy.states, std::int32_t{}), copy("chosen", policy.chosen, std::int32_t{});
    copy("advantage", policy.advantage, float{}), copy("logProbability", policy.log_probability, float{});
    policy.clip = static_cast<real>(fields.number("clip"));
    policy.temperature = static_cast<real>(fields.number("temperature"));
    batch->push_back(std::move(example));
  }
  return batch;
}

/// vlaTrainerStep(trainer, batch, learningRate). A learning rate of 0 leaves the weights as they are.
Napi::Value vla_trainer_step(const Napi::CallbackInfo& info) {
  VlaTraining& training = *from_handle<VlaTraining>(info.Env(), info[0]);
  const auto batch = read_batch(info[1], training.config());
  const double rate = number_value(info[2], "learningRate");
  auto step = std::make_shared<vla::VlaStep>();
  return {info.Env(), training.call(
                          info.Env(),
                          [batch, step, rate](vla::VlaTrainer& trainer) {
                            *step = trainer.gradients(*batch);
                            if (rate > 0) trainer.update(rate, step->grad_norm);
                          },
                          [step](napi_env env) -> napi_value {
                            Napi::Object result = Napi::Object::New(env);
                            result.Set("loss", Napi::Number::New(env, step->loss));
                            result.Set("gradNorm", Napi::Number::New(env, step->grad_norm));
                            result.Set("tripletLoss", Napi::Number::New(env, step->triplet_loss));
                            return result;
                          })};
}

/// vlaTrainerLogProbabilities(trainer, batch)
Napi::Value vla_trainer_log_probabilities(const Napi::CallbackInfo& info) {
  VlaTraining& training = *from_handle<VlaTraining>(info.Env(), info[0]);
  const auto batch = read_batch(info[1], training.config());
  auto rows = std::make_shared<std::vector<float>>();
  return {info.Env(),
          training.call(
              info.Env(), [batch, rows](vla::VlaTrainer& trainer) { *rows = trainer.log_probabilities(*batch); },
              [rows](napi_env env) -> napi_value {
                Napi::Float32Array array = Napi::Float32Array::New(env, rows->size());
                std::copy(rows->begin(), rows->end(), array.Data());
                return array;
              })};
}

/// vlaTrainerTensors(trainer, names, gradients)
Napi::Value vla_trainer_tensors(const Napi::CallbackInfo& info) {
  VlaTraining& training = *from_handle<VlaTraining>(info.Env(), info[0]);
  if (!info[1].IsArray() || !info[2].IsBoolean()) {
    throw Error("ERR_ARGUMENT", "names, gradients: expected an array and a boolean");
  }
  const auto names = read_names(info[1].As<Napi::Array>(), "names");
  const bool gradients = info[2].As<Napi::Boolean>().Value();
  auto tensors = std::make_shared<std::vector<model::NamedTensor>>();
  return {info.Env(),
          training.call(
              info.Env(),
              [tensors, names, gradients](vla::VlaTrainer& trainer) { *tensors = trainer.tensors(names, gradients); },
              [tensors](napi_env env) -> napi_value { return write_tensors(env, *tensors); })};
}

/// vlaTrainerState(trainer)
Napi::Value vla_trainer_state(const Napi::CallbackInfo& info) {
  VlaTraining& training = *from_handle<VlaTraining>(info.Env(), info[0]);
  auto tensors = std::make_shared<std::vector<model::NamedTensor>>();
  return {info.Env(), training.call(
                          info.Env(), [tensors](vla::VlaTrainer& trainer) { *tensors = trainer.state(); },
                          [tensors](napi_env env) -> napi_value { return write_tensors(env, *tensors); })};
}

/// restoreVlaTrainer(trainer, state, stepsDone)
Napi::Value restore_vla_trainer(const Napi::CallbackInfo& info) {
  VlaTraining& training = *from_handle<VlaTraining>(info.Env(), info[0]);
  auto tensors = std::make_shared<std::vector<model::NamedTensor>>(read_tensors(info[1]));
  const std::int64_t steps = integer_value(info[2], "stepsDone", 0, kMaxSeed);
  return {info.Env(), training.call(
                          info.Env(), [tensors, steps](vla::VlaTrainer& trainer) { trainer.restore(*tensors, steps); },
                          [](napi_env env) -> napi_value { return Napi::Env(env).Undefined(); })};
}

/// closeVlaTrainer(trainer)
Napi::Value close_vla_trainer(const Napi::CallbackInfo& info) {
  return {info.Env(), from_handle<VlaTraining>(info.Env(), info[0])->close(info.Env())};
}

}  // namespace

void register_vla_training(Napi::Object exports) {
  define<&vla_training_memory>(exports, "vlaTrainingMemory");
  define<&create_vla_trainer>(exports, "createVlaTrainer");
  define<&vla_trainer_step>(exports, "vlaTrainerStep");
  define<&vla_trainer_log_probabilities>(exports, "vlaTrainerLogProbabilities");
  define<&vla_trainer_tensors>(exports, "vlaTrainerTensors");
  define<&vla_trainer_state>(exports, "vlaTrainerState");
  define<&restore_vla_trainer>(exports, "restoreVlaTrainer");
  define<&close_vla_trainer>(exports, "closeVlaTrainer");
}

}  // namespace wam::binding
