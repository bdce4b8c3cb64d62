#pragma once
#include <napi.h>

namespace wam::binding {

/// createCheckpointReader, inspectCheckpoint, checkpointValues, stopCheckpointReader, closeCheckpointReader.
void register_checkpoint(Napi::Object exports);

}  // namespace wam::binding
