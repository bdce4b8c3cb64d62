#include "search/guide.h"

#include <algorithm>
#include <cmath>

namespace wam::search {
namespace {

// PDM-Closed's driver: m, s, m/s^2.
constexpr double kGap = 1, kHeadway = 1.5, kAccelerate = 1.5, kBrake = 3;
constexpr double kUnknownLimit = 15;  // m/s
constexpr double kInPath = 1.6;       // metres off the path within which a vehicle is in the way

}  // namespace

void Guide::build(const scene::Observation& observation, const EgoFrame& frame, std::span<const Forecast> others,
                  double half_length, double speed, int states) {
  frame_ = &frame;
  red_light_ = std::numeric_limits<double>::infinity();
  reference_ = 0;
  const double center_x = frame.x + frame.axle_to_center * frame.cos;
  const double center_y = frame.y + frame.axle_to_center * frame.sin;
  scene::build_route(*observation.map, observation.route, center_x, center_y, frame.heading, route_);
  if (empty()) return;
  start_ = target().ego_arc;

  const auto lanes = observation.map->lanes();
  const scene::RoutePath& present = route_.path[0];
  double limit = -1;
  for (const scene::LaneSpan& span : present.lanes) {
    if (span.end <= present.ego_arc) continue;
    const auto lane = static_cast<std::size_t>(span.lane);
    if (limit < 0) limit = lanes[lane].speed_limit;
    const double distance = span.end - present.ego_arc - half_length;
    if (distance >= 0 && static_cast<scene::Light>(observation.lane_lights[lane]) == scene::Light::red) {
      red_light_ = std::min(red_light_, distance);
    }
  }
  if (limit <= 0) limit = kUnknownLimit;

  double lead = red_light_, lead_speed = 0;
  for (const Forecast& other : others) {
    const Box& box = other.at[0];
    const scene::Point at{frame.x + frame.cos * box.x - frame.sin * box.y,
                          frame.y + frame.sin * box.x + frame.cos * box.y};
    const scene::Projection p = scene::project(present.line.points, present.line.arc, at);
    const double ahead = p.arc - present.ego_arc - half_length - box.half_length;
    if (std::abs(p.lateral) > kInPath || p.arc <= present.ego_arc || ahead >= lead) continue;
    lead = ahead;
    const double turn = p.heading - frame.heading;
    lead_speed = std::max(0.0, other.speed * (box.cos * std::cos(turn) + box.sin * std::sin(turn)));
  }
  double v = std::max(speed, 0.0);
  for (int k = 0; k < states; ++k) {
    double interaction = 0;
    if (std::isfinite(lead)) {
      const double wanted = kGap + kHeadway * v + v * (v - lead_speed) / (2 * std::sqrt(kAccelerate * kBrake));
      interaction = wanted / std::max(lead - reference_, kGap);
      interaction *= std::abs(interaction);
      lead += lead_speed * sim::kDt;
    }
    const double a = kAccelerate * (1 - std::pow(v / limit, 10) - interaction);
    reference_ += v * sim::kDt;
    v = std::max(0.0, v + std::clamp(a, -kBrake, kAccelerate) * sim::kDt);
  }
}

double Guide::progress(double x, double y) const {
  const scene::Point at{frame_->x + frame_->cos * x - frame_->sin * y, frame_->y + frame_->sin * x + frame_->cos * y};
  return scene::project(target().line.points, target().line.arc, at).arc - start_;
}

}  // namespace wam::search
