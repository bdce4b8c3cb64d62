#include "binding/failure.h"

#include <napi.h>

#include <exception>
#include <new>

#include "binding/environment.h"
#include "core/error.h"

namespace wam::binding {

Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {"ERR_OUT_OF_MEMORY", "the engine could not get the memory it needs"};
  } catch (const std::exception& error) {
    return {"ERR_INTERNAL", error.what()};
  } catch (...) {
    return {"ERR_INTERNAL", "an exception of unknown type"};
  }
}

napi_value make_error(napi_env env, const Failure& failure) {
  napi_value factory = Environment::of(env).error_factory(env);
  napi_value undefined, arguments[2], error = nullptr;
  napi_get_undefined(env, &undefined);
  if (napi_create_string_utf8(env, failure.code.data(), failure.code.size(), &arguments[0]) != napi_ok) return nullptr;
  if (napi_create_string_utf8(env, failure.message.data(), failure.message.size(), &arguments[1]) != napi_ok) {
    return nullptr;
  }
  if (factory != nullptr) {
    return napi_call_function(env, undefined, factory, 2, arguments, &error) == napi_ok ? error : nullptr;
  }
  // Only before lib/native.ts has set the factory.
  return napi_create_error(env, arguments[0], arguments[1], &error) == napi_ok ? error : nullptr;
}

void throw_current(napi_env env) {
  try {
    throw;
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();  // a getter of the caller's object threw, or the environment is ending
  } catch (...) {
    napi_value error = make_error(env, current_failure());
    if (error != nullptr) napi_throw(env, error);
  }
}

}  // namespace wam::binding
