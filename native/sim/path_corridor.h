#pragma once
#include <vector>

#include "sim/corridor.h"

namespace wam::sim {

/// The corridors of all stretches of one path, flat ends, made from pieces that are computed once: only where a stretch
/// is cut within a segment a new piece is needed.
class PathCorridor {
 public:
  PathCorridor(const Centerline& path, double half_width);

  /// Replaces `out` by the corridor from arc length `from` to `to`, metres, clamped to the path; nothing for no length.
  void stretch(double from, double to, Corridor& out) const;
  /// Whether the corridor from arc length `from` to the end of the path meets an area.
  bool rest_meets(double from, const Corridor& area) const;

 private:
  struct Segment {
    Vec2 from, to;
    double start = 0, end = 0;  // arc lengths
    double cos = 0, sin = 0;    // direction
    std::size_t piece = 0;      // its box; the fan at its start follows
    Bounds rest;                // of all pieces from `piece` on
  };
  std::size_t segment_at(double arc) const;
  Quad part(const Segment& segment, double from, double to) const;

  double half_width_;
  std::vector<Segment> segments_;
  std::vector<Quad> pieces_;
};

}  // namespace wam::sim
