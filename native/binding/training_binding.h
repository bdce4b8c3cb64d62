#pragma once
#include <napi.h>

#include "model/trainer.h"

namespace wam::binding {

/// createTrainer, createTokenizerTrainer, trainerRun, trainerStop, trainerSteps, trainerTensors, trainerState,
/// trainerRestore, closeTrainer.
void register_training(Napi::Object exports);

/// Backends of one thread each on the device that `value` describes (devices.h); undefined: the best CPU one.
model::BackendFactory backend_factory(Napi::Value value);

/// A row of statistics of a trainer.
inline constexpr int kTrainColumns = 5;
void write_step(const model::StepStats& stats, double* row);

}  // namespace wam::binding
