// Alignment: it finds known optima, threads and restarts change nothing, bad configurations are refused.

#include <algorithm>
#include <cmath>

#include "align/aligner.h"
#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "test/sim_scenes.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

using align::AlignConfig;
using align::Aligner;
using align::Estimator;

ModelConfig bandit_model() {
  ModelConfig c;
  c.hidden = 16, c.layers = 1, c.heads = 2, c.kv_heads = 2, c.mlp_hidden = 32, c.encoder_hidden = 16;
  c.max_agents = 4, c.max_lanes = 4, c.vocab = 7, c.waypoints = 1;
  c.slot_scale.assign(3, 5.0);
  return c;
}

/// A token a slot and scene is right; the reward is the share of right ones. Which depends on the scene, so that what is
/// seen has to be looked at.
class Bandit : public align::RewardModel {
 public:
  explicit Bandit(int scenes) : scenes_(scenes) {}
  int scenes() const override { return scenes_; }
  int window(int scene) const override { return 11 * scene; }
  static int right(int scene, int slot) { return (5 * scene + 2 * slot + 1) % 7; }
  void judge(int scene, std::span<const align::JudgedPlan> plans, align::PlanValue* out) override {
    for (const align::JudgedPlan& plan : plans) {
      double hits = 0;
      for (std::size_t s = 0; s < plan.tokens.size(); ++s) hits += plan.tokens[s] == right(scene, static_cast<int>(s));
      (out++)->reward = hits / static_cast<double>(plan.tokens.size());
    }
  }

 private:
  int scenes_;
};

BackendFactory portable() {
  return [] { return cpu::make_cpu_backend(nullptr, cpu::Isa::portable); };
}

std::vector<NamedTensor> random_weights(const ModelConfig& config, std::uint64_t seed) {
  const Network network(config);
  return named_tensors(network.layout, "", initial_weights(config, network, seed, {}).data());
}

AlignConfig bandit_config(std::uint64_t seed) {
  AlignConfig c;
  c.steps = 300, c.batch = 4, c.micro_batches = 2, c.group = 32, c.rollout_steps = {1, 2};
  // The start is nearly uniform: what keeps near to it goes on looking around.
  c.kl_beta = 0.06, c.lr = 3e-3, c.warmup = 10, c.seed = seed;
  c.max_kl = 1e9, c.min_diversity = 0, c.max_ade_drift = 1e9, c.probe_every = 1000;
  return c;
}

bool same_tensors(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].data != b[i].data) return false;
  }
  return true;
}

}  // namespace

TEST(alignment_finds_the_optimum_of_a_bandit) {
  if (sizeof(real) > sizeof(float)) skip("takes too long in the double build, which checks the gradients instead");
  const auto data = bent_dataset(6, 90);
  const ModelConfig model = bandit_model();
  for (const Estimator estimator : {Estimator::last, Estimator::chain, Estimator::one_shot}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Context context("estimator " + std::to_string(static_cast<int>(estimator)) + " seed " +
                            std::to_string(seed));
      AlignConfig config = bandit_config(seed);
      config.estimator = estimator;
      // At t = 0 it is exact; elsewhere its bias keeps it from the optimum.
      if (estimator == Estimator::one_shot) config.zero_share = 1, config.rollout_steps = {1};
      Aligner aligner(model, config, data, std::make_shared<Bandit>(4), nullptr, random_weights(model, seed),
                      portable(), 1);
      double first = 0, last = 0;
      for (int i = 0; i < config.steps; ++i) {
        const align::AlignStats stats = aligner.step();
        if (i == 0) first = stats.group.mean(stats.group.reward);
        if (i >= config.steps - 10) last += stats.group.mean(stats.group.reward) / 10;
      }
      CHECK(first < 0.35);
      CHECK(last > 0.94);  // some of it is the price of staying near to the start
      // Every slot of every scene.
      const auto aligned = std::make_shared<const Model>(model, aligner.ema_tensors());
      const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
      PlanEngine engine(aligned, *backend, {1, 2});
      for (int scene = 0; scene < 4; ++scene) {
        for (const int steps : config.rollout_steps) {
          PlanOptions options;
          options.steps = steps;
          PlanOutput out;
          engine.plan(observed(*data, 11 * scene), options, out);
          for (int slot = 0; slot < 3; ++slot) CHECK_EQ(out.tokens[slot], Bandit::right(scene, slot));
        }
      }
    }
  }
}

TEST(a_strong_divergence_penalty_keeps_the_policy_where_it_started) {
  const auto data = bent_dataset(6, 90);
  const ModelConfig model = bandit_model();
  double kl[2];
  for (int strong = 0; strong < 2; ++strong) {
    AlignConfig config = bandit_config(3);
    config.kl_beta = strong != 0 ? 20 : 0.06, config.steps = 60;
    Aligner aligner(model, config, data, std::make_shared<Bandit>(4), nullptr, random_weights(model, 2), portable(), 1);
    for (int i = 0; i < config.steps; ++i) kl[strong] = aligner.step().kl;
  }
  CHECK(kl[1] < 0.1 * kl[0]);
}

TEST(an_alignment_is_the_same_on_any_number_of_threads_and_after_a_restart) {
  const auto data = bent_dataset(6, 90);
  const ModelConfig model = bandit_model();
  for (const Estimator estimator : {Estimator::last, Estimator::chain, Estimator::one_shot}) {
    AlignConfig config = bandit_config(7);
    config.estimator = estimator, config.inner_epochs = 2, config.kl_beta = 0.05, config.ema = 0.9;
    config.batch = 12, config.micro_batches = 4, config.probe_every = 2;
    const std::vector<NamedTensor> weights = random_weights(model, 7);
    const auto make = [&](int threads) {
      return std::make_unique<Aligner>(model, config, data, std::make_shared<Bandit>(5), std::make_shared<Bandit>(3),
                                       weights, portable(), threads);
    };
    const auto whole = make(1);
    for (int i = 0; i < 6; ++i) whole->step();
    const auto shared = make(3);
    for (int i = 0; i < 6; ++i) shared->step();
    CHECK(same_tensors(whole->state(), shared->state()));

    if (sizeof(real) > sizeof(float)) continue;  // checkpoints are float32
    const auto before = make(2);
    for (int i = 0; i < 3; ++i) before->step();
    const auto after = make(2);
    after->restore(before->state(), before->steps_done());
    align::AlignStats stats;
    for (int i = 0; i < 3; ++i) stats = after->step();
    CHECK(same_tensors(whole->state(), after->state()));
    CHECK(stats.probed);
    CHECK_EQ(after->start().group.reward, whole->start().group.reward);
    CHECK(!same_tensors(whole->state(), before->state()));
  }
}

TEST(stop_rules_fire) {
  const auto data = bent_dataset(6, 90);
  const ModelConfig model = bandit_model();
  const auto stopped_by = [&](AlignConfig config) {
    config.probe_every = 5;
    Aligner aligner(model, config, data, std::make_shared<Bandit>(4), std::make_shared<Bandit>(4),
                    random_weights(model, 1), portable(), 1);
    for (int i = 0; i < 200; ++i) {
      const align::AlignStats stats = aligner.step();
      if (stats.stop != align::StopRule::none) return stats.stop;
    }
    return align::StopRule::none;
  };
  AlignConfig config = bandit_config(1);
  CHECK(stopped_by(config) == align::StopRule::none);
  config.max_kl = 0.2;
  CHECK(stopped_by(config) == align::StopRule::kl);
  config.max_kl = 1e9, config.min_diversity = 0.3;
  CHECK(stopped_by(config) == align::StopRule::diversity);
  config.min_diversity = 0, config.max_ade_drift = 0.05;
  CHECK(stopped_by(config) == align::StopRule::ade_drift);
}

TEST(bad_alignments_are_refused) {
  const auto data = bent_dataset(6, 90);
  const ModelConfig model = bandit_model();
  const std::vector<NamedTensor> weights = random_weights(model, 1);
  const auto make = [&](const AlignConfig& config, int scenes) {
    Aligner(model, config, data, std::make_shared<Bandit>(scenes), nullptr, weights, portable(), 1);
  };
  AlignConfig config = bandit_config(1);
  make(config, 4);
  CHECK_THROWS(make(config, 0), Error);
  CHECK_THROWS(make(config, 100'000), Error);  // windows that the data set does not have
  const auto with = [&](auto change) {
    AlignConfig changed = config;
    change(changed);
    return changed;
  };
  CHECK_THROWS(make(with([](AlignConfig& c) { c.micro_batches = 3; }), 4), Error);
  CHECK_THROWS(make(with([](AlignConfig& c) { c.rollout_steps = {}; }), 4), Error);
  CHECK_THROWS(make(with([](AlignConfig& c) { c.rollout_steps = {5, 0}; }), 4), Error);
  CHECK_THROWS(make(with([](AlignConfig& c) { c.group = 0; }), 4), Error);
  CHECK_THROWS(make(with([](AlignConfig& c) { c.temperature = 0; }), 4), Error);
  CHECK_THROWS(make(with([](AlignConfig& c) { c.lr = -1; }), 4), Error);
  CHECK_THROWS(make(with([](AlignConfig& c) { c.lr = std::nan(""); }), 4), Error);
}

}  // namespace wam::test
