#include "binding/vla_binding.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <string>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handle.h"
#include "binding/path_schedule.h"
#include "binding/vla_engine.h"
#include "binding/vla_input.h"
#include "core/error.h"

namespace wam::binding {
namespace {

constexpr int kMaxThreads = 1024, kMaxQueue = 1 << 20, kMaxTokens = 1 << 16, kMaxImages = 64, kMaxSteps = 4096,
              kMaxSamples = 4096;
constexpr int kMaxInt = std::numeric_limits<int>::max();
/// Numbers of one result at most: the process would end where an array cannot be had.
constexpr std::int64_t kMaxNumbers = std::int64_t{1} << 28;

VlaOptions read_vla_options(Napi::Value value) {
  const Fields fields(value, "options");
  VlaOptions options;
  options.threads = fields.integer("threads", 1, kMaxThreads);
  options.spin = fields.boolean("spin");
  options.device = read_device(fields);
  options.limits.tokens = fields.integer("maxTokens", 1, kMaxTokens);
  options.limits.images = fields.integer("maxImages", 1, kMaxImages);
  options.limits.cache = fields.boolean("prefixCache");
  options.numeric = {fields.integer("numericBegin", 0, kMaxInt), fields.integer("numericEnd", 0, kMaxInt)};
  options.queue_limit = static_cast<std::size_t>(fields.integer("queueLimit", 1, kMaxQueue));
  return options;
}

/// createVla(directory, config, options)
Napi::Value create_vla(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  if (!info[0].IsString()) throw Error("ERR_ARGUMENT", "directory: expected a string");
  const auto engine = std::make_shared<VlaEngine>(Environment::shared(env), info[0].As<Napi::String>().Utf8Value(),
                                                  read_vla_config(info[1]), read_vla_options(info[2]));
  return {env, engine->start(env)};
}

template <class Array, class T>
Napi::Value array_of(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

/// Images, then the sequence. False when given up.
bool prepare(VlaEngine& engine, const VlaInput& input, std::vector<float>* features, std::vector<float>* aligned,
             const model::LayerWatch& watch) {
  const vla::VlaConfig& c = engine.config();
  const auto tokens = static_cast<std::size_t>(input.images) * static_cast<std::size_t>(c.vision.tokens());
  if (features != nullptr) features->resize(tokens * static_cast<std::size_t>(c.vision.width));
  if (aligned != nullptr) aligned->resize(tokens * static_cast<std::size_t>(c.language.hidden));
  if (!engine.runner().encode_images(input.images, input.pixels.data(), features ? features->data() : nullptr,
                                     aligned ? aligned->data() : nullptr, watch)) {
    return false;
  }
  engine.runner().set_input(input.ids, input.image, input.mask, input.prefix_rows);
  return true;
}

struct ForwardCall {
  VlaInput input;
  std::vector<std::int32_t> rows;
  bool wants_hidden = false, wants_vision = false;
  std::vector<float> logits, hidden, features, aligned;

  void run(VlaEngine& engine, const model::LayerWatch& watch) {
    vla::VlaRunner& runner = engine.runner();
    const vla::VlaConfig& c = engine.config();
    if (!prepare(engine, input, wants_vision ? &features : nullptr, wants_vision ? &aligned : nullptr, watch)) return;
    const auto least = std::min_element(rows.begin(), rows.end());
    const int first = wants_hidden ? 0 : least == rows.end() ? runner.rows() : std::max(*least - 1, 0);
    if (rows.empty() && !wants_hidden) return;
    if (!runner.run(first, watch)) return;
    if (wants_hidden) {
      hidden.resize(input.ids.size() * static_cast<std::size_t>(c.language.hidden));
      engine.backend().download(hidden.data(), runner.hidden(), hidden.size() * sizeof(float));
    }
    const vla::TokenRange all{0, c.language.vocab};
    const auto vocab = static_cast<std::size_t>(c.language.vocab);
    logits.resize(rows.size() * vocab);
    const auto most = static_cast<std::size_t>(runner.logit_rows(all));
    for (std::size_t begin = 0; begin < rows.size(); begin += most) {
      const std::size_t count = std::min(most, rows.size() - begin);
      const real* from = runner.logits(std::span(rows).subspan(begin, count), all);
      engine.backend().download(&logits[begin * vocab], from, count * vocab * sizeof(float));
    }
  }

  Napi::Value result(Napi::Env env) const {
    Napi::Object object = Napi::Object::New(env);
    object.Set("logits", array_of<Napi::Float32Array>(env, logits));
    if (wants_hidden) object.Set("hidden", array_of<Napi::Float32Array>(env, hidden));
    if (wants_vision) {
      object.Set("features", array_of<Napi::Float32Array>(env, features));
      object.Set("aligned", array_of<Napi::Float32Array>(env, aligned));
    }
    return object;
  }
};

/// A call with `run` on the engine's thread and `result` here.
template <class Call>
Napi::Value submit(Napi::Env env, VlaEngine& engine, double job, const std::shared_ptr<Call>& call) {
  return {env, engine.call(
                   env, job, [call](VlaEngine& on, const model::LayerWatch& watch) { call->run(on, watch); },
                   [call](napi_env on) -> napi_value { return call->result(Napi::Env(on)); })};
}

/// vlaForward(model, { ids, imageMask, pixels, mask, prefixRows, rows, hidden, vision }, job)
Napi::Value vla_forward(const Napi::CallbackInfo& info) {
  VlaEngine& engine = *from_handle<VlaEngine>(info.Env(), info[0]);
  const Fields fields(info[1], "request");
  auto call = std::make_shared<ForwardCall>();
  call->input = read_vla_input(fields, engine.config());
  const auto rows = fields.array_of<std::int32_t>("rows");
  call->rows.assign(rows.begin(), rows.end());
  for (std::size_t i = 0; i < call->rows.size(); ++i) {
    if (call->rows[i] >= 0 && call->rows[i] < static_cast<int>(call->input.ids.size())) continue;
    throw Error("ERR_RANGE", fields.path("rows") + "[" + std::to_string(i) + "]: expected a row from 0 to " +
                                 std::to_string(static_cast<int>(call->input.ids.size()) - 1) + ", received " +
                                 std::to_string(call->rows[i]));
  }
  if (static_cast<std::int64_t>(call->rows.size()) * engine.config().language.vocab > kMaxNumbers) {
    throw Error("ERR_RANGE", fields.path("rows") + ": expected at most " +
                                 std::to_string(kMaxNumbers / engine.config().language.vocab) +
                                 " rows of logits in one call, received " + std::to_string(call->rows.size()));
  }
  call->wants_hidden = fields.boolean("hidden"), call->wants_vision = fields.boolean("vision");
  return submit(info.Env(), engine, number_value(info[2], "job"), call);
}

struct SampleCall {
  VlaInput input;
  vla::SampleRequest request;
  vla::SampleOutput output;
  double vision_ms = 0;

  void run(VlaEngine& engine, const model::LayerWatch& watch) {
    const auto start = std::chrono::steady_clock::now();
    if (!prepare(engine, input, nullptr, nullptr, watch)) return;
    vision_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    engine.sampler().sample(request, input.mask, output, watch);
  }

  Napi::Value result(Napi::Env env) const {
    Napi::Object object = Napi::Object::New(env);
    object.Set("states", array_of<Napi::Int32Array>(env, output.states));
    object.Set("x1", array_of<Napi::Int32Array>(env, output.x_1));
    object.Set("final", array_of<Napi::Int32Array>(env, output.final));
    object.Set("logProbability", array_of<Napi::Float32Array>(env, output.log_probability));
    object.Set("visionMs", Napi::Number::New(env, vision_ms));
    object.Set("prefixMs", Napi::Number::New(env, output.prefix_ms));
    object.Set("stepMs", array_of<Napi::Float64Array>(env, output.step_ms));
    return object;
  }
};

template <class T>
std::vector<T> copy_of(const Fields& fields, const char* name) {
  const auto values = fields.array_of<T>(name);
  return {values.begin(), values.end()};
}

/// vlaSample(model, { ids, ..., positions, begin, end, steps, rule, ... }, job)
Napi::Value vla_sample(const Napi::CallbackInfo& info) {
  VlaEngine& engine = *from_handle<VlaEngine>(info.Env(), info[0]);
  const Fields fields(info[1], "request");
  auto call = std::make_shared<SampleCall>();
  call->input = read_vla_input(fields, engine.config());
  vla::SampleRequest& r = call->request;
  r.positions = copy_of<std::int32_t>(fields, "positions");
  r.range = {fields.integer("begin", 0, kMaxInt), fields.integer("end", 0, kMaxInt)};
  r.steps = fields.integer("steps", 1, kMaxSteps);
  r.rule = fields.choice<StepRule>(
      "rule", {{"released", StepRule::released}, {"integrated", StepRule::integrated}, {"renoise", StepRule::renoise}});
  const auto decode = [&](const char* name) {
    return fields.choice<DecodeRule>(
        name, {{"argmax", DecodeRule::argmax}, {"median", DecodeRule::median}, {"sample", DecodeRule::sample}});
  };
  r.decode = decode("decode"), r.last_decode = decode("lastDecode");
  r.temperature = static_cast<real>(fields.number("temperature"));
  r.top_k = fields.integer("topK", 0, kMaxInt);
  r.schedule = read_path_schedule(fields.object("schedule"));
  r.mask_id = fields.integer("maskId", -1, kMaxInt);
  r.samples = fields.integer("samples", 1, kMaxSamples);
  r.keep_prefix = fields.boolean("keepPrefix");
  r.seed = static_cast<std::uint64_t>(fields.integer64("seed", 0, std::int64_t{1} << 53));
  r.x_0 = copy_of<std::int32_t>(fields, "x0");
  r.posterior = copy_of<float>(fields, "posterior");
  r.jump = copy_of<float>(fields, "jump");
  r.draw = copy_of<float>(fields, "draw");
  return submit(info.Env(), engine, number_value(info[2], "job"), call);
}

/// abortVla(model, job)
Napi::Value abort_vla(const Napi::CallbackInfo& info) {
  from_handle<VlaEngine>(info.Env(), info[0])->thread().abort(info.Env(), number_value(info[1], "job"));
  return info.Env().Undefined();
}

/// vlaWorkspaceBytes(model)
Napi::Value vla_workspace_bytes(const Napi::CallbackInfo& info) {
  const auto& engine = from_handle<VlaEngine>(info.Env(), info[0]);
  return Napi::Number::New(info.Env(), static_cast<double>(engine->workspace_bytes()));
}

/// closeVla(model)
Napi::Value close_vla(const Napi::CallbackInfo& info) {
  return {info.Env(), from_handle<VlaEngine>(info.Env(), info[0])->close(info.Env())};
}

}  // namespace

void register_vla(Napi::Object exports) {
  define<&create_vla>(exports, "createVla");
  define<&vla_forward>(exports, "vlaForward");
  define<&vla_sample>(exports, "vlaSample");
  define<&abort_vla>(exports, "abortVla");
  define<&vla_workspace_bytes>(exports, "vlaWorkspaceBytes");
  define<&close_vla>(exports, "closeVla");
}

}  // namespace wam::binding
