// Rewards and advantages of a group by their definitions, and against the score of the simulator.
#include <algorithm>
#include <cmath>
#include <vector>

#include "align/advantage.h"
#include "core/error.h"
#include "sim/score.h"
#include "test/cpu_support.h"

namespace wam::test {
namespace {

using align::AdvantageKind;

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

std::vector<double> advantages(const std::vector<double>& reward, AdvantageKind kind) {
  std::vector<double> out(reward.size(), 7), in_place = reward;
  const int group = static_cast<int>(reward.size());
  align::group_advantages(reward.data(), group, kind, out.data());
  align::group_advantages(in_place.data(), group, kind, in_place.data());
  CHECK_SAME_BITS(in_place.data(), out.data(), out.size());
  return out;
}

TEST(advantages_follow_their_definitions) {
  for (const std::size_t group : {2, 3, 8, 16}) {
    const Context at("group of " + std::to_string(group));
    std::vector<double> reward;
    for (const real x : random_values(group, 5, 0.2)) reward.push_back(0.7 + static_cast<double>(x));
    const double mean = mean_of(reward);
    double variance = 0;
    for (const double r : reward) variance += (r - mean) * (r - mean) / static_cast<double>(group);
    std::vector<double> centred, standardised, leave_one_out;
    for (std::size_t i = 0; i < group; ++i) {
      std::vector<double> others = reward;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      centred.push_back(reward[i] - mean);
      standardised.push_back((reward[i] - mean) / (std::sqrt(variance) + 1e-8));
      leave_one_out.push_back(reward[i] - mean_of(others));
    }
    const long n = static_cast<long>(group);
    CHECK_ALL_NEAR(advantages(reward, AdvantageKind::mean).data(), centred.data(), n, 1e-14);
    CHECK_ALL_NEAR(advantages(reward, AdvantageKind::standardised).data(), standardised.data(), n, 1e-13);
    CHECK_ALL_NEAR(advantages(reward, AdvantageKind::leave_one_out).data(), leave_one_out.data(), n, 1e-14);
  }
}

TEST(advantages_of_equal_rewards_are_exactly_zero) {
  for (const AdvantageKind kind : {AdvantageKind::mean, AdvantageKind::standardised, AdvantageKind::leave_one_out}) {
    for (const std::size_t group : {1, 3, 7})
      for (const double a : advantages(std::vector<double>(group, 0.1), kind)) CHECK_EQ(a, 0.0);
  }
}

TEST(rewards_are_the_pdm_scores_of_both_versions) {
  const std::vector<real> x = random_values(80 * 8, 6);
  const auto share = [&](int plan, int part) {
    return std::clamp(0.5 + static_cast<double>(x[static_cast<std::size_t>(plan * 8 + part)]), 0.0, 1.0);
  };
  for (int i = 0; i < 80; ++i) {
    sim::Verdict v;
    v.collision = i % 4 == 0 ? 0.5 : 1, v.drivable = i % 5 == 0 ? 0 : 1;
    v.direction = i % 3 == 0 ? 0.5 : 1, v.light = i % 7 == 0 ? 0 : 1;
    v.ttc = share(i, 0), v.comfort = share(i, 1), v.lane = share(i, 2);
    const double progress = share(i, 3);
    align::PdmParts parts;
    parts.collision = v.collision, parts.drivable = v.drivable;
    parts.ttc = v.ttc, parts.progress = progress, parts.comfort = v.comfort;
    CHECK_EQ(align::pdm_reward(parts), sim::pdm_score(sim::Version::v1, v, progress));
    parts.direction = v.direction, parts.light = v.light, parts.lane = v.lane;
    CHECK_NEAR(align::pdm_reward(parts, {.lane = 2}), sim::pdm_score(sim::Version::v2, v, progress), 1e-15);
    // A reward of one part alone is that part.
    CHECK_NEAR(align::pdm_reward(parts, {.ttc = 0, .progress = 0.3, .comfort = 0}),
               sim::multiplier(sim::Version::v2, v) * progress, 1e-15);
  }
}

TEST(rewards_refuse_weights_without_a_sum) {
  CHECK_THROWS(align::pdm_reward({}, {.ttc = 0, .progress = 0, .lane = 0, .comfort = 0}), Error);
  CHECK_THROWS(align::pdm_reward({}, {.ttc = -1}), Error);
  CHECK_THROWS(align::pdm_reward({}, {.progress = HUGE_VAL}), Error);
  CHECK_THROWS(align::pdm_reward({}, {.comfort = std::nan("")}), Error);
}

}  // namespace
}  // namespace wam::test
