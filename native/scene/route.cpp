#include "scene/route.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wam::scene {

namespace {

constexpr double kSixtyDegrees = 1.0471975511965976;

double end_heading(const Lane& lane) {
  const Point& a = lane.center[lane.center.size() - 2];
  const Point& b = lane.center.back();
  return std::atan2(b.y - a.y, b.x - a.x);
}

int straightest_successor(const RoadMap& map, int lane) {
  int best = -1;
  double best_turn = std::numeric_limits<double>::infinity();
  const double heading = end_heading(map.lanes()[lane]);
  for (int next : map.lanes()[lane].successors) {
    const double turn = std::abs(wrap_angle(end_heading(map.lanes()[next]) - heading));
    if (turn < best_turn) best_turn = turn, best = next;
  }
  return best;
}

void append_lane(const RoadMap& map, int index, RoutePath& path) {
  const Lane& lane = map.lanes()[index];
  const double begin = path.line.length();
  for (const Point& p : lane.center) path.line.append(p);
  path.lanes.push_back({index, begin, path.line.length()});
}

bool contains(const std::vector<int>& list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Lanes [first, last) of the route, led in by predecessors and continued by straightest successors.
void make_path(const RoadMap& map, const std::vector<int>& route, int first, int last, double x, double y,
               double heading, RoutePath& path) {
  path.clear();
  // Lead-in: vehicles behind, and an ego that stands before the start of a lane it changes into.
  int before[8];
  int count = 0;
  double length = 0;
  int lane = route[first];
  while (length < kPathBehind && count < 8) {
    const auto& previous = map.lanes()[lane].predecessors;
    if (previous.empty()) break;
    lane = previous.front();
    if (lane == route[first]) break;
    before[count++] = lane;
    length += map.lanes()[lane].length();
  }
  while (count > 0) append_lane(map, before[--count], path);
  for (int i = first; i < last; ++i) append_lane(map, route[i], path);

  const Projection at = project(path.line.points, path.line.arc, {x, y});
  lane = route[last - 1];
  for (int guard = 0; path.line.length() < at.arc + kPathAhead && guard < 64; ++guard) {
    lane = straightest_successor(map, lane);
    if (lane < 0) break;
    append_lane(map, lane, path);
  }
  path.ego_arc = at.arc;
  path.ego_lateral = at.lateral;
  path.ego_heading = wrap_angle(heading - at.heading);
}

/// Position in the route list of the lane the ego is on now: the nearest, the later one of a tie.
int present_index(const RoadMap& map, const std::vector<int>& route, double x, double y, double heading) {
  int best = 0;
  double best_cost = std::numeric_limits<double>::infinity();
  for (int i = 0; i < static_cast<int>(route.size()); ++i) {
    const Lane& lane = map.lanes()[route[i]];
    const Projection p = project(lane.center, lane.arc, {x, y});
    const double turn = std::abs(wrap_angle(heading - p.heading));
    const double cost = p.distance + 2 * turn;
    if (cost <= best_cost) best_cost = cost, best = i;
  }
  return best;
}

}  // namespace

void RoutePath::clear() {
  line.clear();
  lanes.clear();
}

int nearest_lane(const RoadMap& map, double x, double y, double heading, double reach) {
  int best = -1;
  double best_distance = reach;
  for (int i = 0; i < static_cast<int>(map.lanes().size()); ++i) {
    const Lane& lane = map.lanes()[i];
    const Projection p = project(lane.center, lane.arc, {x, y});
    if (p.distance < best_distance && std::abs(wrap_angle(heading - p.heading)) < kSixtyDegrees) {
      best_distance = p.distance, best = i;
    }
  }
  return best;
}

void build_route(const RoadMap& map, const std::vector<int>& lanes, double x, double y, double heading, Route& out) {
  out.paths = 0;
  out.change = 0;
  const std::vector<int>* route = &lanes;
  if (lanes.empty()) {
    const int lane = map.lanes().empty() ? -1 : nearest_lane(map, x, y, heading, 6.0);
    if (lane < 0) return;
    out.nearest.assign(1, lane);
    route = &out.nearest;
  }
  const int first = present_index(map, *route, x, y, heading);
  int last = first + 1;
  const int size = static_cast<int>(route->size());
  while (last < size && contains(map.lanes()[(*route)[last - 1]].successors, (*route)[last])) ++last;
  make_path(map, *route, first, last, x, y, heading, out.path[0]);
  out.paths = 1;
  if (last == size) return;

  // A break in the successor chain is a lane change. Plan towards the last unbroken group: where the route wants to be.
  int begin = size - 1;
  while (begin > last && contains(map.lanes()[(*route)[begin - 1]].successors, (*route)[begin])) --begin;
  make_path(map, *route, begin, size, x, y, heading, out.path[1]);
  out.paths = 2;
  out.change = out.path[1].ego_lateral < out.path[0].ego_lateral ? 1 : -1;
}

}  // namespace wam::scene
