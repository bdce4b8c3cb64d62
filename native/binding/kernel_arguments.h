#pragma once
// Arguments of the single operations (lib/kernels): an object of typed arrays and numbers whose shapes are checked here.

#include <napi.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>

#include "binding/fields.h"
#include "binding/handle.h"
#include "core/backend.h"
#include "core/call_staging.h"
#include "core/error.h"
#include "core/thread_pool.h"

namespace wam::binding {

/// A backend with threads of its own, for one choice of device.
struct KernelEngine {
  static constexpr const char* kHandleName = "kernel engine";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 32};
  std::unique_ptr<ThreadPool> pool;  // null for one thread
  std::unique_ptr<Backend> backend;
};

class KernelArguments {
 public:
  KernelArguments(Napi::Value value, const char* operation) : fields_(value, operation) {}

  /// A dimension: an integer of [min, 2^31).
  int dim(const char* name, int min = 1) const { return fields_.integer(name, min, std::numeric_limits<int>::max()); }
  double number(const char* name) const { return fields_.number(name); }
  real scalar(const char* name) const { return static_cast<real>(fields_.number(name)); }
  bool flag(const char* name) const { return fields_.boolean(name); }
  const Fields& fields() const { return fields_; }
  bool has(const char* name) const { return !fields_.get(name).IsUndefined(); }

  /// A typed array of exactly `count` elements. Throws ERR_SHAPE.
  template <class T>
  T* array(const char* name, std::int64_t count) const {
    const std::span<T> elements = fields_.array_of<T>(name);
    if (static_cast<std::int64_t>(elements.size()) != count) {
      throw Error("ERR_SHAPE", fields_.path(name) + ": expected " + std::to_string(count) + " elements, received " +
                                   std::to_string(elements.size()));
    }
    return elements.data();
  }
  real* reals(const char* name, std::int64_t count) const { return array<real>(name, count); }
  /// The same, or null when the field is undefined.
  template <class T>
  T* optional(const char* name, std::int64_t count) const {
    return has(name) ? array<T>(name, count) : nullptr;
  }

  /// Token ids in [0, vocab), or also `ignored`. Throws ERR_RANGE.
  const std::int32_t* tokens(const char* name, std::int64_t count, int vocab,
                             std::int32_t ignored = std::numeric_limits<std::int32_t>::min()) const {
    const std::int32_t* ids = array<std::int32_t>(name, count);
    for (std::int64_t i = 0; i < count; ++i) {
      if (ids[i] == ignored || (ids[i] >= 0 && ids[i] < vocab)) continue;
      throw Error("ERR_RANGE", fields_.path(name) + "[" + std::to_string(i) + "]: expected a token from 0 to " +
                                   std::to_string(vocab - 1) + ", received " + std::to_string(ids[i]));
    }
    return ids;
  }

 private:
  Fields fields_;
};

/// Product of dimensions; they are below 2^31 and arrays below 2^53, so a product that matters never overflows.
template <class... Dims>
std::int64_t elements(Dims... dims) {
  constexpr double kLimit = 9007199254740991.0;
  if ((1.0 * ... * static_cast<double>(dims)) > kLimit) throw Error("ERR_SHAPE", "dimensions are too large");
  return (std::int64_t{1} * ... * static_cast<std::int64_t>(dims));
}

/// Calls f(backend, staging) of the engine handle with denormals flushed, as the engine's own threads do. `f` passes
/// every array through the staging; results are where the caller brought room for them when this returns.
template <class F>
auto with_backend(const Napi::CallbackInfo& info, F&& f) {
  const std::shared_ptr<KernelEngine>& engine = from_handle<KernelEngine>(info.Env(), info[0]);
  const FlushDenormals flush;
  CallStaging staging(*engine->backend);
  if constexpr (std::is_void_v<decltype(f(*engine->backend, staging))>) {
    f(*engine->backend, staging);
    staging.finish();
  } else {
    const auto result = f(*engine->backend, staging);
    staging.finish();
    return result;
  }
}

}  // namespace wam::binding
