#pragma once
// From a list of route lanes to the lines that a planner reasons along: the path of the present lane, and the path of
// the lane that the route changes into.

#include <vector>

#include "scene/observation.h"
#include "scene/polyline.h"

namespace wam::scene {

/// How far a path goes on ahead of the ego, metres. The route list may end earlier (in recorded data it ends where the
/// driver was at the end and would tell how far he went), so it is continued along the straightest successors.
inline constexpr double kPathAhead = 90.0;
inline constexpr double kPathBehind = 40.0;

struct LaneSpan {
  int lane = 0;
  double begin = 0, end = 0;  // arc on the path
};

struct RoutePath {
  Polyline line;
  std::vector<LaneSpan> lanes;
  double ego_arc = 0;      // of the ego's box centre
  double ego_lateral = 0;  // metres, left positive
  double ego_heading = 0;  // relative to the path, radians

  void clear();
};

struct Route {
  int paths = 0;  // 0: no lane near the ego; 1: present lane; 2: the route changes lanes as well
  RoutePath path[2];
  int change = 0;            // +1 the second path lies to the left, -1 to the right
  std::vector<int> nearest;  // stands in for an empty route
};

/// Index of the lane nearest to a pose among those within `reach` metres whose direction fits to 60 degrees; -1 if none.
int nearest_lane(const RoadMap& map, double x, double y, double heading, double reach);

/// Builds the paths for an ego pose (box centre, map frame). An empty `lanes` list starts at the nearest lane.
/// `out` is reused storage.
void build_route(const RoadMap& map, const std::vector<int>& lanes, double x, double y, double heading, Route& out);

}  // namespace wam::scene
