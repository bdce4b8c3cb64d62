#pragma once
#include <napi.h>

namespace wam::binding {

/// createTrainer, createTokenizerTrainer, trainerRun, trainerStop, trainerSteps, trainerTensors, trainerState,
/// trainerRestore, closeTrainer.
void register_training(Napi::Object exports);

}  // namespace wam::binding
