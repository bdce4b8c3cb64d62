#pragma once
// From the verdicts over several rollouts to ego progress and the score (sections 6.5 and 7).

#include <span>

#include "sim/judge.h"

namespace wam::sim {

/// Product of the multipliers: version 1 NC DAC, version 2 NC DAC TLC DDC.
double multiplier(Version version, const Verdict& verdict);

/// Ego progress of each rollout, normalised over all that are given.
void ego_progress(Version version, std::span<const Verdict> verdicts, std::span<double> out);

/// Version 1: PDMS. Version 2: the score of one frame, before extended comfort.
double pdm_score(Version version, const Verdict& verdict, double ego_progress);

}  // namespace wam::sim
