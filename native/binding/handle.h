#pragma once
// Native objects as opaque JavaScript objects. A handle carries the type tag of its kind, so that a wrong or made-up
// object is refused instead of read.
//
// A type T that has handles says: static constexpr const char* kHandleName; static constexpr napi_type_tag kHandleTag.

#include <node_api.h>

#include <memory>
#include <string>

#include "core/error.h"

namespace wam::binding {

/// A new handle that shares `object`; null when the environment is ending.
template <class T>
napi_value make_handle(napi_env env, std::shared_ptr<T> object) {
  napi_value handle;
  if (napi_create_object(env, &handle) != napi_ok) return nullptr;
  auto* holder = new std::shared_ptr<T>(std::move(object));
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<T>*>(data); };
  if (napi_wrap(env, handle, holder, destroy, nullptr, nullptr) != napi_ok) {
    delete holder;
    return nullptr;
  }
  if (napi_type_tag_object(env, handle, &T::kHandleTag) != napi_ok) return nullptr;
  return handle;
}

/// Whether `value` is a handle of T.
template <class T>
bool is_handle(napi_env env, napi_value value) {
  napi_valuetype type;
  bool same = false;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_object &&
         napi_check_object_type_tag(env, value, &T::kHandleTag, &same) == napi_ok && same;
}

/// The object of a handle. Throws Error(ERR_ARGUMENT) when `value` is no handle of T.
template <class T>
const std::shared_ptr<T>& from_handle(napi_env env, napi_value value) {
  void* data = nullptr;
  if (!is_handle<T>(env, value) || napi_unwrap(env, value, &data) != napi_ok) {
    throw Error("ERR_ARGUMENT", std::string("expected a native ") + T::kHandleName);
  }
  return *static_cast<std::shared_ptr<T>*>(data);
}

}  // namespace wam::binding
