#include "scene/map_match.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/planar.h"
#include "scene/polyline.h"

namespace wam::scene {

namespace {

struct Candidate {
  int lane;
  double cost;   // of being here
  double total;  // best sequence that ends here
  int previous = -1;
};

bool contains(const std::vector<int>& list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

double transition_cost(const RoadMap& map, int from, int to) {
  if (from == to) return 0;
  const Lane& lane = map.lanes()[from];
  if (contains(lane.successors, to)) return 0.05;
  if (lane.left == to || lane.right == to) return 1.5;
  for (int next : lane.successors) {
    if (contains(map.lanes()[next].successors, to)) return 0.2;
  }
  for (int side : {lane.left, lane.right}) {
    if (side >= 0 && contains(map.lanes()[side].successors, to)) return 1.6;
  }
  return 8;
}

void collect(const RoadMap& map, double x, double y, double heading, std::vector<Candidate>& out) {
  out.clear();
  for (int i = 0; i < static_cast<int>(map.lanes().size()); ++i) {
    const Lane& lane = map.lanes()[i];
    // Cheap rejection: no point of a lane lies farther from its first than its length.
    if (planar_length(x - lane.center[0].x, y - lane.center[0].y) > lane.length() + 4) continue;
    const Projection p = project(lane.center, lane.arc, {x, y});
    const double turn = std::abs(wrap_angle(heading - p.heading));
    if (p.distance > lane.width / 2 + 1.0 || turn > 1.2) continue;
    out.push_back({i, 2 * p.distance / lane.width + turn, 0});
  }
}

}  // namespace

std::vector<int> match_lanes(const RoadMap& map, const Track& track) {
  // Every second step is enough at 10 Hz; the odd ones take the lane of the step before.
  constexpr int kEvery = 2;
  const int steps = track.steps();
  std::vector<int> out(steps, -1);
  std::vector<std::vector<Candidate>> layers;
  std::vector<int> layer_step;
  std::vector<Candidate> now;
  for (int k = 0; k < steps; k += kEvery) {
    collect(map, track.x[k], track.y[k], track.heading[k], now);
    if (now.empty()) continue;
    for (Candidate& c : now) {
      c.total = c.cost;
      if (layers.empty()) continue;
      double best = std::numeric_limits<double>::infinity();
      const auto& before = layers.back();
      for (int j = 0; j < static_cast<int>(before.size()); ++j) {
        const double total = before[j].total + transition_cost(map, before[j].lane, c.lane);
        if (total < best) best = total, c.previous = j;
      }
      c.total += best;
    }
    layers.push_back(now);
    layer_step.push_back(k);
  }
  if (layers.empty()) return out;
  int at = 0;
  for (int j = 1; j < static_cast<int>(layers.back().size()); ++j) {
    if (layers.back()[j].total < layers.back()[at].total) at = j;
  }
  for (int i = static_cast<int>(layers.size()) - 1; i >= 0; --i) {
    const int end = i + 1 < static_cast<int>(layers.size()) ? layer_step[i + 1] : steps;
    for (int k = layer_step[i]; k < end; ++k) out[k] = layers[i][at].lane;
    at = layers[i][at].previous;
  }
  return out;
}

std::vector<int> route_of(const std::vector<int>& lane_of_step, int from, int to) {
  std::vector<int> route;
  for (int k = std::max(from, 0); k <= to && k < static_cast<int>(lane_of_step.size()); ++k) {
    if (lane_of_step[k] >= 0 && (route.empty() || route.back() != lane_of_step[k])) route.push_back(lane_of_step[k]);
  }
  return route;
}

}  // namespace wam::scene
