#pragma once
// Maps and scenes of the PDM score from packed arrays, verdicts into rows. lib/native-sim.ts says what the arrays hold.

#include <napi.h>

#include <memory>
#include <span>

#include "sim/scorer.h"

namespace wam::binding {

/// Numbers of a row of results; lib/sim/score-rows.ts names them, in this order.
inline constexpr int kScoreColumns = 53;

/// Throws Error: ERR_ARGUMENT for wrong types, ERR_SHAPE for lengths that do not fit each other, ERR_NOT_FINITE,
/// ERR_SCENARIO for a map that contradicts itself.
std::shared_ptr<const sim::WorldMap> read_sim_map(Napi::Value value);

/// The same for a scene on `map`; what the numbers mean is checked by the scorer.
sim::Scene read_scene(Napi::Value value, std::shared_ptr<const sim::WorldMap> map);

/// One row; `filtered` comes from the scorer.
void write_score_row(const sim::Scorer& scorer, const sim::TrajectoryScore& score,
                     std::span<double, kScoreColumns> row);

}  // namespace wam::binding
