#pragma once
#include <napi.h>

namespace wam::binding {

/// createImageThread, letterbox, letterboxSync.
void register_vision(Napi::Object exports);

}  // namespace wam::binding
