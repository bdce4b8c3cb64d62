// Plans: the prefix cache is exact, samples do not depend on their neighbours, and neither threads nor the instruction
// set change a plan.

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "model/posterior_network.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

std::vector<cpu::Isa> isas() {
  std::vector<cpu::Isa> list;
  for (cpu::Isa isa : {cpu::Isa::portable, cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (cpu::isa_supported(isa)) list.push_back(isa);
  }
  return list;
}

}  // namespace

TEST(prefix_cached_logits_equal_a_full_recompute) {
  const auto data = bent_dataset(6, 90);
  for (MaskKind mask : {MaskKind::prefix, MaskKind::causal}) {
    ModelConfig config = small_planner(mask);
    if (mask == MaskKind::causal) config.rope_theta = 1000;
    const auto model = random_model(config, 4);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
    PosteriorNetwork network(model, *backend, 4);
    scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
    scene::Features features;
    for (int window = 0; window < data->size(); window += data->size() / 5) {
      builder.build(observed(*data, window), {}, features);
      std::vector<std::int32_t> tokens(3 * 24);
      for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>((i * 37 + window) % 102);
      const std::size_t n = tokens.size() * static_cast<std::size_t>(config.vocab);
      network.set_prefix(features, 3, true);
      network.encode_prefix();
      const real* p = network.logits(tokens.data(), 3);
      const std::vector<real> cached(p, p + n);
      network.set_prefix(features, 3, false);
      network.encode_prefix();
      CHECK_ALL_NEAR(network.logits(tokens.data(), 3), cached.data(), static_cast<long>(n), 1e-5);
      // The cache survives steps: a second call with other tokens, then the first again.
      network.set_prefix(features, 3, true);
      network.encode_prefix();
      std::vector<std::int32_t> other(tokens.rbegin(), tokens.rend());
      network.logits(other.data(), 3);
      CHECK_SAME_BITS(network.logits(tokens.data(), 3), cached.data(), n);
    }
  }
}

TEST(prefix_cached_sampling_gives_exactly_the_tokens_of_a_full_recompute) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 5);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {4, 8});
  PlanOutput cached, full;
  for (StepRule rule : {StepRule::released, StepRule::integrated, StepRule::renoise}) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      PlanOptions options = sampled(1 + static_cast<int>(seed % 6), 2, seed);
      options.rule = rule;
      const scene::Observation observation = observed(*data, static_cast<int>(seed) % data->size());
      engine.plan(observation, options, cached);
      options.cache = false;
      engine.plan(observation, options, full);
      CHECK(cached.tokens == full.tokens);
    }
  }
}

TEST(a_sample_does_not_depend_on_how_many_are_drawn_beside_it) {
  const auto data = bent_dataset(6, 90);
  for (MaskKind mask : {MaskKind::prefix, MaskKind::full}) {
    const auto model = random_model(small_planner(mask), 6);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
    PlanEngine engine(model, *backend, {8, 8});
    PlanOutput one, many;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const scene::Observation observation = observed(*data, static_cast<int>(seed) % data->size());
      engine.plan(observation, sampled(3, 1, seed), one);
      engine.plan(observation, sampled(3, 8, seed), many);
      CHECK(std::equal(one.tokens.begin(), one.tokens.end(), many.tokens.begin()));
      CHECK(std::equal(one.samples.begin(), one.samples.end(), many.samples.begin()));
    }
  }
}

TEST(plans_are_the_same_on_one_and_two_threads_and_on_avx2_and_avx512) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 7);
  const FlushDenormals flush;
  ThreadPool two(2);
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const scene::Observation observation = observed(*data, static_cast<int>(seed) % data->size());
    PlanOutput first, next;
    bool have_first = false;
    for (cpu::Isa isa : isas()) {
      if (isa == cpu::Isa::portable && sizeof(real) < 8) continue;  // rounds differently: see the test below
      for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), &two}) {
        const auto backend = cpu::make_cpu_backend(pool, isa);
        PlanEngine engine(model, *backend, {4, 8});
        engine.plan(observation, sampled(4, 4, seed), have_first ? next : first);
        if (have_first) {
          CHECK(first.tokens == next.tokens);
          CHECK_SAME_BITS(next.log_probability.data(), first.log_probability.data(), first.log_probability.size());
        }
        have_first = true;
      }
    }
  }
}

TEST(one_step_argmax_takes_the_token_of_the_largest_logit) {
  const auto data = bent_dataset(6, 90);
  const ModelConfig config = small_planner(MaskKind::prefix);
  const auto model = random_model(config, 8);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {1, 8});
  PosteriorNetwork network(model, *backend, 1);
  scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
  scene::Features features;
  PlanOutput out;
  PlanOptions options;
  options.decode = options.last_decode = DecodeRule::argmax;
  const scene::Observation observation = observed(*data, 3);
  engine.plan(observation, options, out);
  builder.build(observation, {}, features);
  network.set_prefix(features, 1, true);
  network.encode_prefix();
  const std::vector<std::int32_t> mask(24, config.vocab);
  const real* logits = network.logits(mask.data(), 1);
  for (int slot = 0; slot < 24; ++slot) {
    const real* row = logits + slot * config.vocab;
    CHECK_EQ(out.tokens[slot], static_cast<std::int32_t>(std::max_element(row, row + config.vocab) - row));
  }
  CHECK_EQ(out.steps_run, 1);
}

TEST(a_deadline_in_the_past_still_gives_a_whole_plan_of_one_step) {
  const auto data = bent_dataset(4, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 9);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {4, 16});
  PlanOptions options = sampled(10, 2, 1);
  options.last_decode = DecodeRule::median;
  options.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  PlanOutput late, one;
  const scene::Observation observation = observed(*data, 0);
  engine.plan(observation, options, late);
  CHECK_EQ(late.steps_run, 1);
  CHECK_EQ(late.refinements.size(), 24u);
  // It is decoded as a last step is.
  options.steps = 1, options.deadline = std::chrono::steady_clock::time_point::max();
  engine.plan(observation, options, one);
  CHECK(late.tokens == one.tokens);
}

TEST(an_abort_before_the_first_step_runs_nothing) {
  const auto data = bent_dataset(4, 90);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(random_model(small_planner(MaskKind::prefix), 9), *backend, {4, 16});
  const std::atomic<bool> abort{true};
  PlanOptions options;
  options.abort = &abort;
  PlanOutput out;
  engine.plan(observed(*data, 0), options, out);
  CHECK(out.aborted);
  CHECK_EQ(out.steps_run, 0);
}

TEST(a_plan_for_another_tracked_point_is_the_same_motion_of_the_box) {
  // Observed at the rear axle or at the box centre, the vehicle is the same: the centre path of both plans must agree.
  const auto data = bent_dataset(4, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 10);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {1, 4});
  scene::Observation center = observed(*data, 2), rear = center;
  rear.center_offset = 1.5;
  for (scene::MotionState& s : rear.ego.history) s.x -= 1.5 * std::cos(s.heading), s.y -= 1.5 * std::sin(s.heading);
  PlanOutput a, b;
  engine.plan(center, {}, a);
  engine.plan(rear, {}, b);
  for (int w = 0; w < 8; ++w) {
    const float* p = &b.trajectory[w * 3];
    CHECK_NEAR(p[0] + 1.5 * std::cos(p[2]) - 1.5, a.trajectory[w * 3], 1e-4);
    CHECK_NEAR(p[1] + 1.5 * std::sin(p[2]), a.trajectory[w * 3 + 1], 1e-4);
  }
}

}  // namespace wam::test
