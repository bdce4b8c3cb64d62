#pragma once
// The plan before this one as a plan from now.

#include <vector>

namespace wam::model {

struct WarmStart {
  std::vector<float> trajectory;  // [waypoints, 3] of the tracked point in its frame of then; empty: a cold start
  double elapsed_s = 0;           // since then
  double motion[3] = {0, 0, 0};   // x, y, heading of the tracked point's present frame in that of then
  double t0 = 0.1;                // time of the path that refinement begins at; 0: with noise, as without a plan before
  bool given() const { return !trajectory.empty(); }
  /// Whether refinement begins with the plan before; else only a search looks at it.
  bool begins() const { return given() && t0 > 0; }
};

/// The poses that `warm.trajectory` has at elapsed_s + interval, + 2 interval, .., in the present frame: cubic between
/// waypoints, beyond the last one at the velocity and yaw rate of its last interval. out [waypoints, 3].
void shift_plan(const WarmStart& warm, int waypoints, double interval_s, float* out);

}  // namespace wam::model
