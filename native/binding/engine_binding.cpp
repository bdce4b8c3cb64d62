#include "binding/engine_binding.h"

#include <array>
#include <thread>

#include "binding/engine.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handles.h"

namespace wam::binding {
namespace {

constexpr cpu::Isa kIsas[] = {cpu::Isa::portable, cpu::Isa::avx2, cpu::Isa::avx512};
constexpr int kMaxThreads = 1024, kMaxSamples = 4096, kMaxSteps = 4096, kMaxQueue = 1 << 20;

/// cpuInfo()
Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array isas = Napi::Array::New(env);
  for (const cpu::Isa isa : kIsas) {
    if (cpu::isa_supported(isa)) isas.Set(isas.Length(), Napi::String::New(env, cpu::isa_name(isa)));
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("isas", isas);
  result.Set("best", Napi::String::New(env, cpu::isa_name(cpu::best_isa())));
  result.Set("hardwareThreads", Napi::Number::New(env, std::thread::hardware_concurrency()));
  return result;
}

EngineOptions read_engine_options(Napi::Value value) {
  const Fields fields(value, "options");
  EngineOptions options;
  options.threads = fields.integer("threads", 1, kMaxThreads);
  options.spin = fields.boolean("spin");
  options.device = read_device(fields);
  options.limits.max_samples = fields.integer("maxSamples", 1, kMaxSamples);
  options.limits.max_steps = fields.integer("maxSteps", 1, kMaxSteps);
  options.queue_limit = static_cast<std::size_t>(fields.integer("queueLimit", 1, kMaxQueue));
  return options;
}

/// createEngine(model, options)
Napi::Value create_engine(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  const auto& model = from_handle<ModelHandle>(env, info[0])->model;
  const auto engine = std::make_shared<Engine>(Environment::shared(env), model, read_engine_options(info[1]));
  return {env, engine->start(env)};
}

/// The arguments that plan and planSync share; the eighth is their own.
struct PlanArguments {
  napi_value value[8];
  Engine* engine = nullptr;
  double job = 0;

  PlanArguments(napi_env env, napi_callback_info info) {
    std::size_t count = std::size(value);
    if (napi_get_cb_info(env, info, &count, value, nullptr, nullptr) != napi_ok) {
      throw Error("ERR_INTERNAL", "napi_get_cb_info failed");
    }
    engine = from_handle<Engine>(env, value[0]).get();
  }

  void read(napi_env env, PlanWork& work) {
    read_maps(env, work);
    job = read_request(typed_array<double>(env, value[6], "request"), engine->options().limits, work.options);
    read_observations(typed_array<std::int32_t>(env, value[2], "sizes"),
                      typed_array<std::int32_t>(env, value[3], "meta"), typed_array<double>(env, value[4], "values"),
                      typed_array<std::int32_t>(env, value[5], "lanes"), work);
  }

 private:
  void read_maps(napi_env env, PlanWork& work) {
    bool is_array = false;
    std::uint32_t count = 0;
    if (napi_is_array(env, value[1], &is_array) != napi_ok || !is_array ||
        napi_get_array_length(env, value[1], &count) != napi_ok || count == 0) {
      throw Error("ERR_ARGUMENT", "maps: expected one map or more");
    }
    if (work.maps.size() < count) work.maps.resize(count);
    work.count = static_cast<int>(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      napi_value map;
      if (napi_get_element(env, value[1], i, &map) != napi_ok) throw Error("ERR_ARGUMENT", "maps: expected maps");
      work.maps[i] = from_handle<MapHandle>(env, map)->map;
    }
  }
};

/// plan(engine, maps, sizes, meta, values, lanes, request, onStep?)
napi_value plan(napi_env env, napi_callback_info info) {
  PlanArguments arguments(env, info);
  arguments.engine->expect_plan();
  std::unique_ptr<PlanWork> work = arguments.engine->take_work();
  arguments.read(env, *work);
  napi_valuetype type;
  const bool listens = napi_typeof(env, arguments.value[7], &type) == napi_ok && type == napi_function;
  return arguments.engine->plan(env, std::move(work), arguments.job, listens ? arguments.value[7] : nullptr);
}

/// planSync(engine, maps, sizes, meta, values, lanes, request, result)
napi_value plan_sync(napi_env env, napi_callback_info info) {
  PlanArguments arguments(env, info);
  Engine& engine = *arguments.engine;
  engine.expect_plan();
  std::unique_ptr<PlanWork> work = engine.take_work();
  arguments.read(env, *work);
  const int slots = engine.model().config().slots();
  void* result = nullptr;
  std::size_t room = 0;
  if (napi_get_arraybuffer_info(env, arguments.value[7], &result, &room) != napi_ok ||
      room < result_bytes(*work, slots)) {
    throw Error("ERR_SHAPE",
                "result: expected an ArrayBuffer of at least " + std::to_string(result_bytes(*work, slots)) + " bytes");
  }
  engine.plan_here(*work);
  write_results(*work, slots, static_cast<std::byte*>(result));
  engine.give_back(std::move(work));
  return nullptr;
}

/// abortPlan(engine, job)
Napi::Value abort_plan(const Napi::CallbackInfo& info) {
  from_handle<Engine>(info.Env(), info[0])->thread().abort(info.Env(), number_value(info[1], "job"));
  return info.Env().Undefined();
}

/// engineMemory(engine)
Napi::Value engine_memory(const Napi::CallbackInfo& info) {
  const auto& engine = from_handle<Engine>(info.Env(), info[0]);
  Napi::Object memory = Napi::Object::New(info.Env());
  const auto weights = static_cast<double>(engine->model().layout().size()) * sizeof(real);
  memory.Set("weights", Napi::Number::New(info.Env(), weights));
  memory.Set("workspace", Napi::Number::New(info.Env(), static_cast<double>(engine->workspace_bytes())));
  return memory;
}

/// closeEngine(engine)
Napi::Value close_engine(const Napi::CallbackInfo& info) {
  return {info.Env(), from_handle<Engine>(info.Env(), info[0])->close(info.Env())};
}

}  // namespace

void register_engine(Napi::Object exports) {
  define<&cpu_info>(exports, "cpuInfo");
  define<&device_info>(exports, "deviceInfo");
  define<&create_engine>(exports, "createEngine");
  define_raw<&plan>(exports, "plan");
  define_raw<&plan_sync>(exports, "planSync");
  define<&abort_plan>(exports, "abortPlan");
  define<&engine_memory>(exports, "engineMemory");
  define<&close_engine>(exports, "closeEngine");
}

}  // namespace wam::binding
