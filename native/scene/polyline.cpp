#include "scene/polyline.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/planar.h"

namespace wam::scene {

void Polyline::clear() {
  points.clear();
  arc.clear();
}

void Polyline::append(Point p) {
  if (points.empty()) {
    points.push_back(p);
    arc.push_back(0);
    return;
  }
  const double step = planar_length(p.x - points.back().x, p.y - points.back().y);
  if (step < 1e-3) return;
  points.push_back(p);
  arc.push_back(arc.back() + step);
}

Projection project(std::span<const Point> points, std::span<const double> arc, Point p) {
  double best = std::numeric_limits<double>::infinity();
  std::size_t best_segment = 0;
  double best_fraction = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const double dx = points[i + 1].x - points[i].x, dy = points[i + 1].y - points[i].y;
    const double px = p.x - points[i].x, py = p.y - points[i].y;
    const double square = dx * dx + dy * dy;
    const double fraction = square > 0 ? (px * dx + py * dy) / square : 0;
    const double clamped = std::clamp(fraction, 0.0, 1.0);
    const double ex = px - clamped * dx, ey = py - clamped * dy;
    const double distance = ex * ex + ey * ey;
    if (distance < best) best = distance, best_segment = i, best_fraction = fraction;
  }
  const Point& a = points[best_segment];
  const Point& b = points[best_segment + 1];
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double length = planar_length(dx, dy);
  double fraction = best_fraction;
  if (best_segment > 0) fraction = std::max(fraction, 0.0);
  if (best_segment + 2 < points.size()) fraction = std::min(fraction, 1.0);
  Projection out;
  out.arc = arc[best_segment] + fraction * length;
  out.lateral = length > 0 ? (dx * (p.y - a.y) - dy * (p.x - a.x)) / length : 0;
  out.distance = std::sqrt(best);
  out.heading = std::atan2(dy, dx);
  return out;
}

Pose pose_at(std::span<const Point> points, std::span<const double> arc, double s) {
  const std::size_t n = points.size();
  const auto above = std::upper_bound(arc.begin(), arc.end(), s);
  const auto i = std::clamp<std::ptrdiff_t>(above - arc.begin() - 1, 0, static_cast<std::ptrdiff_t>(n) - 2);
  const double dx = points[i + 1].x - points[i].x, dy = points[i + 1].y - points[i].y;
  const double length = std::max(arc[i + 1] - arc[i], 1e-9);
  const double fraction = (s - arc[i]) / length;
  Pose out{points[i].x + fraction * dx, points[i].y + fraction * dy, std::atan2(dy, dx)};
  // The heading of a polyline jumps at its points; blend towards the next or previous segment past the midpoint.
  const std::ptrdiff_t other = fraction >= 0.5 ? i + 1 : i - 1;
  if (fraction > 0 && fraction < 1 && other >= 0 && other + 1 < static_cast<std::ptrdiff_t>(n)) {
    const double next = std::atan2(points[other + 1].y - points[other].y, points[other + 1].x - points[other].x);
    out.heading = wrap_angle(out.heading + std::abs(fraction - 0.5) * wrap_angle(next - out.heading));
  }
  return out;
}

}  // namespace wam::scene
