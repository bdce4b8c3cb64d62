#pragma once
// Between 8 waypoints and 24 numeric tokens.

#include <cstdint>
#include <span>
#include <vector>

#include "flow/grid.h"
#include "model/config.h"
#include "scene/dataset.h"

namespace wam::model {

class TrajectoryTokens {
 public:
  explicit TrajectoryTokens(const ModelConfig& config);

  int slots() const { return slots_; }
  /// Token coordinate in [-1, 1] by token: what the 1-D metric path measures along.
  std::vector<real> coordinates() const;

  /// token [slots], -100 where the waypoint is not valid. `speed` is the ego's at t = 0 (base of residual tokens).
  /// Returns how many values lay outside the grid and were clipped.
  int encode(const scene::Future& future, double speed, std::int32_t* token) const;

  /// The inverse of `decode`, to the nearest tokens.
  void encode_poses(const float* pose, double speed, double center_offset, std::int32_t* token) const;

  /// pose [waypoints, 3] of the tracked point (`center_offset` metres behind the box centre) in its own present frame.
  void decode(const std::int32_t* token, double speed, double center_offset, float* pose) const;

  /// The same as coordinates in [-1, 1] that are not rounded to tokens; beyond the grid they go on. u [slots]: 0 where the
  /// waypoint is not valid.
  void encode(const scene::Future& future, double speed, real* u) const;
  void decode(const real* u, double speed, double center_offset, float* pose) const;
  /// Nearest token of each coordinate, [slots].
  void nearest(const real* u, std::int32_t* token) const;

 private:
  double base(int waypoint, int part, double speed) const;
  double value(int slot, double u) const;
  template <class ValueOf>
  void write_poses(double speed, double center_offset, float* pose, ValueOf value_of) const;
  std::int32_t encode_value(int waypoint, int j, double value, double speed, bool* clipped) const;

  TokenKind kind_;
  int waypoints_, slots_, vocab_;
  double interval_;
  flow::CompandedGrid companded_;
  flow::LinearGrid linear_;
  std::vector<double> scale_;
};

}  // namespace wam::model
