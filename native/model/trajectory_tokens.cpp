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

std::int32_t TrajectoryTokens::encode_value(int waypoint, int j, double value, double speed, bool* clipped) const {
  if (kind_ == TokenKind::residual_companded) {
    const double base = j == 0 ? speed * (waypoint + 1) * interval_ : 0;
    return companded_.encode(value - base, scale_[waypoint * kValuesPerWaypoint + j], clipped);
  }
  return linear_.encode(j == 2 ? value * kDegrees : value, clipped);
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

void TrajectoryTokens::encode_poses(const float* pose, double speed, double center_offset, std::int32_t* token) const {
  for (int i = 0; i < waypoints_; ++i, pose += kValuesPerWaypoint) {
    const double heading = pose[2];
    const double center[kValuesPerWaypoint] = {pose[0] + center_offset * (std::cos(heading) - 1),
                                               pose[1] + center_offset * std::sin(heading), heading};
    for (int j = 0; j < kValuesPerWaypoint; ++j) *token++ = encode_value(i, j, center[j], speed, nullptr);
  }
}

void TrajectoryTokens::decode(const std::int32_t* token, double speed, double center_offset, float* pose) const {
  for (int i = 0; i < waypoints_; ++i) {
    const double t = (i + 1) * interval_;
    double value[kValuesPerWaypoint];
    for (int j = 0; j < kValuesPerWaypoint; ++j) {
      const int k = token[i * kValuesPerWaypoint + j];
      if (kind_ == TokenKind::residual_companded) {
        value[j] = (j == 0 ? speed * t : 0) + companded_.decode(k, scale_[i * kValuesPerWaypoint + j]);
      } else {
        value[j] = j == 2 ? linear_.decode(k) / kDegrees : linear_.decode(k);
      }
    }
    // The engine plans the box centre; the tracked point sits `center_offset` behind it.
    pose[i * 3] = static_cast<float>(value[0] + center_offset - center_offset * std::cos(value[2]));
    pose[i * 3 + 1] = static_cast<float>(value[1] - center_offset * std::sin(value[2]));
    pose[i * 3 + 2] = static_cast<float>(value[2]);
  }
}

}  // namespace wam::model
