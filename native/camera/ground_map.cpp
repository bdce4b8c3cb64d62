#include "camera/ground_map.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/planar.h"

namespace wam::camera {
namespace {

constexpr double kKerbWidth = 0.18, kVergeWidth = 0.35;  // metres
constexpr double kLargest = 1e8;
constexpr double kLongestLine = 20'000;
// Less than this far outside its own ring, an edge that is not the road's border lies inside another ring.
constexpr double kOutside = 0.04;

double signed_area(std::span<const Point> ring) {
  double sum = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const Point &a = ring[i], &b = ring[(i + 1) % ring.size()];
    sum += (a.x - ring[0].x) * (b.y - ring[0].y) - (b.x - ring[0].x) * (a.y - ring[0].y);
  }
  return sum / 2;
}

bool contains(std::span<const Point> ring, const Point& p) {
  bool inside = false;
  for (std::size_t i = 0, k = ring.size() - 1; i < ring.size(); k = i++) {
    const Point &a = ring[i], &b = ring[k];
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}

void check(std::span<const Point> points, const char* name) {
  for (const Point& p : points) {
    if (!(std::abs(p.x) <= kLargest && std::abs(p.y) <= kLargest)) {
      throw Error("ERR_NOT_FINITE", std::string(name) + ": expected finite coordinates up to 1e8 m");
    }
  }
}

struct Bounds {
  double x0, y0, x1, y1;
  bool contains(const Point& p) const { return p.x >= x0 && p.x <= x1 && p.y >= y0 && p.y <= y1; }
};

Bounds bounds_of(std::span<const Point> points) {
  Bounds b{points[0].x, points[0].y, points[0].x, points[0].y};
  for (const Point& p : points) {
    b = {std::min(b.x0, p.x), std::min(b.y0, p.y), std::max(b.x1, p.x), std::max(b.y1, p.y)};
  }
  return b;
}

}  // namespace

GroundMap::GroundMap(std::span<const Point> ring_points, std::span<const GroundRing> rings,
                     std::span<const Point> line_points, std::span<const PaintedLine> lines, double sidewalk)
    : sidewalk_(sidewalk) {
  check(ring_points, "rings");
  check(line_points, "lines");
  if (!(sidewalk >= 0 && sidewalk <= 20)) throw Error("ERR_RANGE", "sidewalk: expected 0 to 20 m");
  for (const GroundRing& ring : rings) {
    if (ring.count < 3) throw Error("ERR_SHAPE", "rings: expected at least 3 points each");
  }
  for (const PaintedLine& line : lines) {
    if (line.count < 2) throw Error("ERR_SHAPE", "lines: expected at least 2 points each");
    if (!(line.width > 0 && line.width <= 20 && line.on >= 0.1 && line.on <= 1000 &&
          (line.off == 0 || line.off >= 0.1) && line.off <= 1000)) {
      throw Error("ERR_RANGE", "lines: expected a width of at most 20 m, dashes and gaps of 0.1 to 1000 m");
    }
  }
  if (!ring_points.empty()) origin_ = {std::floor(ring_points[0].x), std::floor(ring_points[0].y)};
  add_borders(ring_points, rings);
  std::vector<Point> ring_copy;
  for (const GroundRing& ring : rings) {
    const auto points = ring_points.subspan(ring.first, ring.count);
    ring_copy.assign(points.begin(), points.end());
    // Rings run counter-clockwise and holes clockwise: areas add up to what is covered.
    if ((signed_area(points) < 0) != ring.hole) std::reverse(ring_copy.begin(), ring_copy.end());
    add(Layer::road, ring_copy);
  }
  for (const PaintedLine& line : lines) add_line(line, line_points.subspan(line.first, line.count));
}

void GroundMap::add(Layer layer, std::span<const Point> points) {
  GroundPolygon polygon{points_.size(), points.size(), layer, {0, 0}, 0};
  const Bounds b = bounds_of(points);
  polygon.center = {(b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2};
  for (const Point& p : points) {
    polygon.radius = std::max(polygon.radius, planar_length(p.x - polygon.center.x, p.y - polygon.center.y));
  }
  points_.insert(points_.end(), points.begin(), points.end());
  polygons_.push_back(polygon);
}

/// Kerb and pavement, or the verge: a strip around every edge of a ring that is the border of the road.
void GroundMap::add_borders(std::span<const Point> ring_points, std::span<const GroundRing> rings) {
  std::vector<Bounds> bounds;
  for (const GroundRing& ring : rings) bounds.push_back(bounds_of(ring_points.subspan(ring.first, ring.count)));
  for (const GroundRing& ring : rings) {
    const auto points = ring_points.subspan(ring.first, ring.count);
    const double outside = (signed_area(points) < 0) != ring.hole ? kOutside : -kOutside;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Point &a = points[i], &b = points[(i + 1) % points.size()];
      const double length = planar_length(b.x - a.x, b.y - a.y);
      if (length < 1e-6) continue;
      const Point along{(b.x - a.x) / length, (b.y - a.y) / length}, left{-along.y, along.x};
      const Point beside{(a.x + b.x) / 2 + left.x * outside, (a.y + b.y) / 2 + left.y * outside};
      bool inner = false;
      for (std::size_t k = 0; k < rings.size() && !inner; ++k) {
        inner = !rings[k].hole && &rings[k] != &ring && bounds[k].contains(beside) &&
                contains(ring_points.subspan(rings[k].first, rings[k].count), beside);
      }
      if (inner) continue;
      const auto strip = [&](Layer layer, double half) {
        const auto at = [&](const Point& p, double forward, double sideways) {
          return Point{p.x + along.x * forward + left.x * sideways, p.y + along.y * forward + left.y * sideways};
        };
        const Point quad[] = {at(a, -half, -half), at(b, half, -half), at(b, half, half), at(a, -half, half)};
        add(layer, quad);
      };
      if (sidewalk_ > 0) strip(Layer::sidewalk, sidewalk_);
      strip(Layer::kerb, sidewalk_ > 0 ? kKerbWidth : kVergeWidth);
    }
  }
}

void GroundMap::add_line(const PaintedLine& line, std::span<const Point> points) {
  std::vector<Point> piece{points[0]};
  bool painting = true;
  double left = line.off > 0 ? line.on : kLongestLine, driven = 0;
  const auto end_piece = [&] {
    if (painting && piece.size() >= 2) add_strip(line.layer, piece, line.width);
  };
  // Long lines are cut, so that those parts that are out of sight can be left out.
  constexpr std::size_t kMostPoints = 16;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Point a = points[i - 1], b = points[i];
    const double length = planar_length(b.x - a.x, b.y - a.y);
    if (length < 1e-6) continue;
    driven += length;
    if (driven > kLongestLine) throw Error("ERR_RANGE", "lines: expected at most 20 km each");
    double at = 0;
    while (length - at > left) {
      at += left;
      const Point p{a.x + (b.x - a.x) * at / length, a.y + (b.y - a.y) * at / length};
      if (painting) piece.push_back(p);
      end_piece();
      painting = !painting;
      left = painting ? line.on : line.off;
      piece.assign(1, p);
    }
    left -= length - at;
    if (painting) piece.push_back(b);
    if (painting && piece.size() >= kMostPoints) {
      end_piece();
      piece.assign(1, b);
    }
  }
  end_piece();
}

void GroundMap::add_strip(Layer layer, std::span<const Point> middle, double width) {
  const std::size_t n = middle.size();
  std::vector<Point> ring(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    const Point &before = middle[i > 0 ? i - 1 : 0], &after = middle[i + 1 < n ? i + 1 : n - 1];
    const double length = std::max(1e-9, planar_length(after.x - before.x, after.y - before.y));
    const Point left{-(after.y - before.y) / length * width / 2, (after.x - before.x) / length * width / 2};
    ring[i] = {middle[i].x - left.x, middle[i].y - left.y};
    ring[2 * n - 1 - i] = {middle[i].x + left.x, middle[i].y + left.y};
  }
  add(layer, ring);
}

}  // namespace wam::camera
