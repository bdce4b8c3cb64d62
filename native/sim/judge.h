#pragma once
// The sub-metrics of one rollout (sections 5 and 6). What needs two rollouts (ego progress) is in score.h.

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/centerline.h"
#include "sim/comfort.h"
#include "sim/occupancy.h"
#include "sim/scene.h"

namespace wam::sim {

/// What the rules need beside rollout and boxes; made once a scene.
struct Ground {
  std::shared_ptr<const WorldMap> map;
  Centerline centerline;
  /// What an area of the map counts as; 0 for those farther than 100 m from the ego (section 4.3).
  enum Use : std::uint8_t { kLane = 1, kDrivable = 2, kRouteLane = 4, kIntersection = 8 };
  std::vector<std::uint8_t> use;  // [areas]
};

/// Marks the areas within the square of 100 m around the ego's centre. `route_lanes`: lanes of the corrected route.
std::vector<std::uint8_t> area_uses(const WorldMap& map, Vec2 ego_center, const std::vector<int>& route_lanes);

enum class Collision : std::uint8_t { none, stopped_ego, stopped_track, rear, front, lateral };

/// Where a sub-metric first failed. What the fields mean is said where they are used; -1: not set.
struct Finding {
  int step = -1;    // 0.1 s
  int object = -1;  // index of Occupancy::objects
  int detail = -1;
  double value = 0;
};

struct Verdict {
  double collision = 1, drivable = 1, direction = 1, light = 1, ttc = 1, lane = 1, comfort = 1;
  double progress = 0;  // metres along the centreline, not negative
  // Steps by bit.
  std::uint64_t multiple_lanes = 0, non_drivable = 0, off_route = 0;

  Finding collision_at;  // first at-fault; detail: Collision
  Finding drivable_at;   // detail: first corner outside
  Finding direction_at;  // where the 1 s sum is highest; value: metres
  Finding light_at;      // detail: lane index of the connector
  Finding ttc_at;        // detail: look-ahead steps 0, 3, 6, 9; value: angle to the object, radians
  Finding lane_at;       // where the counter reaches its limit; value: largest distance of that run, metres
  Finding comfort_at;    // detail: signal; step: sample; value
};

/// Judges rollouts against boxes. One per thread: it holds working memory and nothing else.
class Judge {
 public:
  Judge(const Ground& ground, Version version);

  /// `comfort`: null leaves comfort at 1; else it checks `history` (may be empty) followed by the rollout.
  Verdict judge(std::span<const State, kStates> rollout, const Occupancy& occupancy, const ComfortCheck* comfort,
                std::span<const State> history);

 private:
  void locate();
  void collisions(const Occupancy& occupancy, Verdict& verdict);
  void time_to_collision(const Occupancy& occupancy, Verdict& verdict);
  void lights(const Occupancy& occupancy, Verdict& verdict);
  void direction(Verdict& verdict) const;
  void lane_keeping(Verdict& verdict);
  /// Radians between the ego's heading and the way from its rear axle to `to`; NaN when that is the same point.
  double bearing(int step, Vec2 to) const;
  bool in_bad_area(int step) const { return (((multiple_lanes_ | non_drivable_) >> step) & 1) != 0; }

  const Ground& ground_;
  Version version_;
  std::span<const State> rollout_;
  Quad quad_[kStates];
  Bounds bounds_[kStates];
  Vec2 center_[kStates];
  double cos_[kStates], sin_[kStates], speed_[kStates];
  std::uint64_t multiple_lanes_ = 0, non_drivable_ = 0, off_route_ = 0;
  std::uint64_t center_in_intersection_ = 0, axle_in_intersection_ = 0;
  int first_outside_[kStates];         // corner, -1: none
  std::vector<std::uint8_t> corners_;  // by area: which corners it holds
  std::vector<int> touched_;
  std::vector<int> near_;              // objects that may be met
  std::vector<std::uint8_t> ignored_;  // by object
  std::vector<State> joined_;          // history and rollout
  ComfortCheck::Workspace workspace_;
};

}  // namespace wam::sim
