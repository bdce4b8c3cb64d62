#pragma once
// C++ exceptions on their way to a WamFlowError.

#include <node_api.h>

#include <string>

namespace wam::binding {

/// What a WamFlowError is made of: a stable code of lib/errors.ts and a message.
struct Failure {
  std::string code, message;
};

/// What the exception being handled says; call it inside a catch block only. wam::Error keeps its code, bad_alloc is
/// ERR_OUT_OF_MEMORY, everything else ERR_INTERNAL.
Failure current_failure();

/// A WamFlowError, or null when the environment cannot run JavaScript any more.
napi_value make_error(napi_env env, const Failure& failure);

/// Leaves a JavaScript exception pending for the exception being handled.
void throw_current(napi_env env);

}  // namespace wam::binding
