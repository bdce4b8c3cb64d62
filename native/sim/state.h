#pragma once
#include <cstdint>

#include "sim/geometry.h"

namespace wam::sim {

inline constexpr double kDt = 0.1;     // seconds between states
inline constexpr int kStates = 41;     // 4 s
inline constexpr int kStateSize = 11;  // numbers of a State

/// The ego at its rear axle: global pose, body-frame velocity and acceleration; SI units and radians. Eleven doubles in
/// this order are a row of a rollout.
struct State {
  double x = 0, y = 0, heading = 0, vx = 0, vy = 0, ax = 0, ay = 0;
  double steering_angle = 0, steering_rate = 0, yaw_rate = 0, yaw_acceleration = 0;
};
static_assert(sizeof(State) == kStateSize * sizeof(double));

/// The vehicle that NAVSIM scores (nuPlan's Pacifica), metres.
namespace vehicle {
inline constexpr double kWidth = 2.297, kFront = 4.049, kRear = 1.127;  // from the rear axle
inline constexpr double kLength = kFront + kRear, kWheelbase = 3.089;
inline constexpr double kRearAxleToCenter = 1.461;
}  // namespace vehicle

/// Centre of the box of a vehicle with its rear axle at `rear_axle`.
inline Vec2 center_of(const Pose& rear_axle) {
  return {rear_axle.x + vehicle::kRearAxleToCenter * std::cos(rear_axle.heading),
          rear_axle.y + vehicle::kRearAxleToCenter * std::sin(rear_axle.heading)};
}

/// Its box.
inline Quad footprint(const Pose& rear_axle) {
  const Vec2 center = center_of(rear_axle);
  return box({center.x, center.y, rear_axle.heading}, vehicle::kLength, vehicle::kWidth);
}

}  // namespace wam::sim
