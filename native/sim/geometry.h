#pragma once
// Plane geometry of the simulator: float64, with exact predicates. Points are metres in the global frame, whose
// coordinates may be as large as 5e6 (UTM).

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace wam::sim {

inline constexpr double kPi = 3.14159265358979323846;

struct Vec2 {
  double x = 0, y = 0;
  friend bool operator==(const Vec2&, const Vec2&) = default;
};

struct Pose {
  double x = 0, y = 0, heading = 0;
};

/// To [-pi, pi] by atan2 (wrap A of the NAVSIM rules), which leaves an angle within them as it is but for rounding.
inline double wrap_atan2(double angle) {
  return std::abs(angle) < 3.14 ? angle : std::atan2(std::sin(angle), std::cos(angle));
}
/// To [-pi, pi) by floor modulo (wrap B).
double wrap_modulo(double angle);
/// Adds the multiple of 2 pi to `angle` that brings it within pi of `before`.
double unwrapped(double angle, double before);

double distance(Vec2 a, Vec2 b);

/// Sign of the turn a -> b -> c: 1 left, -1 right, 0 exactly straight. Exact for coordinates and differences of them that
/// are 0 or of a size from 1e-140 to 1e140, so that no product leaves the range of doubles.
int orientation(Vec2 a, Vec2 b, Vec2 c);

/// Nearest point of segment ab to p, as its part of ab in [0, 1]; 0 for a segment of no length.
double nearest_on_segment(Vec2 a, Vec2 b, Vec2 p);
double distance_to_segment(Vec2 a, Vec2 b, Vec2 p);

/// Closed segments have a common point.
bool segments_intersect(Vec2 a, Vec2 b, Vec2 c, Vec2 d);

/// Bounds of a set of points.
struct Bounds {
  double min_x = HUGE_VAL, min_y = HUGE_VAL, max_x = -HUGE_VAL, max_y = -HUGE_VAL;
  void add(Vec2 p);
  bool overlaps(const Bounds& o) const {
    return min_x <= o.max_x && o.min_x <= max_x && min_y <= o.max_y && o.min_y <= max_y;
  }
  bool contains(Vec2 p) const { return p.x >= min_x && p.x <= max_x && p.y >= min_y && p.y <= max_y; }
};

/// A convex quadrilateral, counter-clockwise; of a vehicle: front-left, rear-left, rear-right, front-right.
struct Quad {
  Vec2 corner[4];
  Bounds bounds() const;
  Vec2 centroid() const;
};

/// Box around a centre.
Quad box(const Pose& center, double length, double width);
/// The same with the cosine and sine of the heading.
Quad box(Vec2 center, double cos, double sin, double length, double width);

/// The closed areas have a common point.
bool intersects(const Quad& a, const Quad& b);
/// The closed segment ab and the closed area have a common point.
bool intersects(const Quad& q, Vec2 a, Vec2 b);
/// p lies in the area or on its border.
bool covers(const Quad& q, Vec2 p);
/// Metres between the areas; 0 when they intersect.
double distance(const Quad& a, const Quad& b);

enum class Side { outside, boundary, inside };

/// The area of a closed ring, by the even-odd rule where the ring crosses itself.
class Polygon {
 public:
  Polygon() = default;
  /// At least 3 vertices, not closed. Throws Error(ERR_SCENARIO) on fewer.
  explicit Polygon(std::vector<Vec2> ring);

  std::span<const Vec2> ring() const { return ring_; }
  const Bounds& bounds() const { return bounds_; }
  /// Exact.
  Side locate(Vec2 p) const;
  /// p lies in the area and not on its border.
  bool contains(Vec2 p) const { return locate(p) == Side::inside; }
  Vec2 centroid() const;
  /// The closed edge from ring()[i] on.
  Vec2 edge_end(std::size_t i) const { return ring_[i + 1 < ring_.size() ? i + 1 : 0]; }
  /// Memory of the vertices and of what finds those near a point.
  std::size_t bytes() const {
    return ring_.size() * sizeof(Vec2) + (band_start_.size() + band_edges_.size()) * sizeof(std::uint32_t);
  }

 private:
  std::vector<Vec2> ring_;
  Bounds bounds_;
  // Edges by horizontal bands of equal height: a point meets those of its band only. At most 16 entries a vertex.
  std::vector<std::uint32_t> band_start_, band_edges_;
  double band_scale_ = 0;
};

/// The closed areas have a common point. Exact.
bool intersects(const Polygon& polygon, const Quad& quad);
/// Metres between the areas; 0 when they intersect.
double distance(const Polygon& polygon, const Quad& quad);
/// Square metres that two rings have in common. Throws Error(ERR_SCENARIO) instead of counting more than 3e8 steps, which
/// rings of 10,000 vertices need only when most of their edges cross.
double intersection_area(const Polygon& a, const Polygon& b);
/// The same within `steps`, from which it takes what it counts: about one for each edge that a height or an edge meets.
double intersection_area(const Polygon& a, const Polygon& b, std::int64_t& steps);
inline constexpr std::int64_t kAreaSteps = 300'000'000;

}  // namespace wam::sim
