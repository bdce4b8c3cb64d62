#pragma once
// From the log's roadblocks to a route that starts at the ego, and the line along which it is driven (section 8.1).

#include <vector>

#include "sim/scene.h"

namespace wam::sim {

struct Route {
  std::vector<int> blocks;     // corrected
  std::vector<int> lanes;      // all lanes of those blocks, in order
  std::vector<int> lane_path;  // the lanes that are driven
  int start_lane = -1;
  std::vector<Pose> centerline;
  double speed_limit = 15;  // m/s, of the start lane
};

/// Prepends or replaces blocks when the ego is off the route, fills gaps, cuts loops. Throws Error(ERR_SCENARIO) when the
/// outlines of its connectors cross each other too often to tell whether it loops (kAreaSteps in all).
std::vector<int> correct_route(const Scene& scene);

/// Corrected route, lanes and centreline. Throws Error(ERR_SCENARIO) when the map has no lane to start from.
Route plan_route(const Scene& scene);

}  // namespace wam::sim
