#include "search/local_road.h"

#include <algorithm>
#include <cmath>

#include "core/planar.h"

namespace wam::search {
namespace {

constexpr double kJoint = 0.5;  // metres that a strip goes on at either end: no wedge is left at the outside of a bend
constexpr double kContinued = 60;  // metres of road beyond the end of the map
constexpr double kFarthest = 3;    // metres; further off the road all places are alike

}  // namespace

void LocalRoad::build(const scene::Observation& observation, const EgoFrame& frame, double reach) {
  pieces_.clear();
  const auto lanes = observation.map->lanes();
  for (const scene::LanePiece& piece : observation.map->pieces()) {
    const scene::Lane& lane = lanes[static_cast<std::size_t>(piece.lane)];
    const bool ends = piece.last && lane.successors.empty();
    const double extent = piece.length / 2 + (ends ? kContinued : 0);
    const scene::Point& middle = piece.points[2];
    if (planar_length(middle.x - frame.x, middle.y - frame.y) > reach + extent) continue;
    Piece& p = pieces_.emplace_back();
    p.half_width = lane.width / 2;
    scene::Point at[5];
    for (int j = 0; j < 5; ++j) at[j] = frame.local(piece.points[j].x, piece.points[j].y);
    for (int j = 0; j < 4; ++j) {
      Strip& s = p.strips[j];
      const double dx = at[j + 1].x - at[j].x, dy = at[j + 1].y - at[j].y;
      s.length = std::max(planar_length(dx, dy), 1e-9);
      s.x = at[j].x, s.y = at[j].y, s.cos = dx / s.length, s.sin = dy / s.length;
    }
    if (ends) p.strips[3].length += kContinued;
    const Strip &first = p.strips[0], &last = p.strips[3];
    const double end_x = last.x + last.cos * last.length, end_y = last.y + last.sin * last.length;
    p.x = (first.x + end_x) / 2, p.y = (first.y + end_y) / 2;
    for (const scene::Point& point : at) p.radius = std::max(p.radius, planar_length(point.x - p.x, point.y - p.y));
    p.radius = std::max(p.radius, planar_length(end_x - p.x, end_y - p.y)) + p.half_width + kJoint;
  }
}

/// visit(piece, strip, along, across) for the strips of pieces that come within `slack` of (x, y); false ends it.
template <class Visit>
void LocalRoad::near(double x, double y, double slack, Visit visit) const {
  for (const Piece& p : pieces_) {
    const double dx = x - p.x, dy = y - p.y, r = p.radius + slack;
    if (dx * dx + dy * dy > r * r) continue;
    for (const Strip& s : p.strips) {
      const double px = x - s.x, py = y - s.y;
      if (!visit(p, s, px * s.cos + py * s.sin, py * s.cos - px * s.sin)) return;
    }
  }
}

double LocalRoad::outside(double x, double y) const {
  double least = kFarthest;
  near(x, y, kFarthest, [&](const Piece& p, const Strip& s, double along, double across) {
    const double over = std::max({0.0, -along - kJoint, along - s.length - kJoint});
    least = std::min(least, planar_length(over, std::max(0.0, std::abs(across) - p.half_width)));
    return least > 0;
  });
  return least;
}

bool LocalRoad::against_traffic(double x, double y, double cos, double sin) const {
  bool on_lane = false, with = false;
  near(x, y, 0, [&](const Piece& p, const Strip& s, double along, double across) {
    if (along < -kJoint || along > s.length + kJoint || std::abs(across) > p.half_width) return true;
    on_lane = true;
    with = s.cos * cos + s.sin * sin > 0;
    return !with;
  });
  return on_lane && !with;
}

LocalRoad::Offset LocalRoad::lane_offset(double x, double y, double cos, double sin) const {
  Offset best;
  near(x, y, 0, [&](const Piece& p, const Strip& s, double along, double across) {
    if (along < -kJoint || along > s.length + kJoint || s.cos * cos + s.sin * sin < 0.5) return true;
    if (std::abs(across) < best.distance) best = {std::abs(across), p.half_width};
    return true;
  });
  return best;
}

}  // namespace wam::search
