#pragma once
#include <napi.h>

namespace wam::binding {

/// createDataset, addRecording, addWindow, cutWindows, datasetSize, datasetWindow, datasetObservation,
/// measureSlotScale.
void register_dataset(Napi::Object exports);

}  // namespace wam::binding
