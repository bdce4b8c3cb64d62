#pragma once
#include <vector>

#include "sim/geometry.h"

namespace wam::sim {

/// The line along which progress is measured: poses joined by straight segments, some of them of no length.
class Centerline {
 public:
  Centerline() = default;
  /// At least 2 poses.
  explicit Centerline(std::vector<Pose> poses);

  const std::vector<Pose>& poses() const { return poses_; }
  /// Arc length at each pose, metres.
  const std::vector<double>& progress() const { return progress_; }
  double length() const { return progress_.back(); }

  struct Nearest {
    double progress = 0, distance = HUGE_VAL;  // metres
  };
  /// Nearest point of the whole line, within its ends; the first where several are equally near.
  Nearest nearest(Vec2 p) const;
  /// The same with a guess of the segment, which only saves time; updated.
  Nearest nearest(Vec2 p, std::size_t& guess) const;

  /// Pose at an arc length, clamped to [1e-5, length()]; headings interpolated unwrapped, wrap A.
  Pose at(double progress) const;
  /// Every pose moved to its left by `offset` metres, heading kept.
  std::vector<Pose> offset(double offset) const;

 private:
  static constexpr std::size_t kChunk = 8;  // segments with common bounds
  std::vector<Pose> poses_;
  std::vector<double> progress_, heading_;  // unwrapped
  std::vector<Bounds> chunks_;
};

}  // namespace wam::sim
