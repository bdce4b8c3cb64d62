// The estimators of a plan's log-probability against enumeration: three slots of three tokens have 27 plans, so that the
// expected reward of a two-step policy, and its gradient, can be written down.

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "align/policy_pass.h"
#include "cpu/cpu_backend.h"
#include "model/trajectory_tokens.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

using align::Estimator;

constexpr int kVocab = 3, kSlots = 3, kPlans = 27, kMask = kPlans;  // kMask: number of the masked input

std::array<std::int32_t, kSlots> plan_of(int index) {
  if (index == kMask) return {kVocab, kVocab, kVocab};
  return {index % 3, index / 3 % 3, index / 9};
}
int index_of(const std::int32_t* plan) { return plan[0] == kVocab ? kMask : plan[0] + 3 * plan[1] + 9 * plan[2]; }

/// No structure at all, so that nothing cancels.
double reward_of(int plan) { return std::sin(1.7 * plan) + 0.3 * plan * (plan % 4); }

ModelConfig tiny() {
  ModelConfig c;
  c.hidden = 12, c.layers = 1, c.heads = 2, c.kv_heads = 2, c.mlp_hidden = 16, c.encoder_hidden = 8;
  c.max_agents = 2, c.max_lanes = 2, c.vocab = kVocab, c.waypoints = 1;
  c.slot_scale.assign(kSlots, 4.0);
  c.sampling_schedule.final_width = 0.2;  // at t = 1/2 neighbours are still drawn
  c.schedule.final_width = 0.2;
  return c;
}

struct Tiny {
  ModelConfig config = tiny();
  Network network{config};
  std::shared_ptr<scene::Dataset> data = bent_dataset(4, 60);
  std::unique_ptr<Backend> backend = cpu::make_cpu_backend(nullptr, cpu::Isa::portable);
  scene::Features features;
  std::vector<real> block, tables, coordinate;
  TokenMetric metric;
  align::PolicyPass pass;
  align::PolicyNetwork plain;

  Tiny() : pass(config, network, *backend, 1, 64, 1024), plain(config, network, *backend, 1, kPlans + 1, false) {
    scene::FeatureBuilder({config.max_agents, config.max_lanes}).build(observed(*data, 3), {}, features);
    block = initial_weights(config, network, 5, {});
    const RandomStream stream(11);
    for (const TensorSpec& t : network.layout.tensors()) {
      if (!t.trained) continue;
      for (std::int64_t i = t.offset; i < t.offset + t.count; ++i) {
        const Philox4 r = stream.at(static_cast<std::uint32_t>(i), 0, 0, RandomUse::initial_weight);
        block[i] += static_cast<real>(0.6 * (unit_uniform(r.word[0]) - 0.5));
      }
    }
    tables.resize(static_cast<std::size_t>(NumericTables::size(config)));
    coordinate = TrajectoryTokens(config).coordinates();
    metric = token_metric(config, network, block.data(), coordinate.data());
  }

  align::Policy policy() {
    NumericTables numeric = NumericTables::at(config, tables.data());
    make_numeric_tables(config, network, *backend, block.data(), numeric);
    return {block.data(), numeric};
  }

  /// log p(token | input, slot) for every input: [28][slot][token].
  std::vector<std::array<std::array<double, kVocab>, kSlots>> log_posteriors() {
    std::vector<std::int32_t> inputs;
    for (int i = 0; i <= kPlans; ++i) {
      for (const std::int32_t token : plan_of(i)) inputs.push_back(token);
    }
    const scene::Features* scene = &features;
    const int blocks = kPlans + 1;
    const std::int32_t* input = inputs.data();
    const align::Policy now = policy();
    plain.arrange({&scene, 1}, {&blocks, 1});
    plain.encode(now);
    const real* logits = plain.logits(now, {&input, 1});
    std::vector<std::array<std::array<double, kVocab>, kSlots>> out(kPlans + 1);
    for (auto& of_input : out) {
      for (auto& row : of_input) {
        double sum = 0;
        for (int v = 0; v < kVocab; ++v) sum += std::exp(static_cast<double>(logits[v]));
        for (int v = 0; v < kVocab; ++v) row[v] = static_cast<double>(logits[v]) - std::log(sum);
        logits += kVocab;
      }
    }
    return out;
  }

  /// log p(plan | input): [28][27].
  std::vector<std::array<double, kPlans>> log_plans() {
    const auto posterior = log_posteriors();
    std::vector<std::array<double, kPlans>> out(kPlans + 1);
    for (int input = 0; input <= kPlans; ++input) {
      for (int plan = 0; plan < kPlans; ++plan) {
        const auto tokens = plan_of(plan);
        out[input][plan] = 0;
        for (int s = 0; s < kSlots; ++s) out[input][plan] += posterior[input][s][tokens[s]];
      }
    }
    return out;
  }

  /// Kernel of the metric path at inverse temperature beta: p(y | x_1).
  std::array<std::array<double, kVocab>, kVocab> path(double beta) const {
    std::array<std::array<double, kVocab>, kVocab> p{};
    for (int x = 0; x < kVocab; ++x) {
      double sum = 0;
      for (int y = 0; y < kVocab; ++y) sum += p[x][y] = std::exp(-beta * distance(y, x));
      for (double& value : p[x]) value /= sum;
    }
    return p;
  }
  double distance(int a, int b) const { return std::abs(static_cast<double>(coordinate[a]) - coordinate[b]); }

  /// P(x_{1/2} | x_1 drawn at t = 0) of one slot, over a uniform x_0.
  std::array<std::array<double, kVocab>, kVocab> half_step(StepRule rule) const {
    const double half = config.sampling_schedule.beta(0.5);
    if (rule == StepRule::renoise) return path(half);
    const auto p = path(config.sampling_schedule.beta(0));
    const double weight = half - config.sampling_schedule.beta(0);
    std::array<std::array<double, kVocab>, kVocab> out{};
    for (int x1 = 0; x1 < kVocab; ++x1) {
      for (int x0 = 0; x0 < kVocab; ++x0) {
        double rate[kVocab], total = 0;
        for (int y = 0; y < kVocab; ++y) {
          rate[y] = y == x0 ? 0 : weight * p[x1][y] * std::max(0.0, distance(x0, x1) - distance(y, x1));
          total += rate[y];
        }
        out[x1][x0] += std::exp(-total) / kVocab;
        for (int y = 0; y < kVocab && total > 0; ++y) out[x1][y] += (1 - std::exp(-total)) * rate[y] / total / kVocab;
      }
    }
    return out;
  }

  double half_step(const std::array<std::array<double, kVocab>, kVocab>& kernel, int x1, int next) const {
    const auto from = plan_of(x1), to = plan_of(next);
    double product = 1;
    for (int s = 0; s < kSlots; ++s) product *= kernel[from[s]][to[s]];
    return product;
  }

  /// Derivative of `value` of the weights along `direction`.
  double derivative(const std::vector<real>& direction, const std::function<double()>& value) {
    const std::vector<real> saved = block;
    const double step = 1e-5;
    double side[2];
    for (int i = 0; i < 2; ++i) {
      for (std::size_t k = 0; k < block.size(); ++k) {
        block[k] = saved[k] + static_cast<real>((i == 0 ? step : -step) * direction[k]);
      }
      side[i] = value();
    }
    block = saved;
    return (side[0] - side[1]) / (2 * step);
  }

  std::vector<real> direction(int number) const {
    std::vector<real> out(block.size());
    const RandomStream stream(100 + static_cast<std::uint64_t>(number));
    for (const TensorSpec& t : network.layout.tensors()) {
      if (!t.trained) continue;
      for (std::int64_t i = t.offset; i < t.offset + t.count; ++i) {
        out[i] = (stream.at(static_cast<std::uint32_t>(i), 0, 0, RandomUse::initial_weight).word[0] & 1) != 0 ? 1 : -1;
      }
    }
    return out;
  }

  /// Gradient of the policy objective over decisions (input, plan, advantage), each of weight 1, at ratio 1.
  std::vector<real> gradient(const std::vector<std::array<double, 3>>& decisions) {
    align::Decisions d;
    d.begin_scene(0);
    std::vector<int> number(kPlans + 1, -1);
    for (const auto& [input, plan, advantage] : decisions) {
      int& block_of = number[static_cast<int>(input)];
      const auto in = plan_of(static_cast<int>(input)), out = plan_of(static_cast<int>(plan));
      if (block_of < 0) {
        block_of = d.blocks[0]++;
        d.input.insert(d.input.end(), in.begin(), in.end());
      }
      d.block.push_back(block_of);
      d.token.insert(d.token.end(), out.begin(), out.end());
      d.advantage.push_back(static_cast<real>(advantage));
    }
    std::vector<real> grad(block.size()), table_grad(tables.size());
    const NumericTables numeric = NumericTables::at(config, table_grad.data());
    const align::Policy now = policy();
    pass.run(now, now, {&features, 1}, d, {}, 1, grad.data(), &numeric);
    numeric_tables_backward(config, network, *backend, block.data(), numeric, grad.data());
    return grad;
  }

  /// Along random directions the gradient of the objective is minus that of `value`.
  void check_ascends(const std::vector<real>& grad, const std::function<double()>& value) {
    for (int i = 0; i < 4; ++i) {
      const std::vector<real> along = direction(i);
      double expected = 0, size = 0;
      for (std::size_t k = 0; k < grad.size(); ++k) {
        expected -= static_cast<double>(grad[k]) * along[k];
        size += std::abs(static_cast<double>(grad[k]));
      }
      CHECK_NEAR(derivative(along, value), expected, 1e-7 * (1 + size));
    }
  }
};

}  // namespace

TEST(the_chain_estimate_is_the_gradient_of_the_expected_reward) {
  if (sizeof(real) < 8) skip("needs the double build");
  Tiny tiny;
  for (const StepRule rule : {StepRule::renoise, StepRule::integrated}) {
    const Context context(rule == StepRule::renoise ? "renoise" : "integrated");
    const auto kernel = tiny.half_step(rule);
    const auto expected_reward = [&] {
      const auto log_plan = tiny.log_plans();
      double sum = 0;
      for (int x1 = 0; x1 < kPlans; ++x1) {
        for (int x = 0; x < kPlans; ++x) {
          const double reach = std::exp(log_plan[kMask][x1]) * tiny.half_step(kernel, x1, x);
          for (int plan = 0; plan < kPlans; ++plan) sum += reach * std::exp(log_plan[x][plan]) * reward_of(plan);
        }
      }
      return sum;
    };
    // Every chain with its probability; those with the same decision are one.
    const auto log_plan = tiny.log_plans();
    std::array<double, kPlans> value{}, reach{};
    for (int x = 0; x < kPlans; ++x) {
      for (int plan = 0; plan < kPlans; ++plan) value[x] += std::exp(log_plan[x][plan]) * reward_of(plan);
    }
    std::vector<std::array<double, 3>> decisions;
    for (int x1 = 0; x1 < kPlans; ++x1) {
      double ahead = 0;
      for (int x = 0; x < kPlans; ++x) {
        const double p = tiny.half_step(kernel, x1, x);
        ahead += p * value[x];
        reach[x] += std::exp(log_plan[kMask][x1]) * p;
      }
      decisions.push_back({kMask, static_cast<double>(x1), std::exp(log_plan[kMask][x1]) * ahead});
    }
    for (int x = 0; x < kPlans; ++x) {
      for (int plan = 0; plan < kPlans; ++plan) {
        decisions.push_back({static_cast<double>(x), static_cast<double>(plan),
                             reach[x] * std::exp(log_plan[x][plan]) * reward_of(plan)});
      }
    }
    tiny.check_ascends(tiny.gradient(decisions), expected_reward);
  }
}

TEST(the_last_step_estimate_is_the_gradient_with_the_inputs_of_the_last_step_as_they_are) {
  if (sizeof(real) < 8) skip("needs the double build");
  Tiny tiny;
  const auto kernel = tiny.half_step(StepRule::renoise);
  const auto first = tiny.log_plans();
  std::array<double, kPlans> reach{};
  for (int x1 = 0; x1 < kPlans; ++x1) {
    for (int x = 0; x < kPlans; ++x) reach[x] += std::exp(first[kMask][x1]) * tiny.half_step(kernel, x1, x);
  }
  std::vector<std::array<double, 3>> decisions;
  for (int x = 0; x < kPlans; ++x) {
    for (int plan = 0; plan < kPlans; ++plan) {
      decisions.push_back(
          {static_cast<double>(x), static_cast<double>(plan), reach[x] * std::exp(first[x][plan]) * reward_of(plan)});
    }
  }
  const auto frozen_inputs = [&] {
    const auto log_plan = tiny.log_plans();
    double sum = 0;
    for (int x = 0; x < kPlans; ++x) {
      for (int plan = 0; plan < kPlans; ++plan) sum += reach[x] * std::exp(log_plan[x][plan]) * reward_of(plan);
    }
    return sum;
  };
  tiny.check_ascends(tiny.gradient(decisions), frozen_inputs);
}

TEST(the_one_shot_estimate_is_the_gradient_of_the_log_likelihood_of_noised_plans) {
  if (sizeof(real) < 8) skip("needs the double build");
  Tiny tiny;
  const auto kernel = tiny.half_step(StepRule::renoise);
  const auto noise = tiny.path(tiny.config.schedule.beta(0.5));
  const auto first = tiny.log_plans();
  std::array<double, kPlans> drawn{};  // probability of a plan
  for (int x1 = 0; x1 < kPlans; ++x1) {
    for (int x = 0; x < kPlans; ++x) {
      const double reach = std::exp(first[kMask][x1]) * tiny.half_step(kernel, x1, x);
      for (int plan = 0; plan < kPlans; ++plan) drawn[plan] += reach * std::exp(first[x][plan]);
    }
  }
  std::vector<std::array<double, 3>> decisions;
  for (int plan = 0; plan < kPlans; ++plan) {
    decisions.push_back({kMask, static_cast<double>(plan), 0.25 * drawn[plan] * reward_of(plan)});
    for (int x = 0; x < kPlans; ++x) {
      decisions.push_back({static_cast<double>(x), static_cast<double>(plan),
                           0.75 * drawn[plan] * tiny.half_step(noise, plan, x) * reward_of(plan)});
    }
  }
  const auto likelihood = [&] {
    const auto log_plan = tiny.log_plans();
    double sum = 0;
    for (int plan = 0; plan < kPlans; ++plan) {
      sum += 0.25 * drawn[plan] * reward_of(plan) * log_plan[kMask][plan];
      for (int x = 0; x < kPlans; ++x) {
        sum += 0.75 * drawn[plan] * tiny.half_step(noise, plan, x) * reward_of(plan) * log_plan[x][plan];
      }
    }
    return sum;
  };
  tiny.check_ascends(tiny.gradient(decisions), likelihood);
}

TEST(rollouts_draw_chains_as_often_as_enumeration_says) {
  Tiny tiny;
  constexpr int kSamples = 64, kSeeds = 250;
  for (const StepRule rule : {StepRule::renoise, StepRule::integrated}) {
    const Context context(rule == StepRule::renoise ? "renoise" : "integrated");
    const auto kernel = tiny.half_step(rule);
    const auto log_plan = tiny.log_plans();
    std::vector<double> expected(kPlans * kPlans);  // by input of the last step and plan
    for (int x1 = 0; x1 < kPlans; ++x1) {
      for (int x = 0; x < kPlans; ++x) {
        const double reach = std::exp(log_plan[kMask][x1]) * tiny.half_step(kernel, x1, x);
        for (int plan = 0; plan < kPlans; ++plan) expected[x * kPlans + plan] += reach * std::exp(log_plan[x][plan]);
      }
    }
    align::Rollouts rollouts(tiny.config, tiny.network, *tiny.backend, tiny.metric, 1, kSamples, 2);
    const scene::Features* scene = &tiny.features;
    std::vector<double> seen(expected.size());
    const align::Policy policy = tiny.policy();
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      rollouts.run(policy, {&scene, 1}, {&seed, 1}, {2, 1, rule});
      for (int s = 0; s < kSamples; ++s) {
        CHECK_EQ(index_of(rollouts.input(0) + s * kSlots), kMask);
        ++seen[index_of(rollouts.input(1) + s * kSlots) * kPlans + index_of(rollouts.drawn(1) + s * kSlots)];
      }
    }
    // Pearson's statistic over cells of at least 5 expected counts: mean `cells`, variance 2 `cells`.
    const double n = kSamples * kSeeds;
    double statistic = 0, cells = 0, rest_seen = 0, rest_expected = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double e = n * expected[i];
      if (e < 5) {
        rest_seen += seen[i], rest_expected += e;
        continue;
      }
      statistic += (seen[i] - e) * (seen[i] - e) / e;
      ++cells;
    }
    CHECK(cells > 100);
    CHECK(statistic < cells + 5 * std::sqrt(2 * cells));
    CHECK(std::abs(rest_seen - rest_expected) < 5 * std::sqrt(rest_expected + 1));
  }
}

TEST(decisions_of_every_estimator_have_the_log_probabilities_that_enumeration_says) {
  Tiny tiny;
  constexpr int kSamples = 8;
  const auto posterior = tiny.log_posteriors();
  const align::Policy policy = tiny.policy();
  const scene::Features* scene = &tiny.features;
  align::Rollouts rollouts(tiny.config, tiny.network, *tiny.backend, tiny.metric, 1, kSamples, 2);
  for (const Estimator estimator : {Estimator::chain, Estimator::last, Estimator::one_shot}) {
    const Context context("estimator " + std::to_string(static_cast<int>(estimator)));
    align::Collector collector(tiny.config, tiny.metric, *tiny.backend, estimator, 1, kSamples);
    int masked = 0, all = 0, same = 0, unmasked_tokens = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      rollouts.run(policy, {&scene, 1}, {&seed, 1}, {2, 1, StepRule::renoise});
      std::vector<double> advantage(kSamples);
      for (int i = 0; i < kSamples; ++i) advantage[i] = i - 3.5;
      align::Collector::Draw draw;
      draw.update = static_cast<std::uint32_t>(seed), draw.zero_share = 0.25;
      align::Decisions d;
      collector.collect(rollouts, 2, advantage, {true}, draw, d);
      CHECK_EQ(d.decisions(), align::most_decisions(estimator, 1, kSamples, 2));
      for (int i = 0; i < d.decisions(); ++i) {
        const int sample = i % kSamples, step = estimator == Estimator::chain ? i / kSamples : 1;
        const std::int32_t* token = &d.token[static_cast<std::size_t>(i) * kSlots];
        CHECK(std::equal(token, token + kSlots, rollouts.drawn(step) + sample * kSlots));
        CHECK_NEAR(d.advantage[i], advantage[sample], 1e-6);
        const std::int32_t* input = &d.input[static_cast<std::size_t>(d.block[i]) * kSlots];
        if (estimator != Estimator::one_shot) {
          CHECK(std::equal(input, input + kSlots, rollouts.input(step) + sample * kSlots));
        } else {
          ++all, masked += index_of(input) == kMask;
          for (int s = 0; s < kSlots && index_of(input) != kMask; ++s) ++unmasked_tokens, same += input[s] == token[s];
        }
      }
      if (seed >= 20) continue;
      // Equal mask inputs are one.
      const auto masks = std::count(d.input.begin(), d.input.end(), kVocab);
      CHECK(masks == 0 || masks == kSlots);
      tiny.pass.run(policy, policy, {&tiny.features, 1}, d, {}, 1, nullptr, nullptr);
      for (int i = 0; i < d.decisions(); ++i) {
        const int input = index_of(&d.input[static_cast<std::size_t>(d.block[i]) * kSlots]);
        for (int s = 0; s < kSlots; ++s) {
          const std::size_t at = static_cast<std::size_t>(i) * kSlots + s;
          CHECK_NEAR(d.old[at], posterior[input][s][d.token[at]], sizeof(real) < 8 ? 1e-5 : 1e-12);
        }
      }
    }
    if (estimator != Estimator::one_shot) continue;
    CHECK(std::abs(masked - 0.25 * all) < 5 * std::sqrt(all * 0.25 * 0.75));
    // How often a token survives noise at a uniform time: the mean of the kernel's diagonal, by the drawn tokens.
    CHECK(same > 0.4 * unmasked_tokens);
    CHECK(same < unmasked_tokens);
  }
}

TEST(rollouts_are_the_plans_of_a_planner_with_their_seeds) {
  const auto data = bent_dataset(6, 90);
  for (const MaskKind mask : {MaskKind::prefix, MaskKind::causal, MaskKind::full}) {
    const ModelConfig config = small_planner(mask);
    const auto model = random_model(config, 4);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::Isa::portable);
    const Network network(config);
    std::vector<real> tables(static_cast<std::size_t>(NumericTables::size(config)));
    align::Policy policy{model->data(), NumericTables::at(config, tables.data())};
    make_numeric_tables(config, network, *backend, model->data(), policy.tables);
    const std::vector<real> coordinate = TrajectoryTokens(config).coordinates();
    const TokenMetric metric = token_metric(config, network, model->data(), coordinate.data());
    align::Rollouts rollouts(config, network, *backend, metric, 3, 4, 5);
    PlanEngine engine(model, *backend, {4, 5});
    std::vector<scene::Features> features(3);
    std::vector<const scene::Features*> scenes;
    std::vector<std::uint64_t> seeds;
    scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
    for (int i = 0; i < 3; ++i) {
      builder.build(observed(*data, 7 * i), {}, features[i]);
      scenes.push_back(&features[i]);
      seeds.push_back(1000 + static_cast<std::uint64_t>(i));
    }
    for (const int steps : {1, 2, 5}) {
      rollouts.run(policy, scenes, seeds, {steps, 1, StepRule::renoise});
      for (int i = 0; i < 3; ++i) {
        PlanOutput out;
        engine.plan(observed(*data, 7 * i), sampled(steps, 4, seeds[i]), out);
        CHECK_EQ(out.tokens.size(), std::size_t{4 * 24});
        CHECK(std::equal(out.tokens.begin(), out.tokens.end(), rollouts.drawn(steps - 1) + i * 4 * 24));
      }
    }
  }
}

}  // namespace wam::test
