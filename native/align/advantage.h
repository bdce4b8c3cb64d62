#pragma once
// From the sub-scores of a group of plans of one scene to their rewards and advantages (wamflow-spec section 7).

namespace wam::align {

/// Sub-scores of a plan, each in [0, 1]. Those that version 1 of the PDM score does not have are 1.
struct PdmParts {
  double collision = 1, drivable = 1, direction = 1, light = 1;  // multipliers
  double ttc = 1, progress = 1, lane = 1, comfort = 1;           // weighted
};

/// Weights of the weighted sub-scores, not negative; they need not add up to 1. As given: version 1 (PDMS, paper eq. 9).
struct PdmWeights {
  double ttc = 5, progress = 5, lane = 0, comfort = 2;
};

/// Product of the multipliers times the weighted mean of the others. Throws Error(ERR_RANGE) for weights that are
/// negative, not finite, or all 0.
double pdm_reward(const PdmParts& parts, const PdmWeights& weights = {});

/// mean: R - mean (the paper's). standardised: (R - mean) / (deviation + 1e-8), deviation of the population.
/// leave_one_out: R - mean of the others.
enum class AdvantageKind { mean, standardised, leave_one_out };

/// Advantages of the `group` plans of a scene; `out` may be `reward`. Exactly 0 when all rewards are equal, so also in a
/// group of one.
void group_advantages(const double* reward, int group, AdvantageKind kind, double* out);

}  // namespace wam::align
