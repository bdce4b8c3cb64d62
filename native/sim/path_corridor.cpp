#include "sim/path_corridor.h"

#include <algorithm>

namespace wam::sim {

PathCorridor::PathCorridor(const Centerline& path, double half_width) : half_width_(half_width) {
  const auto& poses = path.poses();
  double before = 0;
  for (std::size_t i = 0; i + 1 < poses.size(); ++i) {
    Segment s;
    s.from = {poses[i].x, poses[i].y};
    s.to = {poses[i + 1].x, poses[i + 1].y};
    if (s.from == s.to) continue;
    s.start = path.progress()[i];
    s.end = path.progress()[i + 1];
    const double angle = std::atan2(s.to.y - s.from.y, s.to.x - s.from.x);
    s.cos = std::cos(angle);
    s.sin = std::sin(angle);
    s.piece = pieces_.size();
    pieces_.push_back(part(s, s.start, s.end));
    if (!segments_.empty()) append_fan(s.from, before, angle, half_width, pieces_);
    before = angle;
    segments_.push_back(s);
  }
  Bounds rest;
  std::size_t end = pieces_.size();
  for (std::size_t i = segments_.size(); i-- > 0;) {
    for (std::size_t k = segments_[i].piece; k < end; ++k) {
      for (const Vec2 p : pieces_[k].corner) rest.add(p);
    }
    end = segments_[i].piece;
    segments_[i].rest = rest;
  }
}

std::size_t PathCorridor::segment_at(double arc) const {
  const auto after =
      std::partition_point(segments_.begin(), segments_.end() - 1, [arc](const Segment& s) { return s.end <= arc; });
  return static_cast<std::size_t>(after - segments_.begin());
}

Quad PathCorridor::part(const Segment& s, double from, double to) const {
  const double wx = -s.sin * half_width_, wy = s.cos * half_width_, length = s.end - s.start;
  const auto at = [&](double arc) {
    if (arc <= s.start) return s.from;
    if (arc >= s.end) return s.to;
    const double t = (arc - s.start) / length;
    return Vec2{s.from.x + t * (s.to.x - s.from.x), s.from.y + t * (s.to.y - s.from.y)};
  };
  const Vec2 a = at(from), b = at(to);
  return {{{b.x + wx, b.y + wy}, {a.x + wx, a.y + wy}, {a.x - wx, a.y - wy}, {b.x - wx, b.y - wy}}};
}

void PathCorridor::stretch(double from, double to, Corridor& out) const {
  out.set({}, half_width_, Cap::flat);
  if (segments_.empty()) return;
  from = std::max(from, segments_.front().start);
  to = std::min(to, segments_.back().end);
  if (!(from < to)) return;
  const std::size_t first = segment_at(from);
  for (std::size_t i = first; i < segments_.size() && segments_[i].start < to; ++i) {
    const Segment& s = segments_[i];
    const bool whole = s.start >= from && s.end <= to;
    out.add(whole ? pieces_[s.piece] : part(s, std::max(from, s.start), std::min(to, s.end)));
    if (i == first) continue;
    const std::size_t end = i + 1 < segments_.size() ? segments_[i + 1].piece : pieces_.size();
    for (std::size_t k = s.piece + 1; k < end; ++k) out.add(pieces_[k]);
  }
}

bool PathCorridor::rest_meets(double from, const Corridor& area) const {
  if (segments_.empty()) return false;
  from = std::max(from, segments_.front().start);
  if (!(from < segments_.back().end)) return false;
  const std::size_t first = segment_at(from);
  if (!segments_[first].rest.overlaps(area.bounds())) return false;
  if (area.meets(part(segments_[first], from, segments_[first].end))) return true;
  for (std::size_t i = first + 1; i < segments_.size(); ++i) {
    if (!segments_[i].rest.overlaps(area.bounds())) return false;
    const std::size_t end = i + 1 < segments_.size() ? segments_[i + 1].piece : pieces_.size();
    for (std::size_t k = segments_[i].piece; k < end; ++k) {
      if (area.meets(pieces_[k])) return true;
    }
  }
  return false;
}

}  // namespace wam::sim
