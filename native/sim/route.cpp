#include "sim/route.h"

#include <algorithm>
#include <queue>

#include "core/error.h"

namespace wam::sim {
namespace {

constexpr double kNearDistance = 3, kNearHeading = kPi / 4, kPatch = 1, kOverlap = 1;  // m, rad, m, m^2
constexpr int kBackwardDepth = 15, kForwardDepth = 30, kHorizonBlocks = 30;
constexpr double kDefaultLimit = 15;  // m/s

std::size_t at(int index) { return static_cast<std::size_t>(index); }
bool has(const std::vector<int>& list, int value) { return std::find(list.begin(), list.end(), value) != list.end(); }

Vec2 point(const State& s) { return {s.x, s.y}; }

double heading_error(double a, double b) { return std::abs(wrap_atan2(a - b)); }

/// Distance of the nearest point of a lane's baseline, points only.
struct NearestVertex {
  double distance = HUGE_VAL, heading = 0;
};

NearestVertex nearest_vertex(const MapLane& lane, Vec2 p) {
  NearestVertex best;
  for (const Pose& b : lane.baseline) {
    const double d = distance(Vec2{b.x, b.y}, p);
    if (d < best.distance) best = {d, b.heading};
  }
  return best;
}

double distance_to(const Polygon& polygon, Vec2 p) {
  if (polygon.locate(p) != Side::outside) return 0;
  double least = HUGE_VAL;
  for (std::size_t i = 0; i < polygon.ring().size(); ++i) {
    least = std::min(least, distance_to_segment(polygon.ring()[i], polygon.edge_end(i), p));
  }
  return least;
}

/// The block that the ego stands on, and all that it may stand on.
struct StartBlocks {
  int chosen = -1;
  std::vector<int> all;
};

StartBlocks start_blocks(const Scene& scene) {
  const WorldMap& map = *scene.map;
  const Vec2 axle = point(scene.ego);
  const Quad patch{{{axle.x + kPatch, axle.y + kPatch},
                    {axle.x - kPatch, axle.y + kPatch},
                    {axle.x - kPatch, axle.y - kPatch},
                    {axle.x + kPatch, axle.y - kPatch}}};
  std::vector<int> near;
  for (const bool connector : {false, true}) {
    for (std::size_t i = 0; i < map.blocks().size(); ++i) {
      const Roadblock& block = map.blocks()[i];
      if (block.connector == connector && intersects(block.polygon, patch)) near.push_back(static_cast<int>(i));
    }
  }
  if (near.empty()) {
    for (const bool connector : {false, true}) {
      int nearest = -1;
      double least = HUGE_VAL;
      for (std::size_t i = 0; i < map.blocks().size(); ++i) {
        if (map.blocks()[i].connector != connector) continue;
        const double d = distance_to(map.blocks()[i].polygon, axle);
        if (d < least) least = d, nearest = static_cast<int>(i);
      }
      if (nearest >= 0) near.push_back(nearest);
    }
  }
  std::vector<std::uint8_t> of_route(map.blocks().size());
  for (const int block : scene.route) of_route[at(block)] = 1;
  StartBlocks on_route, off_route, any;
  double best_on = HUGE_VAL, best_off = HUGE_VAL, best_any = HUGE_VAL;
  for (const int i : near) {
    const bool in_route = of_route[at(i)] != 0;
    double nearest = HUGE_VAL;
    for (const int lane : map.blocks()[at(i)].lanes) {
      const NearestVertex vertex = nearest_vertex(map.lanes()[at(lane)], axle);
      nearest = std::min(nearest, vertex.distance);
      if (!(heading_error(vertex.heading, scene.ego.heading) < kNearHeading && vertex.distance < kNearDistance))
        continue;
      StartBlocks& group = in_route ? on_route : off_route;
      double& best = in_route ? best_on : best_off;
      group.all.push_back(i);
      if (vertex.distance < best) best = vertex.distance, group.chosen = i;
    }
    any.all.push_back(i);
    if (nearest < best_any) best_any = nearest, any.chosen = i;
  }
  if (on_route.chosen >= 0) return on_route;
  if (off_route.chosen >= 0) return off_route;
  if (any.chosen >= 0) return any;
  throw Error("ERR_SCENARIO", "map: no roadblock with lanes to start from");
}

/// Breadth-first search from `root` over at most `depth` blocks. Returns the path in driving order; empty when no block
/// of `goals` is found. Of several ways to a block at one depth the last one found counts, as in the devkit. A block is
/// looked at once only, at its least depth: the path to the nearest goal leads over no other.
std::vector<int> search_blocks(const WorldMap& map, int root, const std::vector<int>& goals, int depth, bool forward) {
  constexpr int kNone = -1;
  const std::size_t count = map.blocks().size();
  std::vector<std::uint8_t> is_goal(count);
  for (const int goal : goals) is_goal[at(goal)] = 1;
  std::vector<int> parent(count, kNone), depth_of(count, kNone);
  std::vector<int> level{root};
  depth_of[at(root)] = 0;
  for (int d = 0; d < depth && !level.empty(); ++d) {
    for (const int found : level) {
      if (is_goal[at(found)] == 0) continue;
      std::vector<int> path;
      for (int block = found; block != kNone; block = parent[at(block)]) path.push_back(block);
      if (forward) std::reverse(path.begin(), path.end());
      return path;
    }
    std::vector<int> next;
    for (const int from : level) {
      const Roadblock& block = map.blocks()[at(from)];
      for (const int to : forward ? block.outgoing : block.incoming) {
        if (depth_of[at(to)] == kNone) {
          depth_of[at(to)] = d + 1;
          next.push_back(to);
        }
        if (depth_of[at(to)] == d + 1) parent[at(to)] = from;
      }
    }
    level = std::move(next);
  }
  return {};
}

void start_on_route(const Scene& scene, std::vector<int>& route) {
  const WorldMap& map = *scene.map;
  const StartBlocks start = start_blocks(scene);
  if (has(route, start.chosen)) return;
  std::vector<int> path = search_blocks(map, route[0], start.all, kBackwardDepth, false);
  if (!path.empty()) {
    route.insert(route.begin(), path.begin(), path.end() - 1);
    return;
  }
  const std::vector<int> goals(route.begin(), route.begin() + std::min<std::ptrdiff_t>(3, std::ssize(route)));
  path = search_blocks(map, start.chosen, goals, kForwardDepth, true);
  if (path.empty()) return;
  const auto end = std::find(route.begin(), route.end(), path.back());
  route.erase(route.begin(), end + 1);
  route.insert(route.begin(), path.begin(), path.end());
}

void fill_gaps(const WorldMap& map, std::vector<int>& route) {
  std::vector<int> linked;
  for (std::size_t i = 0; i < route.size(); ++i) {
    linked.push_back(route[i]);
    if (i + 1 == route.size() || has(map.blocks()[at(route[i + 1])].incoming, route[i])) continue;
    const std::vector<int> path = search_blocks(map, route[i], {route[i + 1]}, kForwardDepth, true);
    if (path.size() >= 3) linked.insert(linked.end(), path.begin() + 1, path.end() - 1);
  }
  route = std::move(linked);
}

/// Cuts the route before a connector that overlaps an earlier one.
void cut_loop(const WorldMap& map, std::vector<int>& route) {
  std::vector<int> connectors;
  std::int64_t steps = kAreaSteps;
  for (std::size_t i = 0; i < route.size(); ++i) {
    const Roadblock& block = map.blocks()[at(route[i])];
    if (!block.connector) continue;
    for (const int other : connectors) {
      if (intersection_area(map.blocks()[at(other)].polygon, block.polygon, steps) > kOverlap) {
        route.resize(i);
        return;
      }
    }
    connectors.push_back(route[i]);
  }
}

int start_lane(const Scene& scene, const std::vector<int>& lanes) {
  const WorldMap& map = *scene.map;
  const Vec2 axle = point(scene.ego);
  const Pose pose{scene.ego.x, scene.ego.y, scene.ego.heading};
  int best = -1;
  double least = HUGE_VAL;
  for (const int lane : lanes) {
    if (map.lanes()[at(lane)].polygon.locate(axle) == Side::outside) continue;
    const double error = heading_error(nearest_vertex(map.lanes()[at(lane)], axle).heading, pose.heading);
    if (error < least) least = error, best = lane;
  }
  if (best >= 0) return best;
  const Vec2 center = center_of(pose);
  const Quad ego = footprint(pose);
  for (const int lane : lanes) {
    const Polygon& polygon = map.lanes()[at(lane)].polygon;
    if (polygon.contains(center)) return lane;
    const double d = distance(polygon, ego);
    if (d < least) least = d, best = lane;
  }
  return best;
}

/// Cheapest lanes from `start` to any lane of `goal`, over `allowed` lanes; when there is no way, to the deepest lane
/// that can be reached, the cheapest of those.
std::vector<int> lane_path(const WorldMap& map, int start, int goal, const std::vector<int>& allowed) {
  struct Node {
    int lane, depth;
    double cost;
    int order;  // of equally cheap lanes the one that was reached first goes first
  };
  const auto later = [](const Node& a, const Node& b) {
    return a.cost != b.cost ? a.cost > b.cost : a.order > b.order;
  };
  const std::size_t count = map.lanes().size();
  std::vector<std::uint8_t> usable(count), expanded(count);
  for (const int lane : allowed) usable[at(lane)] = 1;
  std::vector<int> parent(count, -1), order(count, -1);
  std::vector<double> cost(count, HUGE_VAL);
  std::priority_queue<Node, std::vector<Node>, decltype(later)> frontier(later);
  int reached = 0;
  order[at(start)] = reached++;
  cost[at(start)] = 1;
  frontier.push({start, 1, 1, order[at(start)]});
  Node deepest{start, 0, 0, 0};
  int end = -1;
  while (!frontier.empty()) {
    const Node node = frontier.top();
    frontier.pop();
    if (expanded[at(node.lane)] != 0) continue;  // reached again by a cheaper way meanwhile
    if (map.lanes()[at(node.lane)].block == goal) {
      end = node.lane;
      break;
    }
    expanded[at(node.lane)] = 1;
    if (node.depth > deepest.depth || (node.depth == deepest.depth && node.cost < deepest.cost)) deepest = node;
    for (const int to : map.lanes()[at(node.lane)].outgoing) {
      if (usable[at(to)] == 0 || expanded[at(to)] != 0) continue;
      const double through = node.cost + map.lanes()[at(to)].length;
      if (!(through < cost[at(to)])) continue;
      if (order[at(to)] < 0) order[at(to)] = reached++;
      cost[at(to)] = through;
      parent[at(to)] = node.lane;
      frontier.push({to, node.depth + 1, through, order[at(to)]});
    }
  }
  std::vector<int> path;
  for (int lane = end >= 0 ? end : deepest.lane; lane >= 0; lane = parent[at(lane)]) path.push_back(lane);
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace

std::vector<int> correct_route(const Scene& scene) {
  std::vector<int> route = scene.route;
  start_on_route(scene, route);
  fill_gaps(*scene.map, route);
  cut_loop(*scene.map, route);
  std::vector<int> once;
  std::vector<std::uint8_t> seen(scene.map->blocks().size());
  for (const int block : route) {
    if (seen[at(block)] == 0) once.push_back(block);
    seen[at(block)] = 1;
  }
  return once;
}

Route plan_route(const Scene& scene) {
  const WorldMap& map = *scene.map;
  Route route;
  route.blocks = correct_route(scene);
  for (const int block : route.blocks) {
    const auto& lanes = map.blocks()[at(block)].lanes;
    route.lanes.insert(route.lanes.end(), lanes.begin(), lanes.end());
  }
  route.start_lane = start_lane(scene, route.lanes);
  if (route.start_lane < 0) throw Error("ERR_SCENARIO", "route: expected a lane to start from");
  const int start_block = map.lanes()[at(route.start_lane)].block;
  const auto found = std::find(route.blocks.begin(), route.blocks.end(), start_block);
  const std::ptrdiff_t from = found == route.blocks.end() ? 0 : found - route.blocks.begin();
  const std::ptrdiff_t last = std::min<std::ptrdiff_t>(from + kHorizonBlocks, std::ssize(route.blocks)) - 1;
  route.lane_path = lane_path(map, route.start_lane, route.blocks[static_cast<std::size_t>(last)], route.lanes);
  for (const int lane : route.lane_path) {
    const auto& baseline = map.lanes()[at(lane)].baseline;
    route.centerline.insert(route.centerline.end(), baseline.begin(), baseline.end());
  }
  const double limit = map.lanes()[at(route.start_lane)].speed_limit;
  route.speed_limit = limit > 0 ? limit : kDefaultLimit;
  return route;
}

}  // namespace wam::sim
