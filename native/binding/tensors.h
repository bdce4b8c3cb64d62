#pragma once
#include <napi.h>

#include <vector>

#include "model/model.h"

namespace wam::binding {

/// NamedTensor[] of lib/native-types.ts, both ways. Copies. Reading throws Error: ERR_ARGUMENT, and ERR_SHAPE when a
/// tensor's data does not fill its shape.
std::vector<model::NamedTensor> read_tensors(Napi::Value value);
Napi::Value write_tensors(Napi::Env env, const std::vector<model::NamedTensor>& tensors);

}  // namespace wam::binding
