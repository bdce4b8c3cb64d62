#include "sim/scene.h"

#include <string>

#include "core/error.h"

namespace wam::sim {
namespace {

constexpr double kLargest = 1e8, kLargestSpeed = 1e4, kLargestSize = 1e4;

void expect(bool good, const std::string& what) {
  if (!good) throw Error("ERR_SCENARIO", what);
}

void expect_at_most(std::size_t count, std::size_t limit, const char* field, const char* what) {
  if (count <= limit) return;
  throw Error("ERR_SCENARIO", std::string(field) + ": expected at most " + std::to_string(limit) + " " + what +
                                  ", received " + std::to_string(count));
}

bool within(double value, double limit) { return std::abs(value) <= limit; }

bool good_state(const State& s) {
  return within(s.x, kLargest) && within(s.y, kLargest) && within(s.heading, kLargestSpeed) &&
         within(s.vx, kLargestSpeed) && within(s.vy, kLargestSpeed) && within(s.ax, kLargestSpeed) &&
         within(s.ay, kLargestSpeed) && within(s.steering_angle, kPi / 3) && within(s.steering_rate, kLargestSpeed) &&
         within(s.yaw_rate, kLargestSpeed) && within(s.yaw_acceleration, kLargestSpeed);
}

}  // namespace

void Scene::check() const {
  expect(map != nullptr && !map->lanes().empty(), "map: expected at least one lane");
  expect(!route.empty(), "route: expected at least one roadblock");
  expect_at_most(route.size(), kMaxRouteBlocks, "route", "roadblocks");
  expect_at_most(objects.size(), kMaxObjects, "objects", "of them");
  for (const int block : route) {
    expect(block >= 0 && static_cast<std::size_t>(block) < map->blocks().size(),
           "route: expected roadblocks of the map");
    expect(!map->blocks()[static_cast<std::size_t>(block)].lanes.empty(), "route: expected roadblocks with lanes");
  }
  expect(good_state(ego), "ego: expected finite numbers of a sensible size");
  expect(time_us >= 0 && time_us < (std::int64_t{1} << 53), "time_us: expected 0 to 2^53");
  expect(past.empty() || past.size() == kPastStates, "past: expected no or 4 states");
  for (const State& s : past) expect(good_state(s), "past: expected finite numbers of a sensible size");
  expect(human.empty() || human.size() == kHumanPoses, "human: expected no or 8 poses");
  for (const Pose& p : human) {
    expect(within(p.x, kLargest) && within(p.y, kLargest) && within(p.heading, kLargestSpeed),
           "human: expected finite poses");
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const SceneObject& object = objects[i];
    const auto name = [i] { return "object " + std::to_string(i); };
    expect(object.length > 0 && object.width > 0 && within(object.length, kLargestSize) &&
               within(object.width, kLargestSize),
           name() + ": expected a box of positive size");
    expect(!object.samples.empty(), name() + ": expected at least one sample");
    for (std::size_t k = 0; k < object.samples.size(); ++k) {
      const Sample& s = object.samples[k];
      expect(within(s.x, kLargest) && within(s.y, kLargest) && within(s.heading, kLargestSpeed) &&
                 within(s.vx, kLargestSpeed) && within(s.vy, kLargestSpeed),
             name() + ": expected finite samples");
      expect(s.time_us >= 0, name() + ": expected no times before the present");
      expect(k == 0 || s.time_us > object.samples[k - 1].time_us, name() + ": expected ascending times");
    }
  }
  for (std::size_t i = 0; i < lights.size(); ++i) {
    expect(i == 0 || lights[i].time_us > lights[i - 1].time_us, "lights: expected ascending times");
    for (const int lane : lights[i].red) {
      expect(lane >= 0 && static_cast<std::size_t>(lane) < map->lanes().size(), "lights: expected lanes of the map");
    }
  }
}

}  // namespace wam::sim
