#include "sim/centerline.h"

#include <algorithm>

#include "core/error.h"

namespace wam::sim {
namespace {

Vec2 point(const Pose& p) { return {p.x, p.y}; }

double squared(double v) { return v * v; }

/// Square of the distance from p to the nearest point of the bounds.
double squared_distance(const Bounds& b, Vec2 p) {
  const double dx = std::max({b.min_x - p.x, 0.0, p.x - b.max_x}), dy = std::max({b.min_y - p.y, 0.0, p.y - b.max_y});
  return dx * dx + dy * dy;
}

}  // namespace

Centerline::Centerline(std::vector<Pose> poses) : poses_(std::move(poses)) {
  if (poses_.size() < 2) throw Error("ERR_SCENARIO", "centreline: expected at least 2 points");
  progress_.push_back(0);
  heading_.push_back(poses_[0].heading);
  for (std::size_t i = 1; i < poses_.size(); ++i) {
    progress_.push_back(progress_[i - 1] + distance(point(poses_[i - 1]), point(poses_[i])));
    heading_.push_back(unwrapped(poses_[i].heading, heading_[i - 1]));
  }
  for (std::size_t i = 0; i + 1 < poses_.size(); i += kChunk) {
    Bounds b;
    for (std::size_t k = i; k <= std::min(i + kChunk, poses_.size() - 1); ++k) b.add(point(poses_[k]));
    chunks_.push_back(b);
  }
}

Centerline::Nearest Centerline::nearest(Vec2 p) const {
  std::size_t guess = 0;
  return nearest(p, guess);
}

Centerline::Nearest Centerline::nearest(Vec2 p, std::size_t& guess) const {
  double best = HUGE_VAL, along = 0;
  std::size_t segment = 0;
  const auto look = [&](std::size_t chunk) {
    for (std::size_t i = chunk * kChunk, end = std::min(i + kChunk, poses_.size() - 1); i < end; ++i) {
      const Vec2 a = point(poses_[i]), b = point(poses_[i + 1]);
      const double t = nearest_on_segment(a, b, p);
      const double square = squared(a.x + t * (b.x - a.x) - p.x) + squared(a.y + t * (b.y - a.y) - p.y);
      if (square < best || (square == best && i < segment)) {
        best = square;
        segment = i;
        along = t;
      }
    }
  };
  const std::size_t first = std::min(guess / kChunk, chunks_.size() - 1);
  look(first);
  for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    if (chunk != first && squared_distance(chunks_[chunk], p) <= best) look(chunk);
  }
  guess = segment;
  const Vec2 a = point(poses_[segment]), b = point(poses_[segment + 1]);
  return {progress_[segment] + along * (progress_[segment + 1] - progress_[segment]), distance_to_segment(a, b, p)};
}

Pose Centerline::at(double progress) const {
  progress = std::clamp(progress, std::min(1e-5, length()), length());
  const auto after = std::lower_bound(progress_.begin(), progress_.end(), progress);
  const std::size_t i =
      std::clamp<std::size_t>(static_cast<std::size_t>(after - progress_.begin()), 1, poses_.size() - 1);
  const double span = progress_[i] - progress_[i - 1], since = progress - progress_[i - 1];
  const auto line = [&](double u, double v) { return span > 0 ? (v - u) / span * since + u : u; };
  return {line(poses_[i - 1].x, poses_[i].x), line(poses_[i - 1].y, poses_[i].y),
          wrap_atan2(line(heading_[i - 1], heading_[i]))};
}

std::vector<Pose> Centerline::offset(double offset) const {
  std::vector<Pose> moved = poses_;
  for (Pose& p : moved) {
    p.x += std::cos(p.heading + kPi / 2) * offset;
    p.y += std::sin(p.heading + kPi / 2) * offset;
  }
  return moved;
}

}  // namespace wam::sim
