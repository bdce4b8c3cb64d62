// Least squares, filters, vehicle and replay of the simulator against direct computations of the same rules.

#include "sim/comfort.h"
#include "sim/occupancy.h"
#include "sim/simulator.h"
#include "test/sim_exact.h"
#include "test/test.h"

namespace wam::test {
namespace {

using exact::Random;
using sim::Pose;
using sim::State;
using Real = long double;
using Matrix = std::vector<std::vector<Real>>;

constexpr int kSteps = sim::kStates - 1;

/// Least squares by Householder reflections: x with |rows x - right| least. Rows of full column rank.
std::vector<Real> least_squares(Matrix rows, std::vector<Real> right) {
  const std::size_t m = rows.size(), n = rows[0].size();
  for (std::size_t c = 0; c < n; ++c) {
    Real norm = 0;
    for (std::size_t r = c; r < m; ++r) norm += rows[r][c] * rows[r][c];
    norm = rows[c][c] > 0 ? -std::sqrt(norm) : std::sqrt(norm);
    std::vector<Real> v(m);
    for (std::size_t r = c; r < m; ++r) v[r] = rows[r][c];
    v[c] -= norm;
    Real square = 0;
    for (std::size_t r = c; r < m; ++r) square += v[r] * v[r];
    if (square == 0) continue;
    const auto reflect = [&](auto&& at) {
      Real dot = 0;
      for (std::size_t r = c; r < m; ++r) dot += v[r] * at(r);
      for (std::size_t r = c; r < m; ++r) at(r) -= 2 * dot / square * v[r];
    };
    for (std::size_t k = c; k < n; ++k) reflect([&](std::size_t r) -> Real& { return rows[r][k]; });
    reflect([&](std::size_t r) -> Real& { return right[r]; });
  }
  std::vector<Real> x(n);
  for (std::size_t i = n; i-- > 0;) {
    Real sum = right[i];
    for (std::size_t k = i + 1; k < n; ++k) sum -= rows[i][k] * x[k];
    x[i] = sum / rows[i][i];
  }
  return x;
}

/// Unknowns x_0 and its 39 slopes: values at 40 steps.
std::vector<Real> values_of(const std::vector<Real>& x) {
  std::vector<Real> out{x[0]};
  for (std::size_t i = 1; i < x.size(); ++i) out.push_back(out.back() + 0.1L * x[i]);
  return out;
}

/// Speeds from all 80 components of the displacements, with the penalty matrix that the devkit ends up with.
std::vector<Real> dense_velocity(const std::vector<Pose>& reference) {
  Matrix rows;
  std::vector<Real> right;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const Pose &a = reference[i], &b = reference[i + 1];
    for (const bool sine : {false, true}) {
      const Real along = sine ? std::sin(static_cast<Real>(a.heading)) : std::cos(static_cast<Real>(a.heading));
      std::vector<Real> row(kSteps);
      row[0] = 0.1L * along;
      for (std::size_t k = 1; k <= i; ++k) row[k] = 0.01L * along;
      rows.push_back(row);
      right.push_back(sine ? static_cast<Real>(b.y) - a.y : static_cast<Real>(b.x) - a.x);
    }
  }
  for (std::size_t k = 0; k <= 37; ++k) {
    std::vector<Real> row(kSteps);
    row[k + 1] = -0.01L;  // square root of the weight 1e-4
    if (k == 37) row[38] = -0.01L, row[39] = 0.01L;
    rows.push_back(row);
    right.push_back(0);
  }
  return values_of(least_squares(rows, right));
}

std::vector<Real> dense_curvature(const std::vector<Pose>& reference, const double* velocity) {
  Matrix rows;
  std::vector<Real> right;
  for (std::size_t i = 0; i < kSteps; ++i) {
    std::vector<Real> row(kSteps);
    row[0] = 0.1L * velocity[i];
    for (std::size_t k = 1; k <= i; ++k) row[k] = 0.01L * velocity[i];
    rows.push_back(row);
    const Real turn = static_cast<Real>(reference[i + 1].heading) - reference[i].heading;
    right.push_back(std::atan2(std::sin(turn), std::cos(turn)));
  }
  for (std::size_t k = 0; k < kSteps; ++k) {
    std::vector<Real> row(kSteps);
    row[k] = k == 0 ? 1e-5L : 0.1L;
    rows.push_back(row);
    right.push_back(0);
  }
  return values_of(least_squares(rows, right));
}

enum class Drive { smooth, standing, creeping, reversing, wild, kinds };

std::vector<Pose> some_reference(Random& random, Drive kind) {
  std::vector<Pose> poses;
  Pose p{random.real(-100, 100), random.real(-100, 100), random.real(-3, 3)};
  double speed = kind == Drive::reversing ? -4 : kind == Drive::smooth ? random.real(1, 15) : 0, rate = 0;
  for (int i = 0; i < sim::kStates; ++i) {
    poses.push_back(p);
    if (kind == Drive::standing) {
      if (i > 20) p.heading += random.real(-0.01, 0.01);
      continue;
    }
    if (kind == Drive::creeping) speed = i < 15 ? 0 : 1e-6 * i;
    if (kind == Drive::wild) speed = random.real(-20, 20), rate = random.real(-2, 2);
    if (kind == Drive::smooth) speed += random.real(-0.2, 0.2), rate += random.real(-0.02, 0.02);
    p.x += 0.1 * speed * std::cos(p.heading);
    p.y += 0.1 * speed * std::sin(p.heading);
    p.heading = sim::wrap_modulo(p.heading + 0.1 * rate);
  }
  return poses;
}

/// One step of the tracker and the vehicle with the matrices written out.
State step_by_matrices(const State& s, const std::vector<Pose>& reference, const sim::Profiles& profiles, int t) {
  const int ahead = std::min(t + 10, kSteps - 1);
  const double target = profiles.velocity[ahead];
  double acceleration = -0.5 * (s.vx - target), steering_rate = 0;
  if (target > 0.2 || s.vx > 0.2) {
    acceleration = -10 * (s.vx - target) / 11;
    Real a[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, b[3] = {}, g[3] = {};
    for (int i = 0; i < 10; ++i) {
      const Real u = static_cast<Real>(s.vx) + static_cast<Real>(acceleration) * 0.1L * i;
      const Real k = profiles.curvature[std::min(t + i, ahead)];
      const Real m[3][3] = {{1, u * 0.1L, 0}, {0, 1, u * 0.1L / 3.089L}, {0, 0, 1}};
      const auto times = [&m](const Real* v, Real* out) {
        for (int r = 0; r < 3; ++r) out[r] = m[r][0] * v[0] + m[r][1] * v[1] + m[r][2] * v[2];
      };
      for (int column = 0; column < 3; ++column) {
        const Real old[3] = {a[0][column], a[1][column], a[2][column]};
        Real fresh[3];
        times(old, fresh);
        for (int r = 0; r < 3; ++r) a[r][column] = fresh[r];
      }
      Real fresh[3];
      times(b, fresh);
      for (int r = 0; r < 3; ++r) b[r] = fresh[r] + (r == 2 ? 0.1L : 0);
      times(g, fresh);
      for (int r = 0; r < 3; ++r) g[r] = fresh[r] - (r == 1 ? u * k * 0.1L : 0);
    }
    const Pose& r = reference[static_cast<std::size_t>(t)];
    const Real turn = static_cast<Real>(s.heading) - r.heading;
    const Real now[3] = {-(static_cast<Real>(s.x) - r.x) * std::sin(static_cast<Real>(r.heading)) +
                             (static_cast<Real>(s.y) - r.y) * std::cos(static_cast<Real>(r.heading)),
                         std::atan2(std::sin(turn), std::cos(turn)), s.steering_angle};
    Real e[3];
    for (int row = 0; row < 3; ++row) e[row] = a[row][0] * now[0] + a[row][1] * now[1] + a[row][2] * now[2] + g[row];
    e[1] = std::atan2(std::sin(e[1]), std::cos(e[1]));
    steering_rate = static_cast<double>(-(b[0] * e[0] + 10 * b[1] * e[1]) / (b[0] * b[0] + 10 * b[1] * b[1] + 1));
  }
  State next;
  next.ax = s.ax + (acceleration - s.ax) / 3;
  const double steering = s.steering_angle + (0.1 * steering_rate) * 2 / 3;
  next.steering_rate = (steering - s.steering_angle) / 0.1;
  next.x = s.x + 0.1 * s.vx * std::cos(s.heading);
  next.y = s.y + 0.1 * s.vx * std::sin(s.heading);
  next.heading = std::remainder(s.heading + 0.1 * s.vx * std::tan(s.steering_angle) / 3.089, 2 * sim::kPi);
  next.vx = s.vx + 0.1 * next.ax;
  next.steering_angle = std::clamp(steering, -sim::kPi / 3, sim::kPi / 3);
  next.yaw_rate = next.vx * std::tan(next.steering_angle) / 3.089;
  next.yaw_acceleration = (next.yaw_rate - s.yaw_rate) / 0.1;
  return next;
}

/// The `derivative`-th derivative at `at` (samples) of the polynomial fitted to in[first, first + window).
double fitted(const std::vector<double>& in, int first, int window, int degree, int derivative, Real at) {
  Matrix rows;
  std::vector<Real> right;
  const Real center = first + (window - 1) / 2.0L;
  for (int i = first; i < first + window; ++i) {
    std::vector<Real> row;
    Real power = 1;
    for (int k = 0; k <= degree; ++k, power *= i - center) row.push_back(power);
    rows.push_back(row);
    right.push_back(in[static_cast<std::size_t>(i)]);
  }
  const std::vector<Real> c = least_squares(rows, right);
  Real sum = 0;
  for (int k = derivative; k <= degree; ++k) {
    Real factor = 1;
    for (int i = 0; i < derivative; ++i) factor *= 10.0L * (k - i);
    sum += c[static_cast<std::size_t>(k)] * factor * std::pow(at - center, static_cast<Real>(k - derivative));
  }
  return static_cast<double>(sum);
}

sim::SceneObject object_with(std::vector<sim::Sample> samples, sim::ObjectType type = sim::ObjectType::vehicle) {
  return {type, 4, 2, std::move(samples)};
}

}  // namespace

TEST(sim_speed_and_curvature_are_the_dense_least_squares) {
  Random random(21);
  for (int i = 0; i < 50; ++i) {
    const auto kind = static_cast<Drive>(i % static_cast<int>(Drive::kinds));
    const Context at("drive " + std::to_string(static_cast<int>(kind)));
    const std::vector<Pose> reference = some_reference(random, kind);
    sim::Profiles profiles;
    sim::estimate_profiles(std::span<const Pose, sim::kStates>(reference), profiles);
    CHECK_ALL_NEAR(profiles.velocity, dense_velocity(reference).data(), kSteps, 1e-10);
    // Standing, the curvature is not determined but for a weight of 1e-10.
    CHECK_ALL_NEAR(profiles.curvature, dense_curvature(reference, profiles.velocity).data(), kSteps, 1e-8);
  }
}

TEST(sim_vehicle_drives_as_the_matrices_say) {
  Random random(22);
  for (int i = 0; i < 200; ++i) {
    const auto kind = static_cast<Drive>(i % static_cast<int>(Drive::kinds));
    const Context at("drive " + std::to_string(static_cast<int>(kind)));
    const std::vector<Pose> reference = some_reference(random, kind);
    sim::Profiles profiles;
    sim::estimate_profiles(std::span<const Pose, sim::kStates>(reference), profiles);
    State ego{reference[0].x, reference[0].y, reference[0].heading};
    ego.vx = profiles.velocity[0] + random.real(-1, 1);
    ego.ax = random.real(-1, 1);
    ego.steering_angle = random.real(-0.3, 0.3);
    std::vector<State> rollout(sim::kStates);
    sim::simulate(ego, std::span<const Pose, sim::kStates>(reference), profiles,
                  std::span<State, sim::kStates>(rollout));
    for (int t = 0; t < kSteps; ++t) {
      // From the state that the simulator reached: errors of the two do not add up.
      const State expected = step_by_matrices(rollout[static_cast<std::size_t>(t)], reference, profiles, t);
      const State& next = rollout[static_cast<std::size_t>(t) + 1];
      CHECK_NEAR(std::remainder(next.heading - expected.heading, 2 * sim::kPi), 0, 1e-9);
      for (const auto field : {&State::x, &State::y, &State::vx, &State::vy, &State::ax, &State::ay,
                               &State::steering_angle, &State::steering_rate}) {
        CHECK_NEAR(next.*field, expected.*field, 1e-9 * (1 + std::abs(expected.*field)));
      }
      // Steering close to its limit makes the tangent large.
      CHECK_NEAR(next.yaw_rate, expected.yaw_rate, 1e-8 * (1 + std::abs(expected.yaw_rate)));
      CHECK_NEAR(next.yaw_acceleration, expected.yaw_acceleration, 1e-7 * (1 + std::abs(expected.yaw_acceleration)));
    }
  }
}

TEST(sim_a_plan_ahead_of_a_steady_car_is_driven_as_planned) {
  // Straight on at constant speed from exactly that speed: nothing to correct.
  State ego{6e5, 4e6, 0.5, 10};
  std::vector<Pose> plan;
  for (int k = 1; k <= 8; ++k) plan.push_back({5.0 * k, 0, 0});
  Pose reference[sim::kStates];
  State rollout[sim::kStates];
  sim::Profiles profiles;
  sim::reference_poses(ego, 0, {plan, 0.5}, reference);
  sim::estimate_profiles(reference, profiles);
  sim::simulate(ego, reference, profiles, rollout);
  for (int t = 0; t < sim::kStates; ++t) {
    // The penalty on accelerations and the truncation to microseconds move the speed by less than this.
    CHECK_NEAR(rollout[t].vx, 10, 1e-3);
    CHECK_NEAR(rollout[t].x, 6e5 + t * std::cos(0.5), 2e-3);
    CHECK_NEAR(rollout[t].y, 4e6 + t * std::sin(0.5), 2e-3);
    CHECK_NEAR(rollout[t].heading, 0.5, 1e-9);
  }
}

TEST(sim_filters_are_fits_of_polynomials) {
  Random random(23);
  struct Filter {
    int window, degree, derivative;
  };
  for (const Filter f :
       {Filter{8, 2, 0}, {15, 2, 1}, {5, 3, 2}, {5, 2, 1}, {5, 2, 2}, {41, 2, 0}, {41, 2, 1}, {55, 2, 1}}) {
    for (const int n : {4, 7, 8, 9, 15, 20, 40, 41, 55}) {
      const int window = std::min(n, f.window), half = window / 2;
      if (window <= f.degree) continue;
      const Context at("window " + std::to_string(f.window) + " of " + std::to_string(n) + ", derivative " +
                       std::to_string(f.derivative));
      std::vector<double> in, out(static_cast<std::size_t>(n));
      for (int i = 0; i < n; ++i) in.push_back(random.real(-3, 3));
      sim::SavitzkyGolay(n, f.window, f.degree, f.derivative).apply(in.data(), out.data());
      for (int i = 0; i < n; ++i) {
        int first = i - half;
        Real where = i;
        if (i < half) {
          first = 0;
        } else if (i >= n - half) {
          first = n - window;
        } else if (window % 2 == 0) {
          first = i - half + 1;
          where = i + 0.5L;
        }
        CHECK_NEAR(out[static_cast<std::size_t>(i)], fitted(in, first, window, f.degree, f.derivative, where), 0.6e-8);
      }
    }
  }
}

TEST(sim_comfort_of_steady_and_of_harsh_drives) {
  for (const sim::Version version : {sim::Version::v1, sim::Version::v2}) {
    const sim::ComfortCheck check(version, sim::kStates);
    sim::ComfortCheck::Workspace workspace;
    const auto first = [&](auto&& change) {
      std::vector<State> states(sim::kStates);
      for (int i = 0; i < sim::kStates; ++i) change(states[static_cast<std::size_t>(i)], i * 0.1);
      return check.check(states, workspace).signal;
    };
    CHECK_EQ(first([](State& s, double) { s.ax = 2.39, s.vx = 5; }), -1);
    CHECK_EQ(first([](State& s, double) { s.ax = 2.40; }), 0);
    CHECK_EQ(first([](State& s, double) { s.ax = -4.04; }), -1);
    CHECK_EQ(first([](State& s, double) { s.ax = -4.05; }), 0);
    CHECK_EQ(first([](State& s, double) { s.ay = -4.89; }), 1);
    CHECK_EQ(first([](State& s, double t) { s.ax = 1.5 * t - 4, s.ay = 0; }), -1);
    CHECK_EQ(first([](State& s, double t) { s.ay = 2.4 * t - 4.8; }), -1);
    // Turning evenly, across the cut at pi.
    CHECK_EQ(first([](State& s, double t) { s.heading = sim::wrap_modulo(3 + 0.94 * t); }), -1);
    CHECK_EQ(first([](State& s, double t) { s.heading = sim::wrap_modulo(3 + 0.951 * t); }), 5);
    CHECK_EQ(first([](State& s, double t) { s.heading = 0.5 * 1.94 * (t - 0.4) * (t - 0.4); }), 4);
  }
}

TEST(sim_replay_interpolates_between_the_first_and_the_last_sight) {
  // Seen at 0.5, 1 and 2.5 s: absent before and after, bridged in between.
  const auto track = sim::replay_object(
      object_with({{500'000, 0, 10, 3.0, 4, 0}, {1'000'000, 2, 11, -3.0, 2, 2}, {2'500'000, 5, 11, -3.0, 2, 2}}), 41);
  CHECK_EQ(track.first, 5);
  CHECK_EQ(track.last, 25);
  CHECK_EQ(track.states.size(), std::size_t{21});
  const auto& s = track.states;
  CHECK_NEAR(s[0].x, 0, 0);
  CHECK_NEAR(s[2].x, 0.8, 1e-12);
  CHECK_NEAR(s[2].y, 10.4, 1e-12);
  CHECK_NEAR(s[2].vx, 3.2, 1e-12);
  CHECK_NEAR(s[5].x, 2, 1e-12);
  CHECK_NEAR(s[11].x, 3.2, 1e-12);
  CHECK_NEAR(s[20].x, 5, 1e-12);
  // From 3 to -3 rad the short way, through pi.
  const double turn = 2 * sim::kPi - 6;
  for (int k = 0; k <= 5; ++k) {
    CHECK_NEAR(std::remainder(s[static_cast<std::size_t>(k)].heading - (3 + turn * k / 5), 2 * sim::kPi), 0, 1e-12);
    CHECK(std::abs(s[static_cast<std::size_t>(k)].heading) <= sim::kPi);
  }
}

TEST(sim_replay_of_objects_that_are_seen_once_or_too_late) {
  const auto once = sim::replay_object(object_with({{3'000'000, 7, 8, 0.5, 3, 4}}), 41);
  CHECK_EQ(once.first, 0);
  CHECK_EQ(once.last, 40);
  for (const sim::Sample& s : once.states) CHECK(s.x == 7 && s.y == 8 && s.vx == 3);
  const auto late = sim::replay_object(object_with({{4'500'000, 7, 8, 0, 0, 0}, {5'000'000, 7, 8, 0, 0, 0}}), 41);
  CHECK(late.last < late.first);
  // Only its first sight lies within version 2's horizon: seen once.
  const auto edge = sim::replay_object(object_with({{4'000'000, 7, 8, 0, 0, 0}, {4'500'000, 9, 8, 0, 0, 0}}), 41);
  CHECK_EQ(edge.first, 0);
  CHECK_EQ(edge.last, 40);
  const auto cone = sim::replay_object(
      object_with({{0, 0, 0, 0, 3, 4}, {500'000, 1, 0, 0, 3, 4}}, sim::ObjectType::traffic_cone), 41);
  for (const sim::Sample& s : cone.states) CHECK(s.vx == 0 && s.vy == 0);
  CHECK_EQ(cone.last, 5);
}

}  // namespace wam::test
