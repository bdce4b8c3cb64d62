#include "model/trajectory_tokens.h"

#include <cmath>
#include <numbers>

namespace wam::model {

namespace {
constexpr double kDegrees = 180 / std::numbers::pi;
constexpr std::int32_t kIgnored = -100;
}  // namespace

TrajectoryTokens::TrajectoryTokens(const ModelConfig& config)
    : kind_(config.tokens),
      waypoints_(config.waypoints),
      slots_(config.slots()),
      vocab_(config.vocab),
      interval_(config.interval_s),
      companded_(config.vocab, config.compand),
      linear_(config.grid_min, config.grid_step, config.vocab),
      scale_(config.slot_scale) {}

std::vector<real> TrajectoryTokens::coordinates() const {
  std::vector<real> out(static_cast<std::size_t>(vocab_));
  for (int i = 0; i < vocab_; ++i) out[i] = static_cast<real>(companded_.coordinate(i));
  return out;
}

int TrajectoryTokens::encode(const scene::Future& future, double speed, std::int32_t* token) const {
  int clipped_count = 0;
  for (int i = 0; i < waypoints_; ++i) {
    if (i >= scene::kWaypoints || !future.valid[i]) {
      for (int j = 0; j < kValuesPerWaypoint; ++j) *token++ = kIgnored;
      continue;
    }
    const double value[kValuesPerWaypoint] = {future.x[i], future.y[i], future.heading[i]};
    for (int j = 0; j < kValuesPerWaypoint; ++j) {
      bool clipped = false;
      *token++ = encode_value(i, j, value[j], speed, &clipped);
      clipped_count += clipped;
    }
  }
  return clipped_count;
}

std::int32_t TrajectoryTokens::encode_value(int waypoint, int j, double value, double speed, bool* clipped) const {
  if (kind_ == TokenKind::residual_companded) {
    return companded_.encode(value - base(waypoint, j, speed), scale_[waypoint * kValuesPerWaypoint + j], clipped);
  }
  return linear_.encode(j == 2 ? value * kDegrees : value, clipped);
}

void TrajectoryTokens::encode_poses(const float* pose, double speed, double center_offset, std::int32_t* token) const {
  for (int i = 0; i < waypoints_; ++i, pose += kValuesPerWaypoint) {
    const double heading = pose[2];
    const double center[kValuesPerWaypoint] = {pose[0] + center_offset * (std::cos(heading) - 1),
                                               pose[1] + center_offset * std::sin(heading), heading};
    for (int j = 0; j < kValuesPerWaypoint; ++j) *token++ = encode_value(i, j, center[j], speed, nullptr);
  }
}

double TrajectoryTokens::base(int waypoint, int part, double speed) const {
  return kind_ == TokenKind::residual_companded && part == 0 ? speed * ((waypoint + 1) * interval_) : 0;
}

template <class ValueOf>
void TrajectoryTokens::write_poses(double speed, double center_offset, float* pose, ValueOf value_of) const {
  for (int i = 0; i < waypoints_; ++i) {
    double value[kValuesPerWaypoint];
    for (int j = 0; j < kValuesPerWaypoint; ++j) {
      value[j] = base(i, j, speed) + value_of(i * kValuesPerWaypoint + j);
    }
    if (kind_ == TokenKind::absolute) value[2] /= kDegrees;
    // The engine plans the box centre; the tracked point sits `center_offset` behind it.
    pose[i * 3] = static_cast<float>(value[0] + center_offset - center_offset * std::cos(value[2]));
    pose[i * 3 + 1] = static_cast<float>(value[1] - center_offset * std::sin(value[2]));
    pose[i * 3 + 2] = static_cast<float>(value[2]);
  }
}

void TrajectoryTokens::decode(const std::int32_t* token, double speed, double center_offset, float* pose) const {
  write_poses(speed, center_offset, pose, [&](int slot) {
    const auto i = static_cast<std::size_t>(slot);
    return kind_ == TokenKind::residual_companded ? companded_.decode(token[slot], scale_[i])
                                                  : linear_.decode(token[slot]);
  });
}

double TrajectoryTokens::value(int slot, double u) const {
  if (kind_ == TokenKind::residual_companded) return companded_.value_at(u, scale_[static_cast<std::size_t>(slot)]);
  return linear_.min() + (u + 1) / 2 * (linear_.max() - linear_.min());
}

void TrajectoryTokens::decode(const real* u, double speed, double center_offset, float* pose) const {
  write_poses(speed, center_offset, pose, [&](int slot) { return value(slot, static_cast<double>(u[slot])); });
}

void TrajectoryTokens::encode(const scene::Future& future, double speed, real* u) const {
  for (int i = 0; i < waypoints_; ++i) {
    const bool known = i < scene::kWaypoints && future.valid[i];
    const double pose[kValuesPerWaypoint] = {known ? future.x[i] : 0, known ? future.y[i] : 0,
                                             known ? future.heading[i] : 0};
    for (int j = 0; j < kValuesPerWaypoint; ++j) {
      const int slot = i * kValuesPerWaypoint + j;
      double c = 0;
      if (known && kind_ == TokenKind::residual_companded) {
        c = companded_.coordinate_of(pose[j] - base(i, j, speed), scale_[static_cast<std::size_t>(slot)]);
      } else if (known) {
        const double v = j == 2 ? pose[j] * kDegrees : pose[j];
        c = 2 * (v - linear_.min()) / (linear_.max() - linear_.min()) - 1;
      }
      u[slot] = static_cast<real>(c);
    }
  }
}

void TrajectoryTokens::nearest(const real* u, std::int32_t* token) const {
  for (int slot = 0; slot < slots_; ++slot) {
    const double v = value(slot, static_cast<double>(u[slot]));
    token[slot] = kind_ == TokenKind::residual_companded
                      ? companded_.encode(v, scale_[static_cast<std::size_t>(slot)], nullptr)
                      : linear_.encode(v, nullptr);
  }
}

}  // namespace wam::model
