#pragma once
#include <napi.h>

namespace wam::binding {

/// Functions of lib/native-vla.ts that run a model.
void register_vla(Napi::Object exports);

}  // namespace wam::binding
