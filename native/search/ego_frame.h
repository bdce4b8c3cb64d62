#pragma once
#include <cmath>

#include "scene/observation.h"
#include "sim/state.h"

namespace wam::search {

/// The ego's rear axle now: origin of all that the search computes, x ahead and y left.
struct EgoFrame {
  double x = 0, y = 0, cos = 1, sin = 0, heading = 0;
  double axle_to_center = 0;   // metres
  double tracked_to_axle = 0;  // along the heading; negative: the axle lies behind the tracked point

  explicit EgoFrame(const scene::Observation& observation) {
    const scene::MotionState& now = observation.ego.history.back();
    // The axle has the place in the box that it has in the vehicle of the PDM score.
    axle_to_center = observation.ego.length * (sim::vehicle::kRearAxleToCenter / sim::vehicle::kLength);
    tracked_to_axle = observation.center_offset - axle_to_center;
    heading = now.heading, cos = std::cos(heading), sin = std::sin(heading);
    x = now.x + tracked_to_axle * cos, y = now.y + tracked_to_axle * sin;
  }

  scene::Point local(double px, double py) const {
    return {cos * (px - x) + sin * (py - y), cos * (py - y) - sin * (px - x)};
  }
  scene::Point turned(double dx, double dy) const { return {cos * dx + sin * dy, cos * dy - sin * dx}; }
};

}  // namespace wam::search
