#pragma once
// What lies on the ground, as polygons in layers. Built once for a map, drawn in many frames.

#include <cstddef>
#include <span>
#include <vector>

namespace wam::camera {

struct Point {
  double x, y;
};

/// From below to above; each covers what lies below it.
enum class Layer : int { sidewalk, kerb, road, white, yellow, shadow, kinds };
constexpr int kLayers = static_cast<int>(Layer::kinds);

/// A painted line: `on` metres of paint and `off` metres without, in turn; `off` 0 is a solid one.
struct PaintedLine {
  std::size_t first = 0, count = 0;  // points
  double width = 0.12, on = 1, off = 0;
  Layer layer = Layer::white;
};

/// A ring with area; its points run around it in either direction.
struct GroundRing {
  std::size_t first = 0, count = 0;  // points
  bool hole = false;
};

struct GroundPolygon {
  std::size_t first = 0, count = 0;
  Layer layer = Layer::road;
  Point center{0, 0};
  double radius = 0;
};

class GroundMap {
 public:
  /// `ring_points` and `line_points` hold the points of all rings and lines. `sidewalk`: width beside the road, metres; 0
  /// for none. Throws Error: ERR_SHAPE for a ring of less than 3 points or a line of less than 2, ERR_NOT_FINITE,
  /// ERR_RANGE for widths and lengths that are not positive.
  GroundMap(std::span<const Point> ring_points, std::span<const GroundRing> rings, std::span<const Point> line_points,
            std::span<const PaintedLine> lines, double sidewalk);

  std::span<const GroundPolygon> polygons() const { return polygons_; }
  std::span<const Point> points_of(const GroundPolygon& polygon) const {
    return {points_.data() + polygon.first, polygon.count};
  }
  /// Textures are laid out from here, so that their coordinates are small.
  Point origin() const { return origin_; }
  bool has_sidewalk() const { return sidewalk_ > 0; }

 private:
  void add(Layer layer, std::span<const Point> points);
  void add_borders(std::span<const Point> ring_points, std::span<const GroundRing> rings);
  void add_line(const PaintedLine& line, std::span<const Point> points);
  void add_strip(Layer layer, std::span<const Point> middle, double width);

  std::vector<Point> points_;
  std::vector<GroundPolygon> polygons_;
  Point origin_{0, 0};
  double sidewalk_;
};

}  // namespace wam::camera
