#pragma once
#include <napi.h>

namespace wam::binding {

/// createAligner, createDistiller, alignerStart. Their handles are trainers (training_binding.h).
void register_align(Napi::Object exports);

}  // namespace wam::binding
