#pragma once
#include <napi.h>

namespace wam::binding {

/// Functions of lib/native-vla.ts that run a model.
void register_vla(Napi::Object exports);
/// Those that train one.
void register_vla_training(Napi::Object exports);

}  // namespace wam::binding
