#pragma once
// Who is where at each 0.1 s: the boxes that a rollout is checked against.

#include <cstdint>
#include <vector>

#include "sim/comfort.h"
#include "sim/scene.h"

namespace wam::sim {

/// What the score knows of an object for the whole horizon (section 4.1: as first seen).
struct Tracked {
  int source = 0;  // index of the scene's object
  bool agent = true;
  double speed = 0;    // m/s
  double heading = 0;  // radians, for the leader's speed along a path
};

/// A box at one time.
struct Box {
  int object = 0;  // index of Occupancy::objects
  Quad quad;
  Vec2 center;
};

class Occupancy {
 public:
  /// `stride`: steps of 0.1 s that share one map.
  explicit Occupancy(int maps = 0, int stride = 1) : stride_(stride) { reset(maps); }

  void reset(int maps);
  int add_object(const Tracked& object);
  /// Boxes of map m must be added before those of map m + 1; `finish` ends it.
  void add_box(int map, int object, const Pose& center, double length, double width);
  void add_red(int map, int lane);
  void finish();

  const std::vector<Tracked>& objects() const { return objects_; }
  int map_of(int step) const { return step / stride_; }
  /// Boxes of the map that holds for a step.
  std::span<const Box> boxes(int step) const {
    const auto m = static_cast<std::size_t>(map_of(step));
    return std::span(boxes_).subspan(start_[m], start_[m + 1] - start_[m]);
  }
  /// Red lane connectors that lie on the route, lane indices.
  std::span<const int> red(int step) const {
    const auto m = static_cast<std::size_t>(map_of(step));
    return std::span(red_).subspan(red_start_[m], red_start_[m + 1] - red_start_[m]);
  }

  std::size_t bytes() const {
    return boxes_.size() * (sizeof(Box) + sizeof(Bounds)) + objects_.size() * sizeof(Tracked);
  }

  /// Objects that ever come within `bounds`; appended to `out` in ascending order.
  void objects_near(const Bounds& bounds, std::vector<int>& out) const;
  /// The box of an object in the map that holds for a step, if its bounds meet `bounds`; else null.
  const Box* box_near(int step, int object, const Bounds& bounds) const {
    const auto m = static_cast<std::size_t>(map_of(step));
    const std::uint32_t i = index_[m * objects_.size() + static_cast<std::size_t>(object)];
    return i != kAbsent && box_bounds_[i].overlaps(bounds) ? &boxes_[i] : nullptr;
  }

 private:
  int stride_ = 1;
  std::size_t maps_ = 0;
  std::vector<Tracked> objects_;
  std::vector<Box> boxes_;
  std::vector<std::size_t> start_, red_start_;
  std::vector<int> red_;
  std::vector<Bounds> box_bounds_, object_bounds_;  // of each box; of each object over all maps
  static constexpr std::uint32_t kAbsent = ~std::uint32_t{0};
  std::vector<std::uint32_t> index_;  // [maps, objects], made by `finish`
};

/// Replays the log (section 4.1): version 1 up to 5 s, version 2 up to 4 s and with red lights and without what
/// touches the ego now. `lane_on_route` [lanes]: lanes of the raw route.
Occupancy replay(const Scene& scene, Version version, const std::vector<std::uint8_t>& lane_on_route);

/// An object at 10 Hz steps; absent outside [first, last].
struct Replayed {
  int first = 0, last = -1;    // steps; last < first: never
  std::vector<Sample> states;  // of steps first .. last
};
/// Interpolates an object over steps 0 .. steps - 1 (section 4.1); samples after the last step are not used.
Replayed replay_object(const SceneObject& object, int steps);

/// Red connectors of the route at a time from the present, microseconds: those of the last frame not after it.
std::vector<int> red_at(const Scene& scene, std::int64_t time_us, const std::vector<std::uint8_t>& lane_on_route);

}  // namespace wam::sim
