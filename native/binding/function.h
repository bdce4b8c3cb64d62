#pragma once
// JavaScript functions whose C++ exceptions arrive as WamFlowErrors.

#include <napi.h>

#include "binding/failure.h"

namespace wam::binding {

/// A callback on the raw C API, for calls that are made often.
using RawCallback = napi_value (*)(napi_env env, napi_callback_info info);
/// A callback on node-addon-api, for all others.
using Callback = Napi::Value (*)(const Napi::CallbackInfo& info);

template <RawCallback callback>
napi_value guarded_raw(napi_env env, napi_callback_info info) {
  try {
    return callback(env, info);
  } catch (...) {
    throw_current(env);
    return nullptr;
  }
}

template <Callback callback>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return callback(Napi::CallbackInfo(env, info));
  } catch (...) {
    throw_current(env);
    return nullptr;
  }
}

inline void set_function(Napi::Object exports, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    napi_set_named_property(exports.Env(), exports, name, function);
  }
}

/// exports[name] = callback: define<&create_map>(exports, "createMap").
template <Callback callback>
void define(Napi::Object exports, const char* name) {
  set_function(exports, name, &guarded<callback>);
}

template <RawCallback callback>
void define_raw(Napi::Object exports, const char* name) {
  set_function(exports, name, &guarded_raw<callback>);
}

}  // namespace wam::binding
