#pragma once
// Vehicles that follow their lane by the intelligent driver model and react to the ego (section 9).

#include <cstdint>
#include <span>
#include <vector>

#include "sim/occupancy.h"
#include "sim/path_corridor.h"

namespace wam::sim {

/// A vehicle as simulated against one rollout.
struct ReactiveTrack {
  int source = 0;         // index of the scene's object
  int last = -1;          // last step that it exists; beyond, it left the radius
  Pose pose[kStates];     // box centre
  double speed[kStates];  // m/s along the heading; of step 0 that of the log is in vx, vy
  double vx = 0, vy = 0;
};

/// The traffic of one scene; simulate may be called from several threads at once.
class ReactiveTraffic {
 public:
  /// Vehicles of a scene at the present: each looks at each other one ten times a second.
  static constexpr std::size_t kMaxVehicles = 1000;
  /// Points of the baselines that they follow, each vehicle's counted.
  static constexpr std::size_t kMaxPathPoints = 500'000;

  /// Throws Error(ERR_RANGE) on more than those.
  ReactiveTraffic(const Scene& scene, const std::vector<std::uint8_t>& lane_on_route);

  /// Drives the vehicles against a rollout and fills `occupancy` with them, the replayed other objects and the lights.
  std::vector<ReactiveTrack> simulate(std::span<const State, kStates> rollout, Occupancy& occupancy) const;

 private:
  struct Vehicle {
    int source = 0;
    int path = -1;  // of paths_; -1: stands
    double progress = 0, speed = 0;
    Pose pose;
  };
  void place(const Scene& scene);
  int path_of_lane(int lane);

  const Scene& scene_;
  std::vector<Vehicle> vehicles_;
  std::vector<Centerline> baselines_, paths_;  // of a lane; what is driven ends at the last point but one
  std::vector<PathCorridor> corridors_;        // by vehicle that drives; those stand first in vehicles_
  std::vector<double> limits_;                 // by path, m/s; negative when unknown
  std::vector<int> path_of_lane_;              // -1: none yet
  struct Other {
    int source;
    Replayed track;
  };
  std::vector<Other> others_;
  std::vector<std::vector<int>> red_;  // by 0.5 s frame
};

}  // namespace wam::sim
