#include "search/causal_scorer.h"

#include <algorithm>
#include <cmath>

#include "core/planar.h"
#include "sim/simulator.h"

namespace wam::search {
namespace {

using sim::kDt, sim::kStates, sim::State;

constexpr double kReach = 110;             // metres around the ego that are looked at, and more the faster it is
constexpr double kAccelerationSpan = 0.5;  // seconds over which an acceleration is a difference of velocities
constexpr double kStopped = 0.05;          // m/s, of the PDM score
constexpr double kNear = 2;                // metres; a gap beyond it is none
constexpr int kEvery = 2;                  // states between those at which others and road are looked at
constexpr int kLookAhead[] = {3, 6, 9};    // states, of time to collision
constexpr double kOffCenter = 0.5;         // metres, of the PDM score's lane keeping
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const double kCosBehind = std::cos(150 * sim::kPi / 180), kCosAhead = std::cos(30 * sim::kPi / 180);

/// Velocity and acceleration of the tracked point at `t`, in the frame of its heading then; from the history.
State state_at(const std::vector<scene::MotionState>& history, double t) {
  const auto at = [&](double time) {
    std::size_t hi = history.size() - 1;
    while (hi > 0 && history[hi - 1].t >= time) --hi;
    if (hi == 0) return history.front();
    const scene::MotionState &a = history[hi - 1], &b = history[hi];
    const double f = std::clamp((time - a.t) / (b.t - a.t), 0.0, 1.0);
    scene::MotionState out = b;
    out.t = a.t + f * (b.t - a.t);
    out.heading = a.heading + f * scene::wrap_angle(b.heading - a.heading);
    out.vx = a.vx + f * (b.vx - a.vx), out.vy = a.vy + f * (b.vy - a.vy);
    return out;
  };
  const scene::MotionState now = at(t), before = at(t - kAccelerationSpan);
  const double c = std::cos(now.heading), s = std::sin(now.heading);
  State out;
  out.vx = c * now.vx + s * now.vy, out.vy = c * now.vy - s * now.vx;
  const double span = now.t - before.t;
  if (span > 0.05) {
    const double ax = (now.vx - before.vx) / span, ay = (now.vy - before.vy) / span;
    out.ax = c * ax + s * ay, out.ay = c * ay - s * ax;
  }
  return out;
}

Box moved(const Box& box, double along) {
  Box out = box;
  out.x += along * box.cos, out.y += along * box.sin;
  return out;
}

/// Cosine of the angle between the ego's heading and the way from its rear axle to a box.
double bearing(const State& ego, const Box& heading, const Box& to) {
  const double dx = to.x - ego.x, dy = to.y - ego.y;
  return (dx * heading.cos + dy * heading.sin) / std::max(planar_length(dx, dy), 1e-9);
}

}  // namespace

CausalScorer::CausalScorer(int waypoints, double interval_s)
    : waypoints_(waypoints),
      states_(std::clamp(static_cast<int>(std::lround(waypoints * interval_s / kDt)) + 1, 2, kStates)),
      interval_(interval_s),
      plan_(static_cast<std::size_t>(std::min(waypoints, sim::kMaxPlanPoses))) {}

void CausalScorer::look(const scene::Observation& observation, const EarlierPlan* earlier) {
  frame_.emplace(observation);
  half_length_ = observation.ego.length / 2, half_width_ = observation.ego.width / 2;
  ego_ = state_at(observation.ego.history, 0);
  const Box box{frame_->axle_to_center, 0, 1, 0, half_length_, half_width_};
  const double reach = kReach + 2 * std::abs(ego_.vx);
  others_.build(observation, *frame_, box, reach);
  road_.build(observation, *frame_, 20 + 5 * std::abs(ego_.vx) + 20);
  guide_.build(observation, *frame_, others_.all(), half_length_, ego_.vx, states_ - 1);
  outside_now_ = 0;
  for (const int end : {-1, 1}) {
    for (const int side : {-1, 1}) {
      outside_now_ = std::max(outside_now_, road_.outside(box.x + end * half_length_, side * half_width_));
    }
  }
  compares_ = earlier != nullptr && states_ == kStates && earlier->elapsed_s > kDt / 2 && earlier->elapsed_s < 2;
  if (!compares_) return;
  if (!consistency_ || consistent_s_ != earlier->elapsed_s) {
    consistent_s_ = earlier->elapsed_s;
    consistency_ = std::make_unique<sim::ExtendedComfortCheck>(consistent_s_);
  }
  drive(state_at(observation.ego.history, -earlier->elapsed_s), earlier->trajectory);
  earlier_ = consistency_->of_previous(rollout_);
}

void CausalScorer::drive(const State& from, const float* poses) {
  const double back = frame_->tracked_to_axle;
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    const double heading = poses[3 * i + 2];
    plan_[i] = {poses[3 * i] + back * (std::cos(heading) - 1), poses[3 * i + 1] + back * std::sin(heading), heading};
  }
  sim::reference_poses(from, 0, {plan_, interval_}, reference_);
  sim::Profiles profiles;
  sim::estimate_profiles(reference_, profiles);
  sim::simulate(from, reference_, profiles, rollout_);
}

Findings CausalScorer::judge(const float* poses, const float* median) {
  Findings out;
  out.clearance.fill(kInfinity), out.time_to_collision.fill(kInfinity);
  drive(ego_, poses);
  for (std::size_t k = 0; k < static_cast<std::size_t>(states_); ++k) {
    const State& s = rollout_[k];
    const double c = std::cos(s.heading), sn = std::sin(s.heading), r = frame_->axle_to_center;
    box_[k] = {s.x + r * c, s.y + r * sn, c, sn, half_length_, half_width_};
  }
  if (!road_.empty()) stay_on_road(out);
  meet_others(out);
  if (!guide_.empty()) follow_route(out);
  be_comfortable(out);
  if (median != nullptr) {
    for (int i = 0; i < waypoints_; ++i) {
      out.deviation += planar_length(static_cast<double>(poses[3 * i]) - median[3 * i],
                                     static_cast<double>(poses[3 * i + 1]) - median[3 * i + 1]);
    }
    out.deviation /= waypoints_;
  }
  return out;
}

void CausalScorer::stay_on_road(Findings& out) {
  double against = 0, off_center = 0;
  bad_area_ = 0;
  for (int k = 0; k < states_; k += kEvery) {
    const Box& b = box_[static_cast<std::size_t>(k)];
    double outside = 0;
    for (const int end : {-1, 1}) {
      for (const int side : {-1, 1}) {
        const double along = end * half_length_, across = side * half_width_;
        const double x = b.x + along * b.cos - across * b.sin, y = b.y + along * b.sin + across * b.cos;
        outside = std::max(outside, road_.outside(x, y));
      }
    }
    out.off_road = std::max(out.off_road, outside - outside_now_);
    const LocalRoad::Offset lane = road_.lane_offset(b.x, b.y, b.cos, b.sin);
    if (lane.distance + half_width_ > lane.half_width) bad_area_ |= std::uint64_t{1} << k;
    off_center = lane.distance > kOffCenter ? off_center + kEvery * kDt : 0;
    out.off_center = std::max(out.off_center, off_center);
    if (k > 0 && road_.against_traffic(b.x, b.y, b.cos, b.sin)) {
      against += std::abs(rollout_[static_cast<std::size_t>(k)].vx) * kEvery * kDt;
    }
  }
  out.against = against;
}

void CausalScorer::meet_others(Findings& out) const {
  for (const Forecast& other : others_.all()) {
    const double far = other.radius + planar_length(half_length_, half_width_) + kNear;
    for (int k = 0; k < states_; k += kEvery) {
      const auto i = static_cast<std::size_t>(k);
      const State& s = rollout_[i];
      const double speed = std::abs(s.vx);
      if (speed <= kStopped) continue;
      const Box &ego = box_[i], &box = other.at[k];
      const double reach = far + 0.9 * (speed + other.speed), dx = box.x - ego.x, dy = box.y - ego.y;
      if (dx * dx + dy * dy > reach * reach) continue;
      const bool bad_area = (bad_area_ >> k & 1) != 0;
      const auto span = static_cast<std::size_t>(std::min(k * kSpans / (states_ - 1), kSpans - 1));

      const double apart = gap(ego, box), cosine = bearing(s, ego, box);
      if (apart < kNear) {
        // Whose fault: a standing vehicle is never hit by itself, one behind comes on its own, the front is the ego's.
        Box front = moved(ego, half_length_);
        front.half_length = 0;
        const bool stands = other.speed <= kStopped;
        double at_fault = kInfinity;
        if (stands || (bad_area && cosine > kCosBehind)) {
          at_fault = apart;
        } else if (cosine > kCosBehind) {
          at_fault = gap(front, box);
        }
        out.clearance[span] = std::min(out.clearance[span], at_fault);
        // A collision that is not the ego's fault: the forecast is worth nothing after it.
        if (apart <= 0 && at_fault > 0) break;
      }
      for (const int ahead : kLookAhead) {
        const Box then = moved(ego, speed * ahead * kDt);
        const Box& meets = other.at[k + ahead];
        if (gap(then, meets) > 0) continue;
        const double angle = bearing(s, ego, meets);
        if (angle > kCosAhead || (bad_area && angle > kCosBehind)) {
          out.time_to_collision[span] = std::min(out.time_to_collision[span], ahead * kDt);
        }
        break;
      }
    }
  }
}

void CausalScorer::follow_route(Findings& out) const {
  const Box &first = box_[0], &last = box_[static_cast<std::size_t>(states_ - 1)];
  const double end = guide_.progress(last.x, last.y);
  out.progress = end - guide_.progress(first.x, first.y);
  out.reference = guide_.reference_progress();
  out.past_red = std::max(0.0, end - guide_.red_light());
}

void CausalScorer::be_comfortable(Findings& out) {
  sim::rollout_comfort(sim::Version::v1).check(rollout_, workspace_);
  for (int signal = 0; signal < sim::kComfortSignals; ++signal) {
    for (int k = 0; k < kStates; ++k) {
      const double value = workspace_.signals[static_cast<std::size_t>(signal * kStates + k)];
      const double bound = value > 0 ? sim::kComfortUpper[signal] : sim::kComfortLower[signal];
      out.discomfort = std::max(out.discomfort, value / bound);
    }
  }
  if (!compares_) return;
  const sim::ExtendedComfort c = consistency_->compare(consistency_->of_now(rollout_), earlier_);
  const double rms[] = {c.acceleration, c.jerk, c.yaw_rate, c.yaw_acceleration};
  for (int i = 0; i < 4; ++i) out.inconsistency = std::max(out.inconsistency, rms[i] / sim::kExtendedComfortBounds[i]);
}

namespace {

// Weights of the mean and how findings fade in, chosen on windows of the training splits (docs/search.md).
constexpr double kProgress = 8, kAhead = 5, kComfort = 2, kLane = 1, kConsistency = 2, kOpinion = 2;
constexpr double kFade = 0.6;   // what a finding of the forecast counts, from one quarter of the plan to the next
constexpr double kTight = 0.4;  // metres of clearance from which on there is nothing to say
constexpr double kOnRoad = 0.5, kOffRoad = 0.7;  // metres: lanes are known by their mean width alone
constexpr double kPastRed = 0.5;                 // metres
constexpr double kShare = 0.7;                   // of a careful driver's progress that is as good as all of it
constexpr double kLeastProgress = 5;             // metres; a shorter way is no measure of progress
constexpr double kAlongside = 1.9;               // seconds off the centrelines
constexpr double kNearBound = 0.9;               // share of a bound of comfort
constexpr double kLookedAhead = 1.2;             // seconds; how much of it is left softens a time to collision
constexpr double kSoftening = 0.3;
constexpr double kOpinionScale = 0.3;  // metres from the median at which the model's opinion falls to 1/e

double fades(double value, double from, double to) { return std::clamp((to - value) / (to - from), 0.0, 1.0); }

}  // namespace

double score(const Findings& f) {
  double multiplier = fades(f.off_road, kOnRoad, kOffRoad) * (f.past_red > kPastRed ? 0 : 1);
  if (f.against > 2) multiplier *= f.against > 6 ? 0 : 0.5;  // the PDM score's steps
  double ahead = 1, counts = 1;
  for (std::size_t k = 0; k < kSpans; ++k, counts *= kFade) {
    multiplier *= 1 - counts * fades(f.clearance[k], 0, kTight);
    const double time = f.time_to_collision[k];
    if (time < kLookedAhead) ahead = std::min(ahead, 1 - counts * (1 - kSoftening * time / kLookedAhead));
  }
  const double most = std::max(f.progress, kShare * f.reference);
  const double progress = most > kLeastProgress ? std::clamp(f.progress / most, 0.0, 1.0) : 1;
  const double mean = kProgress * progress + kAhead * ahead + kComfort * fades(f.discomfort, kNearBound, 1) +
                      kLane * (f.off_center > kAlongside ? 0 : 1) +
                      kConsistency * fades(f.inconsistency, kNearBound, 1);
  const double opinion = kOpinion * std::exp(-f.deviation / kOpinionScale);
  return (multiplier * mean + opinion) / (kProgress + kAhead + kComfort + kLane + kConsistency + kOpinion);
}

}  // namespace wam::search
