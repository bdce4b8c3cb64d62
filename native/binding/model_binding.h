#pragma once
#include <napi.h>

namespace wam::binding {

/// createMap, validateConfig, parameterLayout, createModel.
void register_model(Napi::Object exports);

}  // namespace wam::binding
