// Plans that begin with the one before: the shift, what the chain is fed, and that it does not depend on company.

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "model/refine.h"
#include "model/trajectory_tokens.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

struct Pose3 {
  double x, y, heading;
};

/// On a circle with a steady speed: the closed form.
Pose3 on_circle(double speed, double turn, double t) {
  const double angle = turn * t, radius = speed / turn;
  return {radius * std::sin(angle), radius * (1 - std::cos(angle)), angle};
}

WarmStart circle_plan(double speed, double turn, double elapsed) {
  WarmStart warm;
  for (int i = 1; i <= 8; ++i) {
    const Pose3 p = on_circle(speed, turn, 0.5 * i);
    warm.trajectory.insert(warm.trajectory.end(), {float(p.x), float(p.y), float(scene::wrap_angle(p.heading))});
  }
  const Pose3 now = on_circle(speed, turn, elapsed);
  warm.elapsed_s = elapsed;
  warm.motion[0] = now.x, warm.motion[1] = now.y, warm.motion[2] = now.heading;
  return warm;
}

}  // namespace

TEST(the_plan_of_an_ego_on_a_circle_is_the_same_plan_when_shifted) {
  for (const double turn : {0.3, -0.3, 1.1}) {
    for (const double elapsed : {0.0, 0.1, 0.25, 0.5, 0.8, 1.3}) {
      const WarmStart warm = circle_plan(8, turn, elapsed);
      float out[24];
      shift_plan(warm, 8, 0.5, out);
      for (int i = 0; i < 8; ++i) {
        const Pose3 want = on_circle(8, turn, 0.5 * (i + 1));
        // Where a neighbour is missing, at an end of the plan, three points 0.5 s apart carry a parabola: off by at most a
        // sixth of the third derivative times max |s (s - h) (s + h)| = 2 h^3 / (3 sqrt 3). Elsewhere the error is less.
        const double tolerance = 8 * turn * turn * 0.125 / (9 * std::sqrt(3.0)) + 1e-5;
        CHECK_NEAR(out[3 * i], want.x, tolerance);
        CHECK_NEAR(out[3 * i + 1], want.y, tolerance);
        CHECK_NEAR(scene::wrap_angle(out[3 * i + 2] - want.heading), 0, 1e-4);
      }
    }
  }
}

TEST(a_shift_by_whole_intervals_moves_waypoints_and_nothing_is_interpolated) {
  const WarmStart warm = circle_plan(6, 0.4, 0.5);
  float out[24];
  shift_plan(warm, 8, 0.5, out);
  const double c = std::cos(warm.motion[2]), s = std::sin(warm.motion[2]);
  for (int i = 0; i < 7; ++i) {
    const float* p = &warm.trajectory[static_cast<std::size_t>(3 * (i + 1))];
    CHECK_NEAR(out[3 * i], c * (p[0] - warm.motion[0]) + s * (p[1] - warm.motion[1]), 1e-5);
    CHECK_NEAR(out[3 * i + 1], c * (p[1] - warm.motion[1]) - s * (p[0] - warm.motion[0]), 1e-5);
  }
}

TEST(a_steady_acceleration_is_interpolated_exactly) {
  WarmStart warm;
  const auto x = [](double t) { return 3 * t + 0.8 * t * t; };
  for (int i = 1; i <= 8; ++i) warm.trajectory.insert(warm.trajectory.end(), {float(x(0.5 * i)), 0.f, 0.f});
  warm.elapsed_s = 0.3, warm.motion[0] = x(0.3);
  float out[24];
  shift_plan(warm, 8, 0.5, out);
  for (int i = 0; i < 7; ++i) CHECK_NEAR(out[3 * i], x(0.3 + 0.5 * (i + 1)) - x(0.3), 1e-5);
  // Beyond the plan the speed of the last interval goes on.
  CHECK_NEAR(out[21], x(4) + (x(4) - x(3.5)) / 0.5 * 0.3 - x(0.3), 1e-5);
}

TEST(tokens_of_poses_are_the_inverse_of_poses_of_tokens) {
  ModelConfig config = small_planner(MaskKind::prefix);
  const TrajectoryTokens tokens(config);
  for (const double offset : {0.0, 1.4}) {
    std::int32_t token[24], back[24];
    for (int i = 0; i < 24; ++i) token[i] = (17 * i + 5) % config.vocab;
    float pose[24];
    tokens.decode(token, 7, offset, pose);
    tokens.encode_poses(pose, 7, offset, back);
    // Headings beyond a half turn and far values are as finely spaced as any: every token comes back.
    for (int i = 0; i < 24; ++i) CHECK_EQ(back[i], token[i]);
  }
}

TEST(the_chain_begins_at_the_plan_before_when_t0_is_near_one_and_at_noise_when_it_is_near_zero) {
  const ModelConfig config = small_planner(MaskKind::prefix);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  const TrajectoryTokens tokens(config);
  const std::vector<real> coordinate = tokens.coordinates();
  TokenMetric metric;
  metric.vocab = config.vocab, metric.coordinate = coordinate.data(), metric.power = 1;
  Refiner refiner(config, metric, *backend, {64, 1});
  std::vector<std::int32_t> x_1(24);
  for (int i = 0; i < 24; ++i) x_1[static_cast<std::size_t>(i)] = 4 * i;
  double spread[2];
  int k = 0;
  for (const double t0 : {0.999, 0.001}) {
    refiner.seed(3, 64, false);
    refiner.set_warm(x_1.data(), 3, t0);
    refiner.start_warm();
    double sum = 0;
    for (int i = 0; i < 64 * 24; ++i) sum += std::abs(refiner.state()[i] - x_1[static_cast<std::size_t>(i % 24)]);
    spread[k++] = sum / (64 * 24);
  }
  CHECK(spread[0] < 0.5);
  // Uniform tokens are a third of the vocabulary away on average, near enough.
  CHECK(spread[1] > config.vocab / 5.0);
}

TEST(a_warm_start_draws_from_the_path_at_t0) {
  // Frequencies of x_t0 against softmax(-beta d(., x_1)), slot by slot the same distribution.
  const ModelConfig config = small_planner(MaskKind::prefix);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  const TrajectoryTokens tokens(config);
  const std::vector<real> coordinate = tokens.coordinates();
  TokenMetric metric;
  metric.vocab = config.vocab, metric.coordinate = coordinate.data(), metric.power = 1;
  Refiner refiner(config, metric, *backend, {64, 1});
  const std::vector<std::int32_t> x_1(24, 40);
  constexpr double kTime = 0.4;
  std::vector<double> count(static_cast<std::size_t>(config.vocab));
  int n = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    refiner.seed(seed, 64, false);
    refiner.set_warm(x_1.data(), seed, kTime);
    refiner.start_warm();
    for (int i = 0; i < 64 * 24; ++i, ++n) ++count[static_cast<std::size_t>(refiner.state()[i])];
  }
  std::vector<double> want(count.size());
  double total = 0;
  const double beta = config.sampling_schedule.beta(kTime);
  for (std::size_t v = 0; v < want.size(); ++v) {
    want[v] = std::exp(-beta * std::abs(2.0 * (static_cast<double>(v) - 40) / (config.vocab - 1)));
    total += want[v];
  }
  double chi = 0;
  int cells = 0;
  for (std::size_t v = 0; v < want.size(); ++v) {
    const double expected = n * want[v] / total;
    if (expected < 5) continue;
    chi += (count[v] - expected) * (count[v] - expected) / expected;
    ++cells;
  }
  CHECK(cells > 10);
  CHECK(chi < cells + 5 * std::sqrt(2.0 * cells));
}

TEST(a_warm_plan_does_not_depend_on_company_and_runs_with_a_deadline) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 6);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {8, 8});
  PlanOutput one, many, timed, cold;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const scene::Observation observation = observed(*data, static_cast<int>(seed) * 3 % data->size());
    PlanOptions o = sampled(3, 1, seed);
    engine.plan(observation, o, cold);
    o.warm = circle_plan(6, 0.05, 0.5);
    engine.plan(observation, o, one);
    CHECK(one.tokens != cold.tokens);
    o.samples = 8;
    engine.plan(observation, o, many);
    CHECK(std::equal(one.tokens.begin(), one.tokens.end(), many.tokens.begin()));
    o.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    engine.plan(observation, o, timed);
    CHECK(timed.tokens == many.tokens);
  }
}

TEST(at_t0_zero_a_search_draws_as_without_the_plan_before_and_looks_at_it) {
  const auto data = bent_dataset(6, 90);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanOutput cold, warm;
  for (const DecoderKind decoder : {DecoderKind::flow, DecoderKind::autoregressive}) {
    ModelConfig config = small_planner(MaskKind::prefix);
    config.decoder = decoder;
    PlanEngine engine(random_model(config, 6), *backend, {8, 3});
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const scene::Observation observation = observed(*data, static_cast<int>(seed) * 5 % data->size());
      PlanOptions o = sampled(decoder == DecoderKind::flow ? 1 + static_cast<int>(seed) % 3 : 1, 5, seed);
      o.reduce = Reduce::search;
      engine.plan(observation, o, cold);
      o.warm = circle_plan(6, 0.1, 0.5);
      o.warm.t0 = 0;
      engine.plan(observation, o, warm);
      CHECK(warm.tokens == cold.tokens);
      CHECK(warm.samples == cold.samples);
      // The plan before, from now, is one more candidate with a score.
      float shifted[24];
      shift_plan(o.warm, 8, 0.5, shifted);
      CHECK_SAME_BITS(&warm.extra_candidates[24], shifted, 24u);
      CHECK(warm.scores[6] >= 0);
      CHECK(cold.scores[6] < 0);
    }
  }
}

TEST(bad_warm_starts_are_refused) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 6);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {8, 8});
  PlanOutput out;
  const auto refused = [&](const WarmStart& warm) {
    PlanOptions o = sampled(1, 1, 0);
    o.warm = warm;
    try {
      engine.plan(observed(*data, 0), o, out);
    } catch (const Error&) {
      return true;
    }
    return false;
  };
  const WarmStart good = circle_plan(6, 0.1, 0.5);
  CHECK(!refused(good));
  WarmStart bad = good;
  bad.t0 = 1;
  CHECK(refused(bad));
  bad = good, bad.t0 = 0;
  CHECK(refused(bad));
  bad = good, bad.elapsed_s = 4.1;
  CHECK(refused(bad));
  bad = good, bad.trajectory.pop_back();
  CHECK(refused(bad));
}

}  // namespace wam::test
