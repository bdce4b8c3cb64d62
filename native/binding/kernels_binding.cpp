#include "binding/kernels_binding.h"

#include <string>
#include <utility>

#include "binding/function.h"
#include "binding/kernel_arguments.h"
#include "cpu/cpu_backend.h"

namespace wam::binding {
namespace {

/// createEngine({ isa, threads }): a handle that lives as long as JavaScript keeps it.
Napi::Value create_engine(const Napi::CallbackInfo& info) {
  constexpr int kMaxThreads = 256;
  const Fields fields(info[0], "engine");
  const auto isa = fields.choice<cpu::Isa>(
      "isa", {{"portable", cpu::Isa::portable}, {"avx2", cpu::Isa::avx2}, {"avx512", cpu::Isa::avx512}});
  const int threads = fields.integer("threads", 1, kMaxThreads);
  if (!cpu::isa_supported(isa)) {
    throw Error("ERR_DEVICE_UNAVAILABLE", std::string("isa: this machine or build cannot run ") + cpu::isa_name(isa) +
                                              "; the best one here is " + cpu::isa_name(cpu::best_isa()));
  }
  auto engine = std::make_shared<KernelEngine>();
  if (threads > 1) engine->pool = std::make_unique<ThreadPool>(threads);
  engine->backend = cpu::make_cpu_backend(engine->pool.get(), isa);
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
