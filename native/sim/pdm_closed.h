#pragma once
// PDM-Closed, the rule-based planner that the score is normalised with (section 8): 3 paths x 5 speeds driven by the
// intelligent driver model, each simulated and scored against a forecast, the best one taken.

#include <array>

#include "sim/judge.h"
#include "sim/route.h"

namespace wam::sim {

inline constexpr int kPaths = 3, kPolicies = 5, kProposals = kPaths * kPolicies;
inline constexpr int kPlannedStates = 51;  // 5 s

struct PdmClosedPlan {
  double scores[kProposals];        // by path * kPolicies + policy; paths: centreline, 1 m right, 1 m left
  double raw_progress[kProposals];  // metres
  int best = 0;
  std::array<double, 2> idm[kPlannedStates];  // progress (m) and speed (m/s) of the best along its path
  Pose poses[kPlannedStates];                 // the plan, global
  Pose reference[kStates];                    // as a scorer samples it
  State rollout[kStates];                     // driven
  // All proposals, for pictures.
  Pose proposals[kProposals][kStates];
};

/// The constant-velocity forecast of what is seen now (section 8.2).
Occupancy forecast(const Scene& scene, const std::vector<std::uint8_t>& lane_on_route);

/// `ground` holds the route's centreline. `forecast`: with a stride of 2 steps up to 5 s.
PdmClosedPlan plan_pdm_closed(const Scene& scene, Version version, const Ground& ground, double speed_limit,
                              const Occupancy& forecast);

}  // namespace wam::sim
