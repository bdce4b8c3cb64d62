#include "binding/listener_call.h"

#include <algorithm>

namespace wam::binding {
namespace {

template <class T>
std::vector<std::byte> copy_of(const T* numbers, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(numbers);
  return {bytes, bytes + size * sizeof(T)};
}

}  // namespace

ListenerCall::ListenerCall(const napi_ref& listener, const float* numbers, std::size_t size, int count)
    : listener_(listener), type_(napi_float32_array), size_(size), count_(count), bytes_(copy_of(numbers, size)) {}

ListenerCall::ListenerCall(const napi_ref& listener, const double* numbers, std::size_t size, int count)
    : listener_(listener), type_(napi_float64_array), size_(size), count_(count), bytes_(copy_of(numbers, size)) {}

void ListenerCall::deliver(napi_env env) {
  napi_value listener, undefined, buffer, arguments[2];
  void* data;
  // A call that fails means that the environment is ending.
  if (napi_get_reference_value(env, listener_, &listener) != napi_ok || listener == nullptr ||
      napi_get_undefined(env, &undefined) != napi_ok || napi_create_int32(env, count_, &arguments[1]) != napi_ok ||
      napi_create_arraybuffer(env, bytes_.size(), &data, &buffer) != napi_ok) {
    return;
  }
  std::copy(bytes_.begin(), bytes_.end(), static_cast<std::byte*>(data));
  if (napi_create_typedarray(env, type_, size_, buffer, 0, &arguments[0]) != napi_ok) return;
  napi_call_function(env, undefined, listener, 2, arguments, nullptr);
}

}  // namespace wam::binding
