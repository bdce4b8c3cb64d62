// The search among candidates: situations whose best plan is known, symmetry, independence of company, memory.

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "cpu/cpu_backend.h"
#include "search/box.h"
#include "search/causal_scorer.h"
#include "test/counting_allocator.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

using search::CausalScorer;
using search::Findings;
using search::score;

scene::Lane straight_lane(double y, double from, double to, bool back = false) {
  scene::Lane lane;
  for (int i = 0; i <= 40; ++i) lane.center.push_back({from + (to - from) * i / 40, y});
  if (back) std::reverse(lane.center.begin(), lane.center.end());
  lane.speed_limit = 13;
  return lane;
}

/// Two lanes along x at y = 0 and 3.5; the first is split at 30 m, where a light may stand. A third goes the other way.
const scene::RoadMap& straight_road() {
  static const scene::RoadMap road = [] {
    std::vector<scene::Lane> lanes = {straight_lane(0, -60, 30), straight_lane(0, 30, 200),
                                      straight_lane(3.5, -60, 200), straight_lane(7, -60, 200, true)};
    lanes[0].successors = {1}, lanes[1].predecessors = {0};
    return scene::RoadMap(std::move(lanes));
  }();
  return road;
}

scene::Agent moving(double x, double y, double speed, double heading = 0, double length = 4.6, double width = 2) {
  scene::Agent a;
  a.length = length, a.width = width;
  for (int k = 20; k >= 0; --k) {
    const double t = -0.1 * k;
    const double vx = speed * std::cos(heading), vy = speed * std::sin(heading);
    a.history.push_back({t, x + vx * t, y + vy * t, heading, vx, vy});
  }
  return a;
}

scene::Observation on_road(double speed, std::vector<scene::Agent> others = {}) {
  scene::Observation o;
  o.map = &straight_road();
  o.ego = moving(0, 0, speed);
  o.agent_count = static_cast<int>(others.size());
  o.agents = std::move(others);
  o.route = {0, 1};
  o.lane_lights.assign(o.map->lanes().size(), 0);
  return o;
}

using Plan = std::vector<float>;

/// Along x with a steady acceleration until it stands, `side` metres to the left at the end, smoothly.
Plan plan(double speed, double acceleration, double side = 0) {
  Plan p;
  double before_x = 0, before_y = 0;
  for (int i = 1; i <= 8; ++i) {
    double t = 0.5 * i;
    if (acceleration < 0) t = std::min(t, speed / -acceleration);
    const double s = 0.5 * i / 4, y = side * s * s * (3 - 2 * s), x = speed * t + acceleration * t * t / 2;
    const double heading = x - before_x > 0.1 ? std::atan2(y - before_y, x - before_x) : 0;
    p.insert(p.end(), {float(x), float(y), float(side == 0 ? 0 : heading)});
    before_x = x, before_y = y;
  }
  return p;
}

Findings judged(const scene::Observation& o, const Plan& p) {
  CausalScorer scorer(8, 0.5);
  scorer.look(o, nullptr);
  return scorer.judge(p.data(), nullptr);
}

double least(const std::array<double, search::kSpans>& values) {
  return *std::min_element(values.begin(), values.end());
}

}  // namespace

TEST(the_gap_of_two_boxes_is_their_separation_or_the_depth_of_their_overlap) {
  const search::Box a{0, 0, 1, 0, 2, 1};
  CHECK_NEAR(search::gap(a, {5, 0, 1, 0, 2, 1}), 1, 1e-12);
  CHECK_NEAR(search::gap(a, {0, 5, 0, 1, 2, 1}), 2, 1e-12);
  CHECK_NEAR(search::gap(a, {3, 0.5, 1, 0, 2, 1}), -1, 1e-12);
  // Never more than the distance of the areas, and of the same sign, by brute force over points of both.
  for (int k = 0; k < 200; ++k) {
    const double angle = 0.31 * k, x = 5 * std::cos(0.7 * k), y = 4 * std::sin(1.3 * k);
    const search::Box b{x, y, std::cos(angle), std::sin(angle), 1.5, 0.7};
    double distance = HUGE_VAL;
    for (int i = -30; i <= 30; ++i) {
      for (int j = -30; j <= 30; ++j) {
        const double u = b.half_length * i / 30, v = b.half_width * j / 30;
        const double px = x + u * b.cos - v * b.sin, py = y + u * b.sin + v * b.cos;
        distance = std::min(distance, std::hypot(std::max(0.0, std::abs(px) - 2), std::max(0.0, std::abs(py) - 1)));
      }
    }
    const double gap = search::gap(a, b);
    CHECK(gap <= distance + 1e-9);
    if (distance > 0.08) CHECK(gap > 0);
    if (gap > 1e-9) CHECK(distance > 0);
    CHECK_NEAR(search::gap(b, a), gap, 1e-12);
  }
}

TEST(a_plan_that_stops_behind_a_standing_vehicle_beats_one_that_goes_on) {
  const scene::Observation o = on_road(8, {moving(22, 0, 0)});
  const Findings on = judged(o, plan(8, 0)), stop = judged(o, plan(8, -2.4));
  CHECK(least(on.clearance) <= 0);
  CHECK(least(stop.clearance) > 0);
  CHECK(score(stop) > score(on));
  // Without it, stopping for nothing is worse.
  CHECK(score(judged(on_road(8), plan(8, 0))) > score(judged(on_road(8), plan(8, -2.4))));
}

TEST(a_plan_that_gives_way_to_a_vehicle_cutting_in_beats_one_that_does_not) {
  // From the left lane, slower, drifting over in front of the ego.
  const scene::Observation o = on_road(10, {moving(14, 3.5, 6, -0.25)});
  const Findings on = judged(o, plan(10, 0)), gives_way = judged(o, plan(10, -2.2));
  CHECK(least(on.clearance) <= 0);
  CHECK(score(gives_way) > score(on));
}

TEST(a_vehicle_that_comes_from_behind_is_not_the_egos_fault) {
  const scene::Observation o = on_road(5, {moving(-12, 0, 12)});
  CHECK(least(judged(o, plan(5, 0)).clearance) > 0);
}

TEST(a_standing_ego_is_not_at_fault) {
  const scene::Observation o = on_road(0, {moving(20, 0, 8, std::numbers::pi)});
  CHECK(least(judged(o, plan(0, 0)).clearance) > 1e9);
}

TEST(a_plan_that_follows_too_closely_has_a_time_to_collision) {
  const scene::Observation o = on_road(10, {moving(12, 0, 6)});
  CHECK(least(judged(o, plan(10, 0)).time_to_collision) < 1);
  CHECK(least(judged(o, plan(10, -2)).time_to_collision) > 1);
}

TEST(a_plan_that_stops_at_a_red_light_beats_one_that_does_not_and_green_is_no_reason_to_stop) {
  scene::Observation o = on_road(8);
  o.lane_lights[0] = static_cast<std::int32_t>(scene::Light::red);
  const Plan on = plan(8, 0), stop = plan(8, -1.3);
  CHECK(judged(o, on).past_red > 0.5);
  CHECK_EQ(judged(o, stop).past_red, 0);
  CHECK(score(judged(o, stop)) > score(judged(o, on)));
  o.lane_lights[0] = static_cast<std::int32_t>(scene::Light::green);
  CHECK(score(judged(o, on)) > score(judged(o, stop)));
}

TEST(a_plan_that_leaves_the_road_loses) {
  const scene::Observation o = on_road(8);
  const Findings off = judged(o, plan(8, 0, -3.5)), on = judged(o, plan(8, 0));
  CHECK(off.off_road > 1);
  CHECK_EQ(on.off_road, 0);
  CHECK(score(on) > score(off));
  // Into the lane of the same direction is road, beyond it one drives against traffic.
  CHECK_EQ(judged(o, plan(8, 0, 3.5)).off_road, 0);
  CHECK_EQ(judged(o, plan(8, 0, 3.5)).against, 0);
  CHECK(judged(o, plan(8, 0, 7)).against > 2);
}

TEST(the_road_goes_on_where_the_map_ends) {
  scene::Observation o = on_road(20);
  o.ego = moving(150, 0, 20);
  o.route = {1};
  CHECK_EQ(judged(o, plan(20, 0)).off_road, 0);
}

TEST(a_harsh_plan_loses_to_a_smooth_one) {
  const scene::Observation o = on_road(10);
  const Findings harsh = judged(o, plan(10, 5)), smooth = judged(o, plan(10, 0.5));
  CHECK(harsh.discomfort > 1);
  CHECK(smooth.discomfort < 0.9);
  CHECK(score(smooth) > score(harsh));
}

TEST(more_progress_is_better_when_nothing_else_differs) {
  const scene::Observation o = on_road(10);
  CHECK(score(judged(o, plan(10, 0))) > score(judged(o, plan(10, -1.5))));
  CHECK_NEAR(judged(o, plan(10, 0)).progress, 40, 1);
}

TEST(findings_are_the_same_in_the_mirror) {
  const auto mirrored = [](scene::Agent a) {
    for (scene::MotionState& s : a.history) s.y = -s.y, s.vy = -s.vy, s.heading = -s.heading;
    return a;
  };
  std::vector<scene::Lane> lanes;
  for (const scene::Lane& lane : straight_road().lanes()) {
    lanes.push_back(lane);
    for (scene::Point& p : lanes.back().center) p.y = -p.y;
  }
  const scene::RoadMap mirror(std::move(lanes));
  const std::vector<scene::Agent> others = {moving(14, 3.5, 6, -0.25), moving(25, 0.4, 3), moving(-9, 3.5, 11)};
  const scene::Observation o = on_road(9, others);
  scene::Observation m = on_road(9, {mirrored(others[0]), mirrored(others[1]), mirrored(others[2])});
  m.map = &mirror;
  for (const double side : {-3.5, -1.0, 0.0, 2.0, 7.0}) {
    for (const double acceleration : {-2.0, 0.0, 1.0}) {
      const Plan p = plan(9, acceleration, side), q = plan(9, acceleration, -side);
      const Findings a = judged(o, p), b = judged(m, q);
      for (int k = 0; k < search::kSpans; ++k) {
        const auto i = static_cast<std::size_t>(k);
        if (a.clearance[i] < 1e9) CHECK_NEAR(a.clearance[i], b.clearance[i], 1e-6);
        CHECK_EQ(a.time_to_collision[i], b.time_to_collision[i]);
      }
      CHECK_NEAR(score(a), score(b), 1e-6);
      CHECK_NEAR(a.off_road, b.off_road, 1e-6);
      CHECK_NEAR(a.against, b.against, 1e-6);
      CHECK_NEAR(a.discomfort, b.discomfort, 1e-6);
    }
  }
}

TEST(the_future_of_the_observation_frame_does_not_matter_only_where_things_are) {
  // The same scene turned and moved to coordinates of a country.
  const scene::Observation o = on_road(9, {moving(14, 3.5, 6, -0.25), moving(25, 0.4, 3)});
  const double angle = 2.1, c = std::cos(angle), s = std::sin(angle), x0 = 6e5, y0 = 4e6;
  const auto turned = [&](scene::Agent a) {
    for (scene::MotionState& m : a.history) {
      const double x = m.x, vx = m.vx;
      m.x = x0 + c * x - s * m.y, m.y = y0 + s * x + c * m.y;
      m.vx = c * vx - s * m.vy, m.vy = s * vx + c * m.vy;
      m.heading += angle;
    }
    return a;
  };
  std::vector<scene::Lane> lanes;
  for (const scene::Lane& lane : straight_road().lanes()) {
    lanes.push_back(lane);
    for (scene::Point& p : lanes.back().center) p = {x0 + c * p.x - s * p.y, y0 + s * p.x + c * p.y};
  }
  const scene::RoadMap map(std::move(lanes));
  scene::Observation t = o;
  t.map = &map;
  t.ego = turned(o.ego);
  for (scene::Agent& a : t.agents) a = turned(a);
  for (const double side : {-1.0, 0.0, 2.0}) {
    CHECK_NEAR(score(judged(t, plan(9, -1, side))), score(judged(o, plan(9, -1, side))), 1e-5);
  }
}

TEST(a_plan_like_the_one_before_is_consistent_and_another_is_not) {
  const scene::Observation o = on_road(10);
  const Plan before = plan(10, 0), harder = plan(10, -2.5);
  CausalScorer scorer(8, 0.5);
  const search::EarlierPlan earlier{before.data(), 0.5};
  scorer.look(o, &earlier);
  const Findings same = scorer.judge(before.data(), nullptr), other = scorer.judge(harder.data(), nullptr);
  CHECK(same.inconsistency < 0.5);
  CHECK(other.inconsistency > 1);
}

TEST(scores_do_not_depend_on_the_other_candidates_and_the_best_one_is_the_plan) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 6);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {8, 8});
  PlanOutput few, many, timed;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const scene::Observation observation = observed(*data, static_cast<int>(seed) * 2 % data->size());
    PlanOptions o = sampled(2, 2, seed);
    o.reduce = Reduce::search;
    engine.plan(observation, o, few);
    o.samples = 8;
    engine.plan(observation, o, many);
    for (std::size_t k = 0; k < 2; ++k) CHECK_EQ(few.scores[k], many.scores[k]);
    CHECK_EQ(few.scores[2], many.scores[8]);
    CHECK_EQ(many.scores[9], -1);
    const auto best = std::max_element(many.scores.begin(), many.scores.end()) - many.scores.begin();
    CHECK_EQ(best, many.chosen);
    const float* chosen = best < 8 ? &many.samples[static_cast<std::size_t>(best) * 24] : many.extra_candidates.data();
    CHECK(std::equal(many.trajectory.begin(), many.trajectory.end(), chosen));
    // The median candidate is the plan of one step.
    PlanOptions one;
    one.seed = seed;
    PlanOutput median;
    engine.plan(observation, one, median);
    CHECK(std::equal(median.trajectory.begin(), median.trajectory.end(), many.extra_candidates.begin()));
    o.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    engine.plan(observation, o, timed);
    CHECK(timed.scores == many.scores);
    CHECK(timed.trajectory == many.trajectory);
    // A plan that begins with the one before is a candidate too, and the median is still that of a cold start.
    o.warm.trajectory = many.trajectory, o.warm.elapsed_s = 0;
    engine.plan(observation, o, timed);
    CHECK(timed.scores[9] >= 0);
    CHECK_EQ(timed.findings[8].progress, many.findings[8].progress);
  }
}

TEST(a_warm_search_asks_for_no_memory) {
  if (!counts_allocations()) skip("this build has another allocator");
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 6);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {8, 8});
  std::vector<scene::Observation> observations;
  for (int i = 0; i < 20; ++i) observations.push_back(observed(*data, i * data->size() / 20));
  PlanOptions o = sampled(2, 8, 1);
  o.reduce = Reduce::search;
  PlanOutput out;
  engine.plan(observations[0], o, out);
  o.warm.trajectory = out.trajectory, o.warm.elapsed_s = 0.5;
  for (const scene::Observation& observation : observations) engine.plan(observation, o, out);
  const long before = allocations();
  for (int k = 0; k < 5; ++k) {
    for (const scene::Observation& observation : observations) engine.plan(observation, o, out);
  }
  CHECK_EQ(allocations() - before, 0);
}

}  // namespace wam::test
