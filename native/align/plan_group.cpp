#include "align/plan_group.h"

#include <algorithm>
#include <cmath>

#include "core/planar.h"

namespace wam::align {

void GroupFigures::add(const GroupFigures& o) {
  scenes += o.scenes;
  reward += o.reward, best += o.best, spread += o.spread, uneven += o.uneven;
  collision += o.collision, drivable += o.drivable, ttc += o.ttc, progress += o.progress, comfort += o.comfort;
  held_back += o.held_back;
  ade += o.ade, ade_scenes += o.ade_scenes;
  diversity += o.diversity;
}

GroupFigures group_figures(std::span<const PlanValue> values, std::span<const float> poses, int waypoints,
                           const scene::Future& future) {
  GroupFigures f;
  f.scenes = 1;
  const auto n = static_cast<double>(values.size());
  double best = values[0].reward, worst = best, squares = 0;
  for (const PlanValue& v : values) {
    f.reward += v.reward / n;
    f.collision += v.parts.collision / n, f.drivable += v.parts.drivable / n, f.ttc += v.parts.ttc / n;
    f.progress += v.parts.progress / n, f.comfort += v.parts.comfort / n;
    f.held_back += v.held_back / n;
    best = std::max(best, v.reward), worst = std::min(worst, v.reward);
  }
  for (const PlanValue& v : values) squares += (v.reward - f.reward) * (v.reward - f.reward);
  f.best = best;
  f.uneven = best > worst ? 1 : 0;
  f.spread = f.uneven > 0 ? std::sqrt(squares / n) : 0;

  const auto pose = [&](std::size_t plan, int i) { return &poses[(plan * waypoints + i) * 3]; };
  const int known = std::min(waypoints, scene::kWaypoints);
  int valid = 0;
  double distance = 0;
  for (int i = 0; i < known; ++i) {
    if (!future.valid[i]) continue;
    ++valid;
    for (std::size_t p = 0; p < values.size(); ++p) {
      distance += planar_length<double>(pose(p, i)[0] - future.x[i], pose(p, i)[1] - future.y[i]) / n;
    }
  }
  if (valid > 0) f.ade = distance / valid, f.ade_scenes = 1;

  double apart = 0;
  int pairs = 0;
  for (std::size_t p = 0; p < values.size(); ++p) {
    for (std::size_t q = 0; q < p; ++q, ++pairs) {
      for (int i = 0; i < waypoints; ++i) {
        apart += planar_length<double>(pose(p, i)[0] - pose(q, i)[0], pose(p, i)[1] - pose(q, i)[1]) / waypoints;
      }
    }
  }
  f.diversity = pairs > 0 ? apart / pairs : 0;
  return f;
}

}  // namespace wam::align
