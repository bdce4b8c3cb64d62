// The addon's entry: one instance for each JavaScript environment that loads it.

#include <napi.h>

#include "binding/align_binding.h"
#include "binding/camera_binding.h"
#include "binding/checkpoint_binding.h"
#include "binding/counters.h"
#include "binding/dataset_binding.h"
#include "binding/engine_binding.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/kernels_binding.h"
#include "binding/model_binding.h"
#include "binding/sim_binding.h"
#include "binding/training_binding.h"
#include "binding/vision_binding.h"
#include "binding/vla_binding.h"

namespace wam::binding {
namespace {

/// setErrorFactory(make)
Napi::Value set_error_factory(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Error("ERR_ARGUMENT", "make: expected a function");
  Environment::of(info.Env()).set_error_factory(info.Env(), info[0]);
  return info.Env().Undefined();
}

/// counters()
Napi::Value counters(const Napi::CallbackInfo& info) {
  constexpr const char* kNames[] = {"environments", "threads",  "engines", "trainers", "models",
                                    "maps",         "datasets", "simMaps", "scorers",  "jobs"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Count::kinds));
  Napi::Object result = Napi::Object::New(info.Env());
  for (int i = 0; i < static_cast<int>(Count::kinds); ++i) {
    result.Set(kNames[i], Napi::Number::New(info.Env(), counter(static_cast<Count>(i)).load()));
  }
  return result;
}

}  // namespace
}  // namespace wam::binding

NAPI_MODULE_INIT() {
  using namespace wam::binding;
  try {
    Environment::install(env);
    const Napi::Object functions(env, exports);
    define<&set_error_factory>(functions, "setErrorFactory");
    define<&counters>(functions, "counters");
    register_model(functions);
    register_engine(functions);
    register_dataset(functions);
    register_training(functions);
    register_align(functions);
    register_checkpoint(functions);
    register_sim(functions);
    register_drive(functions);
    register_sim_geometry(functions);
    register_vision(functions);
    register_camera(functions);
    register_vla(functions);
    register_vla_training(functions);
    register_kernels(env, functions);
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_NATIVE_MISSING", error.what());
  }
  return exports;
}
