#include "binding/kernels_binding.h"

#include <utility>

#include "binding/devices.h"
#include "binding/function.h"
#include "binding/kernel_arguments.h"

namespace wam::binding {
namespace {

/// createEngine({ device, threads, ... }), see devices.h: a handle that lives as long as JavaScript keeps it.
Napi::Value create_engine(const Napi::CallbackInfo& info) {
  constexpr int kMaxThreads = 256;
  const Fields fields(info[0], "engine");
  const DeviceChoice choice = read_device(fields);
  const int threads = fields.integer("threads", 1, kMaxThreads);
  auto engine = std::make_shared<KernelEngine>();
  if (threads > 1 && choice.device == Device::cpu) engine->pool = std::make_unique<ThreadPool>(threads);
  engine->backend = make_backend(choice, engine->pool.get());
  return Napi::Value(info.Env(), make_handle(info.Env(), std::move(engine)));
}

}  // namespace

void register_kernels(Napi::Env env, Napi::Object exports) {
  Napi::Object kernels = Napi::Object::New(env);
  define<&create_engine>(kernels, "createEngine");
  add_network_kernels(kernels);
  add_training_kernels(kernels);
  add_path_kernels(kernels);
  add_token_kernels(kernels);
  exports.Set("kernels", kernels);
}

}  // namespace wam::binding
