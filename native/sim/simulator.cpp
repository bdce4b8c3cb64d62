#include "sim/simulator.h"

#include <algorithm>
#include <array>

namespace wam::sim {
namespace {

constexpr int kSteps = kStates - 1;  // displacements of the reference, steps of the simulation
constexpr int kHorizon = 10;         // steps that the tracker looks ahead

constexpr std::int64_t kStepUs = 100'000;

using Row = std::array<double, kSteps>;

/// G with v = G s, where s_i is displacement i along the reference heading. The normal matrix of the fit does not depend
/// on the headings, because the cosine and sine of a row have length 1: one matrix serves all references.
class VelocityFit {
 public:
  VelocityFit() {
    // Unknowns x = (v0, a_0 .. a_38); row i of the model: dt v0 + dt^2 (a_0 + .. + a_{i-1}).
    constexpr int n = kSteps;
    static long double model[n][n], normal[n][n], factor[n][n];
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < n; ++k) model[i][k] = k == 0 ? 0.1L : (k <= i ? 0.01L : 0.0L);
    }
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < n; ++k) {
        normal[i][k] = 0;
        for (int r = 0; r < n; ++r) normal[i][k] += model[r][i] * model[r][k];
      }
    }
    // The devkit's penalty matrix lost its upper band: it penalises accelerations 0 .. 36 and the last difference alone.
    constexpr long double kPenalty = 1e-4L;
    for (int k = 0; k <= 36; ++k) normal[k + 1][k + 1] += kPenalty;
    normal[38][38] += kPenalty;
    normal[39][39] += kPenalty;
    normal[38][39] -= kPenalty;
    normal[39][38] -= kPenalty;
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k <= i; ++k) {
        long double sum = normal[i][k];
        for (int m = 0; m < k; ++m) sum -= factor[i][m] * factor[k][m];
        factor[i][k] = i == k ? std::sqrt(sum) : sum / factor[k][k];
      }
    }
    for (int column = 0; column < n; ++column) {
      long double x[n];
      for (int i = 0; i < n; ++i) {
        x[i] = model[column][i];
        for (int k = 0; k < i; ++k) x[i] -= factor[i][k] * x[k];
        x[i] /= factor[i][i];
      }
      for (int i = n - 1; i >= 0; --i) {
        for (int k = i + 1; k < n; ++k) x[i] -= factor[k][i] * x[k];
        x[i] /= factor[i][i];
      }
      long double velocity = x[0];
      for (int i = 0; i < n; ++i) {
        by_displacement_[static_cast<std::size_t>(column)][static_cast<std::size_t>(i)] = static_cast<double>(velocity);
        if (i + 1 < n) velocity += 0.1L * x[i + 1];
      }
    }
  }

  void apply(const Row& along, double* velocity) const {
    std::fill(velocity, velocity + kSteps, 0.0);
    for (std::size_t column = 0; column < kSteps; ++column) {
      const Row& gain = by_displacement_[column];
      for (std::size_t i = 0; i < kSteps; ++i) velocity[i] += gain[i] * along[column];
    }
  }

 private:
  std::array<Row, kSteps> by_displacement_;
};

/// Curvatures k_i with sum (dt v_i k_i - turn_i)^2 + 1e-10 k_0^2 + 1e-2 sum ((k_{i+1} - k_i) / dt)^2 least. In k the
/// normal equations are tridiagonal with -w beside the diagonal, w = 1e-2 / dt^2. The elimination carries each row's
/// excess over its neighbours instead of its diagonal, so nothing cancels when the reference stands still.
void fit_curvature(const Row& turn, const double* velocity, double* curvature) {
  constexpr double kWeight = 1e-2 / (kDt * kDt), kInitial = 1e-10;
  Row pivot, right;
  double excess = kInitial, carried = 0;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double step = kDt * velocity[i];
    excess += step * step;
    right[i] = step * turn[i] + carried;
    const bool last = i + 1 == kSteps;
    pivot[i] = excess + (last ? 0 : kWeight);
    carried = kWeight / pivot[i] * right[i];
    excess *= kWeight / pivot[i];
  }
  curvature[kSteps - 1] = right[kSteps - 1] / pivot[kSteps - 1];
  for (int i = kSteps - 2; i >= 0; --i) {
    curvature[i] =
        (right[static_cast<std::size_t>(i)] + kWeight * curvature[i + 1]) / pivot[static_cast<std::size_t>(i)];
  }
}

/// Linear interpolation of poses at rising microseconds.
class PoseInterpolation {
 public:
  /// Headings must be unwrapped.
  PoseInterpolation(std::span<const Pose> poses, std::span<const std::int64_t> times) : poses_(poses), times_(times) {}

  /// `time` must not fall between calls.
  Pose at(std::int64_t time) {
    time = std::clamp(time, times_.front(), times_.back());
    while (next_ + 1 < times_.size() && times_[next_] < time) ++next_;
    const Pose &a = poses_[next_ - 1], &b = poses_[next_];
    const double since = static_cast<double>(time - times_[next_ - 1]);
    const double span = static_cast<double>(times_[next_] - times_[next_ - 1]);
    const auto line = [&](double u, double v) { return (v - u) / span * since + u; };
    return {line(a.x, b.x), line(a.y, b.y), wrap_modulo(line(a.heading, b.heading))};
  }

 private:
  std::span<const Pose> poses_;
  std::span<const std::int64_t> times_;
  std::size_t next_ = 1;
};

std::int64_t truncated_us(double seconds) { return static_cast<std::int64_t>(seconds * 1e6); }

void sample(std::span<Pose> nodes, std::span<const std::int64_t> times, std::int64_t time_us,
            std::span<Pose, kStates> out) {
  for (std::size_t i = 1; i < nodes.size(); ++i) nodes[i].heading = unwrapped(nodes[i].heading, nodes[i - 1].heading);
  const double now = static_cast<double>(time_us) / 1e6;
  PoseInterpolation interpolation(nodes, times);
  for (std::size_t k = 0; k < kStates; ++k) out[k] = interpolation.at(truncated_us(static_cast<double>(k) * kDt + now));
}

/// Tracker of one step: acceleration and steering rate (section 3.2). No command is clipped.
struct Command {
  double acceleration, steering_rate;
};

Command track(const State& s, const Pose& reference, double reference_cos, double reference_sin,
              const Profiles& profiles, int step) {
  const int ahead = std::min(step + kHorizon, kSteps - 1);
  const double target = profiles.velocity[ahead];
  constexpr double kStopped = 0.2;
  if (target <= kStopped && s.vx <= kStopped) return {-0.5 * (s.vx - target), 0};

  // One LQR step of a second for the speed: Q = 10, R = 1.
  const double acceleration = -(10 * (s.vx - target)) / 11;

  // The lateral model is a chain of shears: e_y += u dt e_h, e_h += u dt delta / L - u dt k. The gain of the steering
  // rate on both (b_y, b_h) and the free motion are carried through the ten steps together.
  const double dx = s.x - reference.x, dy = s.y - reference.y;
  double e_y = -dx * reference_sin + dy * reference_cos;
  double e_h = wrap_atan2(s.heading - reference.heading);
  double b_y = 0, b_h = 0, b_d = 0;
  for (int i = 0; i < kHorizon; ++i) {
    const double u = (s.vx + acceleration * kDt * i) * kDt;
    const double curvature = profiles.curvature[std::min(step + i, ahead)];
    const double turn = u / vehicle::kWheelbase;
    e_y += u * e_h;
    e_h += turn * s.steering_angle - u * curvature;
    b_y += u * b_h;
    b_h += turn * b_d;
    b_d += kDt;
  }
  e_h = wrap_atan2(e_h);
  return {acceleration, -(b_y * e_y + 10 * b_h * e_h) / (b_y * b_y + 10 * b_h * b_h + 1)};
}

}  // namespace

void reference_poses(const State& ego, std::int64_t time_us, const PlanPoses& plan, std::span<Pose, kStates> out) {
  constexpr std::size_t kMost = kMaxPlanPoses + 1;
  Pose nodes[kMost];
  std::int64_t times[kMost];
  const std::size_t count = std::min(plan.poses.size(), kMost - 1);
  const double c = std::cos(ego.heading), s = std::sin(ego.heading), now = static_cast<double>(time_us) / 1e6;
  nodes[0] = {ego.x, ego.y, ego.heading};
  times[0] = time_us;
  for (std::size_t j = 0; j < count; ++j) {
    const Pose& p = plan.poses[j];
    const double pc = std::cos(p.heading), ps = std::sin(p.heading);
    nodes[j + 1] = {ego.x + c * p.x - s * p.y, ego.y + s * p.x + c * p.y, std::atan2(s * pc + c * ps, c * pc - s * ps)};
    times[j + 1] = truncated_us(plan.interval * static_cast<double>(j) + plan.interval + now);
  }
  sample({nodes, count + 1}, {times, count + 1}, time_us, out);
}

void resample_poses(std::int64_t time_us, std::span<const Pose> planned, std::span<Pose, kStates> out) {
  constexpr std::size_t kMost = kMaxPlanPoses + 1;
  Pose nodes[kMost];
  std::int64_t times[kMost];
  const std::size_t count = std::min(planned.size(), kMost);
  for (std::size_t k = 0; k < count; ++k) {
    nodes[k] = planned[k];
    times[k] = time_us + static_cast<std::int64_t>(k) * kStepUs;
  }
  sample({nodes, count}, {times, count}, time_us, out);
}

void estimate_profiles(std::span<const Pose, kStates> reference, Profiles& out) {
  static const VelocityFit kVelocityFit;
  Row along, turn;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const Pose &a = reference[i], &b = reference[i + 1];
    along[i] = (b.x - a.x) * std::cos(a.heading) + (b.y - a.y) * std::sin(a.heading);
    turn[i] = wrap_atan2(b.heading - a.heading);
  }
  kVelocityFit.apply(along, out.velocity);
  fit_curvature(turn, out.velocity, out.curvature);
}

void simulate(const State& ego, std::span<const Pose, kStates> reference, const Profiles& profiles,
              std::span<State, kStates> out) {
  constexpr double kAccelerationGain = kDt / (kDt + 0.2), kSteeringGain = kDt / (kDt + 0.05), kMaxSteering = kPi / 3;
  out[0] = ego;
  for (int t = 0; t < kSteps; ++t) {
    const State& s = out[static_cast<std::size_t>(t)];
    State& next = out[static_cast<std::size_t>(t) + 1];
    const Pose& r = reference[static_cast<std::size_t>(t)];
    const Command command = track(s, r, std::cos(r.heading), std::sin(r.heading), profiles, t);
    const double ax = s.ax + kAccelerationGain * (command.acceleration - s.ax);
    const double ideal = s.steering_angle + kDt * command.steering_rate;
    const double steering = s.steering_angle + kSteeringGain * (ideal - s.steering_angle);
    const double rate = (steering - s.steering_angle) / kDt;
    next.x = s.x + kDt * s.vx * std::cos(s.heading);
    next.y = s.y + kDt * s.vx * std::sin(s.heading);
    next.heading = wrap_modulo(s.heading + kDt * s.vx * std::tan(s.steering_angle) / vehicle::kWheelbase);
    next.vx = s.vx + kDt * ax;
    next.vy = 0;
    next.ax = ax;
    next.ay = 0;
    next.steering_angle = std::clamp(s.steering_angle + kDt * rate, -kMaxSteering, kMaxSteering);
    next.steering_rate = rate;
    next.yaw_rate = next.vx * std::tan(next.steering_angle) / vehicle::kWheelbase;
    next.yaw_acceleration = (next.yaw_rate - s.yaw_rate) / kDt;
  }
}

}  // namespace wam::sim
