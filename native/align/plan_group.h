#pragma once
// Figures of the plans of one scene.

#include <span>

#include "align/reward.h"
#include "scene/dataset.h"

namespace wam::align {

/// Sums over scenes of means over a scene's plans.
struct GroupFigures {
  double scenes = 0;
  double reward = 0, best = 0, spread = 0, uneven = 0;  // spread: deviation of a group; uneven: groups with any spread
  double collision = 0, drivable = 0, ttc = 0, progress = 0, comfort = 0;
  double held_back = 0;
  double ade = 0, ade_scenes = 0;  // to the recorded future, metres
  double diversity = 0;            // mean distance of two plans' waypoints, metres

  void add(const GroupFigures& other);
  double mean(double sum) const { return scenes > 0 ? sum / scenes : 0; }
};

/// Of `values` and box-centre poses [values, waypoints, 3].
GroupFigures group_figures(std::span<const PlanValue> values, std::span<const float> poses, int waypoints,
                           const scene::Future& future);

}  // namespace wam::align
