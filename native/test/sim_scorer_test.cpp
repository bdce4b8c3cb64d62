// The score on a straight road, where steps and kinds of collisions follow from distances and speeds; the same bits
// from any threads, batch and order; no memory taken in steady state.

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/error.h"
#include "test/sim_exact.h"
#include "test/sim_scenes.h"
#include "test/test.h"

namespace {
std::atomic<long> allocations{0};
}

// Counts what the whole program allocates.
void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size > 0 ? size : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace wam::test {
namespace {

using exact::Random;
using sim::Collision;
using sim::Scorer;
using sim::Traffic;
using sim::TrajectoryScore;
using sim::Version;

constexpr double kFrontGap =
    sim::vehicle::kFront + 2;  // rear axle to the centre of a 4 m object that touches the front

TrajectoryScore score_one(const sim::Scene& scene, const std::vector<double>& plan, Version version) {
  Scorer scorer(scene, version, Traffic::replay);
  TrajectoryScore out;
  scorer.score(plan.data(), 1, 8, 0.5, &out, nullptr);
  return out;
}

sim::Scene with(sim::Scene scene, const sim::SceneObject& object) {
  scene.objects.push_back(object);
  return scene;
}

/// Plans of all kinds: steady, turning, braking, backing up.
std::vector<double> some_plans(Random& random, int n) {
  std::vector<double> plans;
  for (int i = 0; i < n; ++i) {
    double x = 0, y = 0, heading = 0, speed = random.real(-3, 15);
    for (int k = 0; k < 8; ++k) {
      heading += random.real(-0.1, 0.1);
      speed += random.real(-1, 1);
      x += 0.5 * speed * std::cos(heading);
      y += 0.5 * speed * std::sin(heading);
      for (const double value : {x, y, heading}) plans.push_back(value);
    }
  }
  return plans;
}

sim::Scene busy_scene(Random& random, int objects) {
  sim::Scene scene = straight_scene(8);
  for (int i = 0; i < objects; ++i) {
    scene.objects.push_back(moving_object(scene, random.real(-30, 60), random.real(-1, 5), random.real(-2, 12),
                                          random.real(-0.5, 0.5), static_cast<sim::ObjectType>(i % sim::kObjectTypes)));
  }
  for (int k = -3; k <= 0; ++k) {
    sim::State past = scene.ego;
    past.x += 4 * k;
    scene.past.push_back(past);
  }
  return scene;
}

/// All that a score says, as numbers.
std::vector<double> numbers_of(const TrajectoryScore& s) {
  const sim::Verdict& v = s.verdict;
  std::vector<double> out{v.collision,
                          v.drivable,
                          v.direction,
                          v.light,
                          v.ttc,
                          v.lane,
                          v.comfort,
                          v.progress,
                          s.ego_progress,
                          s.score,
                          s.multiplier,
                          s.reference_progress,
                          s.reference_multiplier,
                          static_cast<double>(v.multiple_lanes),
                          static_cast<double>(v.non_drivable),
                          static_cast<double>(v.off_route)};
  for (const sim::Finding& f :
       {v.collision_at, v.drivable_at, v.direction_at, v.light_at, v.ttc_at, v.lane_at, v.comfort_at}) {
    for (const double value :
         {static_cast<double>(f.step), static_cast<double>(f.object), static_cast<double>(f.detail), f.value}) {
      out.push_back(value);
    }
  }
  return out;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

}  // namespace

TEST(sim_a_standing_object_ahead_is_hit_when_its_distance_is_driven) {
  for (const double gap : {3.4, 7.5, 12.45, 22.6, 31.5, 38.4}) {
    const Context at("gap " + std::to_string(gap));
    const sim::Scene road = straight_scene(10);
    // 1 m a step: the box touches at the first step past the gap, and its projection 9 steps before.
    const int hit = static_cast<int>(std::ceil(gap)), seen = std::max(0, hit - 9);
    for (const auto type : {sim::ObjectType::vehicle, sim::ObjectType::pedestrian, sim::ObjectType::barrier}) {
      for (const Version version : {Version::v1, Version::v2}) {
        const auto s =
            score_one(with(road, moving_object(road, kFrontGap + gap, 0.2, 0, 0, type)), steady_plan(10), version);
        const bool agent = type != sim::ObjectType::barrier;
        CHECK_EQ(s.verdict.collision, agent ? 0 : 0.5);
        CHECK_EQ(s.verdict.collision_at.step, hit);
        CHECK_EQ(s.verdict.collision_at.detail, static_cast<int>(Collision::stopped_track));
        CHECK_EQ(s.verdict.ttc, 0);
        CHECK_EQ(s.verdict.ttc_at.step, seen);
        CHECK_EQ(s.verdict.drivable, 1);
        if (agent) CHECK_EQ(s.score, 0);
      }
    }
  }
}

TEST(sim_an_object_beyond_four_seconds_is_not_hit) {
  const sim::Scene road = straight_scene(10);
  const sim::Scene scene = with(road, moving_object(road, kFrontGap + 40.5, 0.2, 0, 0));
  for (const Version version : {Version::v1, Version::v2}) {
    const auto s = score_one(scene, steady_plan(10), version);
    CHECK_EQ(s.verdict.collision, 1);
    // Version 1 looks ahead from all 41 steps, version 2 from the first 32: up to step 40.
    CHECK_EQ(s.verdict.ttc, version == Version::v1 ? 0 : 1);
    if (version == Version::v1) CHECK_EQ(s.verdict.ttc_at.step, 32);
  }
}

TEST(sim_a_slower_vehicle_ahead_is_hit_at_the_front_when_the_gap_is_closed) {
  for (const double gap : {2.3, 4.1, 6.7, 11.9}) {
    const sim::Scene road = straight_scene(10);
    const auto s = score_one(with(road, moving_object(road, kFrontGap + gap, 0.2, 6, 0)), steady_plan(10), Version::v2);
    const int hit = static_cast<int>(std::ceil(gap / 0.4));
    CHECK_EQ(s.verdict.collision, 0);
    CHECK_EQ(s.verdict.collision_at.step, hit);
    CHECK_EQ(s.verdict.collision_at.detail, static_cast<int>(Collision::front));
    CHECK_EQ(s.verdict.ttc_at.step, std::max(0, hit - 9));
  }
}

TEST(sim_who_is_hit_from_behind_or_standing_is_not_at_fault) {
  const sim::Scene road = straight_scene(10), standing = straight_scene(0);
  const double behind = -sim::vehicle::kRear - 2;
  for (const Version version : {Version::v1, Version::v2}) {
    const auto rear = score_one(with(road, moving_object(road, behind - 5, 0.2, 18, 0)), steady_plan(10), version);
    CHECK_EQ(rear.verdict.collision, 1);
    // By the letter of the rules it is ahead all the same: after 0.9 s it is in the ego's box there, and its centre is
    // seen from where the ego's rear axle is now.
    CHECK_EQ(rear.verdict.ttc, 0);
    CHECK_EQ(rear.verdict.ttc_at.step, 0);
    CHECK_EQ(rear.verdict.ttc_at.detail, 9);
    const auto head_on = score_one(with(standing, moving_object(standing, 25, 0.2, -8, 0)), steady_plan(0), version);
    CHECK_EQ(head_on.verdict.collision, 1);
    CHECK_EQ(head_on.verdict.ttc, 1);
  }
}

TEST(sim_who_is_hit_from_the_side_is_at_fault_between_lanes_only) {
  for (const Version version : {Version::v1, Version::v2}) {
    for (const bool between : {false, true}) {
      sim::Scene road = straight_scene(10);
      if (between) road.ego.y = kLaneWidth;
      // Beside the middle of the box, 2 m from its flank, 2.5 m/s nearer: touches at step 8.
      const double side = sim::vehicle::kWidth / 2 + 1 + 1.95;
      const auto s = score_one(with(road, moving_object(road, 1.461, side, 10, -2.5)), steady_plan(10), version);
      // Later the ego crosses from one block to the next, which also is between lanes.
      CHECK_EQ((s.verdict.multiple_lanes >> 8 & 1) != 0, between);
      CHECK_EQ(s.verdict.non_drivable, std::uint64_t{0});
      CHECK_EQ(s.verdict.collision, between ? 0 : 1);
      if (between) {
        CHECK_EQ(s.verdict.collision_at.step, 8);
        CHECK_EQ(s.verdict.collision_at.detail, static_cast<int>(Collision::lateral));
      }
    }
  }
}

TEST(sim_lane_keeping_fails_at_the_twentieth_step_off_the_centreline) {
  for (const double off : {-0.62, -0.48, 0.0, 0.48, 0.62}) {
    sim::Scene scene = straight_scene(10);
    scene.ego.y += off;
    const auto s = score_one(scene, steady_plan(10), Version::v2);
    const bool fails = std::abs(off) > 0.5;
    CHECK_EQ(s.verdict.lane, fails ? 0 : 1);
    if (fails) CHECK_EQ(s.verdict.lane_at.step, 19);
  }
}

TEST(sim_progress_is_the_distance_driven_and_compared_with_the_better) {
  for (const double speed : {2.0, 6.0, 10.0, 14.0}) {
    for (const Version version : {Version::v1, Version::v2}) {
      const auto s = score_one(straight_scene(speed), steady_plan(speed), version);
      CHECK_NEAR(s.verdict.progress, 4 * speed, 0.01);
      CHECK_EQ(s.reference_multiplier, 1);
      const double most = std::max(s.verdict.progress, s.reference_progress);
      CHECK_EQ(s.ego_progress, most > 5 ? s.verdict.progress / most : 1);
    }
  }
}

TEST(sim_the_road_is_left_at_the_step_when_a_corner_is_off_it) {
  Random random(31);
  sim::Scene scene = straight_scene(8);
  Scorer scorer(scene, Version::v2, Traffic::replay);
  constexpr int kPlans = 300;
  const std::vector<double> plans = some_plans(random, kPlans);
  std::vector<TrajectoryScore> out(kPlans);
  std::vector<sim::State> rollouts(kPlans * sim::kStates);
  scorer.score(plans.data(), kPlans, 8, 0.5, out.data(), rollouts.data());
  int left = 0;
  for (std::size_t i = 0; i < kPlans; ++i) {
    std::uint64_t off = 0;
    int first = -1;
    for (int step = 0; step < sim::kStates; ++step) {
      const sim::State& s = rollouts[i * sim::kStates + static_cast<std::size_t>(step)];
      const sim::Quad ego = sim::footprint({s.x, s.y, s.heading});
      for (const sim::Vec2 p : ego.corner) {
        // Borders between blocks belong to none of them: a corner on one is off the road.
        const bool on_road = p.x > 0 && p.x < 300 && p.y > 0 && p.y < 7 && std::fmod(p.x, kBlockLength) != 0;
        if (!on_road) off |= std::uint64_t{1} << step;
      }
      if (off != 0 && first < 0) first = step;
    }
    left += first >= 0;
    CHECK_EQ(out[i].verdict.non_drivable, off);
    CHECK_EQ(out[i].verdict.drivable, first >= 0 ? 0 : 1);
    CHECK_EQ(out[i].verdict.drivable_at.step, first);
  }
  CHECK(left > kPlans / 5 && left < kPlans * 4 / 5);
}

TEST(sim_scores_are_the_same_bits_from_any_threads_batch_and_order) {
  Random random(32);
  constexpr int kPlans = 37;
  for (const auto& [version, traffic] :
       {std::pair{Version::v1, Traffic::replay}, {Version::v2, Traffic::replay}, {Version::v2, Traffic::reactive}}) {
    const sim::Scene scene = busy_scene(random, 25);
    const std::vector<double> plans = some_plans(random, kPlans);
    std::vector<std::vector<double>> alone;
    {
      Scorer scorer(scene, version, traffic);
      for (int i = 0; i < kPlans; ++i) {
        TrajectoryScore out;
        scorer.score(&plans[static_cast<std::size_t>(i) * 24], 1, 8, 0.5, &out, nullptr);
        alone.push_back(numbers_of(out));
      }
    }
    for (const int threads : {1, 2, 3}) {
      Scorer scorer(scene, version, traffic, threads);
      for (const int batch : {1, 2, 5, 24, kPlans}) {
        for (int first = 0; first < kPlans; first += batch) {
          const int n = std::min(batch, kPlans - first);
          std::vector<double> some;
          // Backwards, so that each has other neighbours than before.
          for (int i = n - 1; i >= 0; --i) {
            const auto from = plans.begin() + static_cast<std::ptrdiff_t>(first + i) * 24;
            some.insert(some.end(), from, from + 24);
          }
          std::vector<TrajectoryScore> out(static_cast<std::size_t>(n));
          scorer.score(some.data(), n, 8, 0.5, out.data(), nullptr);
          for (int i = 0; i < n; ++i) {
            CHECK(
                same(numbers_of(out[static_cast<std::size_t>(n - 1 - i)]), alone[static_cast<std::size_t>(first + i)]));
          }
        }
      }
    }
  }
}

TEST(sim_scoring_takes_no_memory_after_the_first_calls) {
  Random random(33);
  constexpr int kPlans = 48;
  const std::vector<double> plans = some_plans(random, kPlans);
  std::vector<TrajectoryScore> out(kPlans);
  std::vector<sim::State> rollouts(kPlans * sim::kStates);
  for (const int threads : {1, 2}) {
    for (const Version version : {Version::v1, Version::v2}) {
      Scorer scorer(busy_scene(random, 25), version, Traffic::replay, threads);
      // Which thread gets which trajectory is up to the system: several calls until each has seen the largest.
      for (int i = 0; i < 20; ++i) scorer.score(plans.data(), kPlans, 8, 0.5, out.data(), rollouts.data());
      const long before = allocations.load();
      for (int i = 0; i < 20; ++i) scorer.score(plans.data(), kPlans, 8, 0.5, out.data(), rollouts.data());
      const long taken = allocations.load() - before;
      const Context at("threads " + std::to_string(threads) + ": " + std::to_string(taken));
      CHECK(taken <= (threads == 1 ? 0 : 20));
    }
  }
  // Each trajectory gets its own traffic: a few allocations a vehicle, not one a step.
  Scorer scorer(busy_scene(random, 25), Version::v2, Traffic::reactive);
  scorer.score(plans.data(), kPlans, 8, 0.5, out.data(), nullptr);
  const long before = allocations.load();
  scorer.score(plans.data(), kPlans, 8, 0.5, out.data(), nullptr);
  const double each = static_cast<double>(allocations.load() - before) / kPlans;
  const Context at("reactive: " + std::to_string(each));
  CHECK(each < 500);
}

TEST(sim_scorer_refuses_what_it_cannot_work_with) {
  const sim::Scene good = straight_scene(5);
  CHECK_THROWS(Scorer(good, Version::v1, Traffic::reactive), Error);
  CHECK_THROWS(Scorer(good, Version::v2, Traffic::replay, 0), Error);
  const auto refused = [&](auto&& change) {
    sim::Scene scene = straight_scene(5);
    change(scene);
    CHECK_THROWS(Scorer(scene, Version::v2, Traffic::replay), Error);
  };
  refused([](sim::Scene& s) { s.map = nullptr; });
  refused([](sim::Scene& s) { s.route.clear(); });
  refused([](sim::Scene& s) { s.route = {99}; });
  refused([](sim::Scene& s) { s.ego.x = NAN; });
  refused([](sim::Scene& s) { s.ego.vx = HUGE_VAL; });
  refused([](sim::Scene& s) { s.past.resize(3); });
  refused([](sim::Scene& s) { s.human.resize(7); });
  refused([](sim::Scene& s) { s.objects = {{sim::ObjectType::vehicle, 4, 2, {}}}; });
  refused([](sim::Scene& s) { s.objects = {{sim::ObjectType::vehicle, 0, 2, {{}}}}; });
  refused([](sim::Scene& s) { s.objects = {{sim::ObjectType::vehicle, 4, 2, {{}, {}}}}; });
  refused([](sim::Scene& s) { s.objects = {{sim::ObjectType::vehicle, 4, 2, {{0, NAN, 0, 0, 0, 0}}}}; });
  refused([](sim::Scene& s) { s.lights = {{0, {12}}}; });
  Scorer scorer(good, Version::v2, Traffic::replay);
  TrajectoryScore out;
  std::vector<double> plan = steady_plan(5);
  CHECK_THROWS(scorer.score(plan.data(), 1, 0, 0.5, &out, nullptr), Error);
  CHECK_THROWS(scorer.score(plan.data(), 1, 8, 0, &out, nullptr), Error);
  plan[5] = NAN;
  CHECK_THROWS(scorer.score(plan.data(), 1, 8, 0.5, &out, nullptr), Error);
}

}  // namespace wam::test
