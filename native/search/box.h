#pragma once
#include <algorithm>
#include <cmath>

namespace wam::search {

/// An oriented rectangle: centre, direction of its length, half sizes; metres.
struct Box {
  double x = 0, y = 0, cos = 1, sin = 0, half_length = 0, half_width = 0;
};

/// Metres that the widest separating axis leaves between two boxes: never more than their distance, negative by the least
/// depth of an overlap (separating axes are those of the sides).
inline double gap(const Box& a, const Box& b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double c = std::abs(a.cos * b.cos + a.sin * b.sin), s = std::abs(a.cos * b.sin - a.sin * b.cos);
  const double along_a = std::abs(dx * a.cos + dy * a.sin) - a.half_length - b.half_length * c - b.half_width * s;
  const double across_a = std::abs(dy * a.cos - dx * a.sin) - a.half_width - b.half_length * s - b.half_width * c;
  const double along_b = std::abs(dx * b.cos + dy * b.sin) - b.half_length - a.half_length * c - a.half_width * s;
  const double across_b = std::abs(dy * b.cos - dx * b.sin) - b.half_width - a.half_length * s - a.half_width * c;
  return std::max(std::max(along_a, across_a), std::max(along_b, across_b));
}

}  // namespace wam::search
