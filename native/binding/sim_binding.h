#pragma once
#include <napi.h>

namespace wam::binding {

/// createSimMap, createScorer and what is done with them.
void register_sim(Napi::Object exports);
/// The parts of the simulator that need no scene: simulateTrajectory, comfort, extendedComfort.
void register_drive(Napi::Object exports);
/// Geometry on plain numbers, for tests (lib/native-geometry.ts).
void register_sim_geometry(Napi::Object exports);

}  // namespace wam::binding
