#pragma once
#include <napi.h>

namespace wam::binding {

/// createGroundMap, createCamera, renderFrames, abortFrames, closeCamera (lib/native-camera.ts).
void register_camera(Napi::Object exports);

}  // namespace wam::binding
