#include "sim/corridor.h"

#include <algorithm>
#include <cmath>

#include "core/planar.h"

namespace wam::sim {
namespace {

constexpr double kArcStep = kPi / 32;  // 16 segments a quarter of a circle

Vec2 off(Vec2 p, double angle, double length) {
  return {p.x + std::cos(angle) * length, p.y + std::sin(angle) * length};
}

/// A lower bound of the distance of what lies within the bounds.
double gap(const Bounds& a, const Bounds& b) {
  const double dx = std::max({a.min_x - b.max_x, 0.0, b.min_x - a.max_x});
  const double dy = std::max({a.min_y - b.max_y, 0.0, b.min_y - a.max_y});
  return planar_length(dx, dy);
}

}  // namespace

void append_fan(Vec2 vertex, double before, double after, double radius, std::vector<Quad>& out) {
  // From one segment's border to the next's on the outer side, in equal arcs of about kArcStep.
  const double turn = wrap_atan2(after - before), side = turn > 0 ? -kPi / 2 : kPi / 2;
  const int arcs = std::max(1, static_cast<int>(std::abs(turn) / kArcStep + 0.5));
  for (int k = 0; k < arcs; ++k) {
    Vec2 p = off(vertex, before + side + turn * k / arcs, radius);
    Vec2 q = off(vertex, before + side + turn * (k + 1) / arcs, radius);
    if (turn < 0) std::swap(p, q);
    if (!(p == q)) out.push_back({{vertex, p, q, q}});
  }
}

void Corridor::set(std::span<const Vec2> points, double half_width, Cap cap) {
  pieces_.clear();
  piece_bounds_.clear();
  angle_.clear();
  line_.clear();
  bounds_ = {};
  for (const Vec2 p : points) {
    if (line_.empty() || !(line_.back() == p)) line_.push_back(p);
  }
  for (std::size_t i = 0; i + 1 < line_.size(); ++i) {
    angle_.push_back(std::atan2(line_[i + 1].y - line_[i].y, line_[i + 1].x - line_[i].x));
  }
  const double beyond = cap == Cap::square ? half_width : 0;
  for (std::size_t i = 0; i < angle_.size(); ++i) {
    const double a = angle_[i];
    const Vec2 from = i == 0 ? off(line_[i], a, -beyond) : line_[i];
    const Vec2 to = i + 1 == angle_.size() ? off(line_[i + 1], a, beyond) : line_[i + 1];
    add({{off(to, a + kPi / 2, half_width), off(from, a + kPi / 2, half_width), off(from, a - kPi / 2, half_width),
          off(to, a - kPi / 2, half_width)}});
    if (i == 0) continue;
    fan_.clear();
    append_fan(line_[i], angle_[i - 1], a, half_width, fan_);
    for (const Quad& piece : fan_) add(piece);
  }
}

void Corridor::add(const Quad& piece) {
  pieces_.push_back(piece);
  piece_bounds_.push_back(piece.bounds());
  bounds_.add({piece_bounds_.back().min_x, piece_bounds_.back().min_y});
  bounds_.add({piece_bounds_.back().max_x, piece_bounds_.back().max_y});
}

bool Corridor::meets(const Quad& quad) const {
  const Bounds bounds = quad.bounds();
  if (!bounds_.overlaps(bounds)) return false;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (piece_bounds_[i].overlaps(bounds) && intersects(pieces_[i], quad)) return true;
  }
  return false;
}

bool Corridor::meets(const Polygon& polygon) const {
  if (!bounds_.overlaps(polygon.bounds())) return false;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (piece_bounds_[i].overlaps(polygon.bounds()) && intersects(polygon, pieces_[i])) return true;
  }
  return false;
}

double Corridor::distance_to(const Corridor& other, double least) const {
  if (gap(bounds_, other.bounds_) >= least) return least;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (gap(piece_bounds_[i], other.bounds_) >= least) continue;
    for (std::size_t k = 0; k < other.pieces_.size(); ++k) {
      if (gap(piece_bounds_[i], other.piece_bounds_[k]) >= least) continue;
      least = std::min(least, distance(pieces_[i], other.pieces_[k]));
      if (least == 0) return 0;
    }
  }
  return least;
}

}  // namespace wam::sim
