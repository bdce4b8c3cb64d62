#include "search/forecast.h"

#include "core/planar.h"

namespace wam::search {
namespace {

constexpr double kMoving = 0.3;     // m/s; below it a velocity is noise and says nothing about a direction
constexpr double kTurnSpan = 0.5;   // seconds over which a yaw rate is a difference of headings
constexpr double kTurning = 0.1;    // rad/s; below it a yaw rate is noise of the headings, or the bend of a lane
constexpr double kMaxTurn = 0.6;    // rad/s
constexpr double kMaxSideways = 4;  // m/s^2, of speed times yaw rate

/// rad/s over the last kTurnSpan seconds of the history; 0 when it is shorter.
double yaw_rate(const std::vector<scene::MotionState>& history) {
  const scene::MotionState& now = history.back();
  for (std::size_t i = history.size() - 1; i-- > 0;) {
    const double span = now.t - history[i].t;
    if (span < kTurnSpan - 0.051) continue;
    return scene::wrap_angle(now.heading - history[i].heading) / span;
  }
  return 0;
}

void drive(const scene::Agent& agent, const EgoFrame& frame, Forecast& out) {
  const scene::MotionState& now = agent.history.back();
  const scene::Point at = frame.local(now.x, now.y), velocity = frame.turned(now.vx, now.vy);
  const double heading = now.heading - frame.heading;
  Box box{at.x, at.y, std::cos(heading), std::sin(heading), agent.length / 2, agent.width / 2};
  out.speed = planar_length(velocity.x, velocity.y);
  out.radius = planar_length(box.half_length, box.half_width);
  double step_x = 0, step_y = 0, turn = 0;
  if (out.speed >= kMoving) {
    step_x = velocity.x * sim::kDt, step_y = velocity.y * sim::kDt;
    const double limit = std::min(kMaxTurn, kMaxSideways / out.speed), rate = yaw_rate(agent.history);
    if (std::abs(rate) >= kTurning) turn = std::clamp(rate, -limit, limit) * sim::kDt;
  }
  const double c = std::cos(turn), s = std::sin(turn), half_c = std::cos(turn / 2), half_s = std::sin(turn / 2);
  // The chord of an arc points half of its turn further than the tangent at its start.
  const double chord_x = half_c * step_x - half_s * step_y, chord_y = half_s * step_x + half_c * step_y;
  step_x = chord_x, step_y = chord_y;
  for (Box& state : out.at) {
    state = box;
    box.x += step_x, box.y += step_y;
    const double x = c * step_x - s * step_y, cos = c * box.cos - s * box.sin;
    step_y = s * step_x + c * step_y, step_x = x;
    box.sin = s * box.cos + c * box.sin, box.cos = cos;
  }
}

}  // namespace

void Forecasts::build(const scene::Observation& observation, const EgoFrame& frame, const Box& ego, double reach) {
  count_ = 0;
  for (int i = 0; i < observation.agent_count; ++i) {
    const scene::Agent& agent = observation.agents[static_cast<std::size_t>(i)];
    const scene::MotionState& now = agent.history.back();
    if (planar_length(now.x - frame.x, now.y - frame.y) > reach) continue;
    if (items_.size() == count_) items_.emplace_back();
    Forecast& forecast = items_[count_];
    drive(agent, frame, forecast);
    if (gap(ego, forecast.at[0]) > 0) ++count_;
  }
}

}  // namespace wam::search
