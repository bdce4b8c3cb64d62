#pragma once
// A straight road for tests of the simulator's rules: what happens on it can be computed by hand.

#include <memory>
#include <vector>

#include "sim/scorer.h"

namespace wam::test {

inline constexpr double kLaneWidth = 3.5, kBlockLength = 50;

inline std::vector<sim::Vec2> rectangle(double x, double y, double length, double width) {
  return {{x, y}, {x + length, y}, {x + length, y + width}, {x, y + width}};
}

/// Blocks of 50 m in a row along +x from x = 0, two lanes each: lane 0 from y = 0 to 3.5, lane 1 to its left.
inline std::shared_ptr<const sim::WorldMap> straight_road(int blocks) {
  std::vector<sim::Roadblock> all(static_cast<std::size_t>(blocks));
  std::vector<sim::MapLane> lanes(2 * all.size());
  for (int b = 0; b < blocks; ++b) {
    sim::Roadblock& block = all[static_cast<std::size_t>(b)];
    block.polygon = sim::Polygon(rectangle(b * kBlockLength, 0, kBlockLength, 2 * kLaneWidth));
    block.lanes = {2 * b, 2 * b + 1};
    if (b > 0) block.incoming = {b - 1};
    if (b + 1 < blocks) block.outgoing = {b + 1};
    for (int l = 0; l < 2; ++l) {
      sim::MapLane& lane = lanes[static_cast<std::size_t>(2 * b + l)];
      lane.block = b;
      lane.polygon = sim::Polygon(rectangle(b * kBlockLength, l * kLaneWidth, kBlockLength, kLaneWidth));
      for (int k = 0; k <= 10; ++k) lane.baseline.push_back({b * kBlockLength + 5.0 * k, (l + 0.5) * kLaneWidth, 0});
      lane.speed_limit = 15;
      if (b > 0) lane.incoming = {2 * b - 2 + l};
      if (b + 1 < blocks) lane.outgoing = {2 * b + 2 + l};
    }
  }
  return std::make_shared<const sim::WorldMap>(std::move(all), std::move(lanes), std::vector<sim::Polygon>{},
                                               std::vector<sim::Polygon>{});
}

/// The ego's rear axle 60 m from the road's beginning, in the middle of lane 0, driving along it.
inline sim::Scene straight_scene(double speed) {
  sim::Scene scene;
  scene.map = straight_road(6);
  scene.route = {1, 2, 3, 4, 5};
  scene.ego.x = 60;
  scene.ego.y = kLaneWidth / 2;
  scene.ego.vx = speed;
  return scene;
}

/// An object that moves evenly; `ahead` and `left` are metres of its centre from the ego's rear axle.
inline sim::SceneObject moving_object(const sim::Scene& scene, double ahead, double left, double vx, double vy,
                                      sim::ObjectType type = sim::ObjectType::vehicle) {
  sim::SceneObject object{type, 4, 2, {}};
  for (int k = 0; k <= 10; ++k) {
    object.samples.push_back(
        {k * 500'000, scene.ego.x + ahead + 0.5 * k * vx, scene.ego.y + left + 0.5 * k * vy, 0, vx, vy});
  }
  return object;
}

/// Eight poses at 0.5 .. 4 s.
inline std::vector<double> steady_plan(double speed, double left = 0) {
  std::vector<double> poses;
  for (int k = 1; k <= 8; ++k) {
    for (const double value : {0.5 * speed * k, left, 0.0}) poses.push_back(value);
  }
  return poses;
}

}  // namespace wam::test
