#pragma once
#include <span>
#include <vector>

#include "sim/centerline.h"
#include "sim/state.h"

namespace wam::sim {

enum class Cap : std::uint8_t { flat, square };

/// Triangles that fill the outer side of a bend of a buffered line, from heading `before` to heading `after`, radians.
void append_fan(Vec2 vertex, double before, double after, double radius, std::vector<Quad>& out);

/// The area within `half_width` metres of a line: a box a segment, a fan at each bend, flat ends or square ones that
/// reach half a width beyond. What a buffer of the line covers, as convex pieces.
class Corridor {
 public:
  Corridor() = default;
  /// Forgets what it was. Repeated points are dropped; a line of one point covers nothing.
  void set(std::span<const Vec2> line, double half_width, Cap cap);
  void add(const Quad& piece);

  bool meets(const Quad& quad) const;
  bool meets(const Polygon& polygon) const;
  /// Metres between the areas, 0 when they meet; `least` when they are no nearer than that, or one is empty.
  double distance_to(const Corridor& other, double least = HUGE_VAL) const;
  const Bounds& bounds() const { return bounds_; }

 private:
  std::vector<Quad> pieces_;
  std::vector<Bounds> piece_bounds_;
  std::vector<double> angle_;
  std::vector<Vec2> line_;
  std::vector<Quad> fan_;
  Bounds bounds_;
};

}  // namespace wam::sim
