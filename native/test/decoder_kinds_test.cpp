// Decoders beside the flow: autoregression with its cache, DDIM, regression.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "model/diffusion.h"
#include "model/posterior_network.h"
#include "model/trainer.h"
#include "model/trajectory_tokens.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

ModelConfig with_decoder(DecoderKind decoder, MaskKind mask = MaskKind::prefix) {
  ModelConfig config = small_planner(mask);
  config.decoder = decoder;
  if (mask == MaskKind::causal) config.rope_theta = 1000;
  return config;
}

std::shared_ptr<const Model> decoder_model(const ModelConfig& config, std::uint64_t seed) {
  if (!config.continuous()) return random_model(config, seed);
  const Network network(config);
  std::vector<real> block = initial_weights(config, network, seed, {});
  for (int i = 0; i < config.hidden; ++i) block[static_cast<std::size_t>(network.value_head.weight + i)] *= 5;
  return std::make_shared<Model>(config, named_tensors(network.layout, "", block.data()));
}

scene::Features features_of(const ModelConfig& config, const scene::Dataset& data, int window) {
  scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
  scene::Features features;
  builder.build(observed(data, window), {}, features);
  return features;
}

std::string refusal(PlanEngine& engine, const scene::Observation& observation, const PlanOptions& options) {
  PlanOutput out;
  try {
    engine.plan(observation, options, out);
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

}  // namespace

TEST(autoregressive_logits_from_the_cache_equal_those_of_one_pass_over_all_tokens) {
  const auto data = bent_dataset(6, 90);
  for (const MaskKind mask : {MaskKind::prefix, MaskKind::causal}) {
    const ModelConfig config = with_decoder(DecoderKind::autoregressive, mask);
    const auto model = random_model(config, 4);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
    PosteriorNetwork network(model, *backend, 1);
    for (int window = 0; window < data->size(); window += data->size() / 4) {
      network.set_prefix(features_of(config, *data, window), 1, true);
      network.encode_prefix();
      std::vector<std::int32_t> fed(24);
      for (int j = 0; j < 24; ++j) fed[static_cast<std::size_t>(j)] = j == 0 ? config.vocab : (j * 37 + window) % 101;
      std::vector<real> one_by_one;
      for (int j = 0; j < 24; ++j) {
        const real* row = network.next_logits(&fed[static_cast<std::size_t>(j)], j);
        one_by_one.insert(one_by_one.end(), row, row + config.vocab);
      }
      const real* all = network.logits(fed.data(), 1);
      CHECK_ALL_NEAR(all, one_by_one.data(), static_cast<long>(one_by_one.size()), 1e-5);
      // Nothing looks ahead: another token in the middle changes what comes from there on and nothing before.
      const std::vector<real> before(all, all + one_by_one.size());
      fed[12] = (fed[12] + 50) % 101;
      const real* after = network.logits(fed.data(), 1);
      CHECK_SAME_BITS(after, before.data(), 12u * 101u);
      CHECK(!std::equal(after + 12 * 101, after + 13 * 101, before.data() + 12 * 101));
    }
  }
}

TEST(autoregressive_samples_follow_the_product_of_their_conditionals) {
  // Two tokens a slot and the first two slots: the frequency of each pair against the network's own probabilities.
  const auto data = bent_dataset(6, 90);
  ModelConfig config = with_decoder(DecoderKind::autoregressive);
  config.vocab = 3;
  const auto model = random_model(config, 11);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PosteriorNetwork network(model, *backend, 1);
  network.set_prefix(features_of(config, *data, 5), 1, true);
  network.encode_prefix();
  const auto probabilities = [&](std::int32_t fed, int slot) {
    const real* logits = network.next_logits(&fed, slot);
    double p[3], sum = 0;
    for (int v = 0; v < 3; ++v) sum += p[v] = std::exp(static_cast<double>(logits[v]));
    return std::vector<double>{p[0] / sum, p[1] / sum, p[2] / sum};
  };
  double expected[9];
  const std::vector<double> first = probabilities(3, 0);
  for (int a = 0; a < 3; ++a) {
    probabilities(3, 0);  // the cache of slot 0 again
    const std::vector<double> second = probabilities(a, 1);
    for (int b = 0; b < 3; ++b)
      expected[3 * a + b] = first[static_cast<std::size_t>(a)] * second[static_cast<std::size_t>(b)];
  }
  constexpr int kPlans = 400, kSamples = 8;
  PlanEngine engine(model, *backend, {kSamples, 1});
  PlanOutput out;
  double seen[9] = {};
  for (int plan = 0; plan < kPlans; ++plan) {
    engine.plan(observed(*data, 5), sampled(1, kSamples, static_cast<std::uint64_t>(plan)), out);
    for (int s = 0; s < kSamples; ++s)
      ++seen[3 * out.tokens[static_cast<std::size_t>(24 * s)] + out.tokens[static_cast<std::size_t>(24 * s + 1)]];
  }
  double chi2 = 0;
  for (int i = 0; i < 9; ++i) {
    const double mean = expected[i] * kPlans * kSamples;
    chi2 += (seen[i] - mean) * (seen[i] - mean) / mean;
  }
  CHECK(chi2 < 26.1);  // 0.1 % of 8 degrees of freedom
}

TEST(autoregressive_plans_say_the_probability_of_their_tokens_and_do_not_depend_on_company) {
  const auto data = bent_dataset(6, 90);
  const ModelConfig config = with_decoder(DecoderKind::autoregressive);
  const auto model = random_model(config, 6);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {4, 2});
  PosteriorNetwork network(model, *backend, 1);
  PlanOutput one, many;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const int window = static_cast<int>(seed) * 7 % data->size();
    engine.plan(observed(*data, window), sampled(1, 1, seed), one);
    engine.plan(observed(*data, window), sampled(1, 4, seed), many);
    CHECK(std::equal(one.tokens.begin(), one.tokens.end(), many.tokens.begin()));
    CHECK(!std::equal(one.tokens.begin(), one.tokens.end(), many.tokens.begin() + 24));
    network.set_prefix(features_of(config, *data, window), 1, true);
    network.encode_prefix();
    for (int j = 0; j < 24; ++j) {
      const std::int32_t fed = j == 0 ? config.vocab : one.tokens[static_cast<std::size_t>(j - 1)];
      const real* logits = network.next_logits(&fed, j);
      double sum = 0;
      for (int v = 0; v < config.vocab; ++v) sum += std::exp(static_cast<double>(logits[v]));
      CHECK_NEAR(one.log_probability[static_cast<std::size_t>(j)],
                 static_cast<double>(logits[one.tokens[static_cast<std::size_t>(j)]]) - std::log(sum), 1e-4);
    }
  }
}

TEST(ddim_steps_keep_the_noise_and_the_data_of_a_sample) {
  for (const double t : {1.0, 0.7, 0.31}) {
    for (const double s : {0.6, 0.2, 0.0}) {
      if (s >= t) continue;
      const NoiseLevel from = NoiseLevel::at(t), to = NoiseLevel::at(s);
      const DdimStep step = DdimStep::between(t, s);
      const double z_0 = 0.8, noise = -1.3;
      CHECK_NEAR(step.a * z_0 + step.b * (from.alpha * z_0 + from.sigma * noise), to.alpha * z_0 + to.sigma * noise,
                 1e-14);
    }
    const NoiseLevel level = NoiseLevel::at(t);
    CHECK_NEAR(level.alpha * level.alpha + level.sigma * level.sigma, 1, 1e-14);
  }
  CHECK_NEAR(diffusion_time(0.8, 0, 4), 0.8, 0);
  CHECK_NEAR(diffusion_time(0.8, 4, 4), 0, 0);
}

TEST(normal_draws_have_the_moments_of_a_normal_distribution) {
  const RandomStream stream(3);
  constexpr int kDraws = 20000;
  double sum[5] = {}, product = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Philox4 r = stream.at(static_cast<std::uint32_t>(i), 0, 0, RandomUse::train_noise);
    const double x = normal_draw(r, 0);
    for (int k = 1; k < 5; ++k) sum[k] += std::pow(x, k) / kDraws;
    product += x * normal_draw(r, 1) / kDraws;
  }
  CHECK_NEAR(sum[1], 0, 5 / std::sqrt(kDraws));
  CHECK_NEAR(sum[2], 1, 5 * std::sqrt(2.0 / kDraws));
  CHECK_NEAR(sum[3], 0, 5 * std::sqrt(15.0 / kDraws));
  CHECK_NEAR(sum[4], 3, 5 * std::sqrt(96.0 / kDraws));
  CHECK_NEAR(product, 0, 5 / std::sqrt(kDraws));
}

TEST(diffusion_plans_are_the_ddim_chain_of_the_network) {
  const auto data = bent_dataset(6, 90);
  for (const double start : {1.0, 0.6}) {
    ModelConfig config = with_decoder(DecoderKind::diffusion);
    config.diffusion_start = start;
    const auto model = decoder_model(config, 5);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
    PlanEngine engine(model, *backend, {3, 6});
    PosteriorNetwork network(model, *backend, 3);
    const TrajectoryTokens tokens(config);
    PlanOutput out;
    for (std::uint64_t seed = 1; seed < 6; ++seed) {
      const int steps = static_cast<int>(seed), window = static_cast<int>(seed) * 9 % data->size();
      const scene::Features features = features_of(config, *data, window);
      network.set_prefix(features, 3, true);
      network.encode_prefix();
      std::vector<real> z(72), u(72), time(kTimeFeatures);
      const RandomStream stream(seed);
      PlanOptions options = sampled(steps, 3, seed);
      if (seed % 2 == 0) options.coupling = Coupling::comonotone;
      for (std::uint32_t i = 0; i < 72; ++i) {
        const std::uint32_t slot = seed % 2 == 0 ? i % 3 : i % 24;
        z[i] = static_cast<real>(std::sin(std::acos(0.0) * start) *
                                 normal_draw(stream.at(0, slot, i / 24, RandomUse::initial_token), 0));
      }
      for (int k = 0; k < steps; ++k) {
        const double t = start * (steps - k) / steps, s = start * (steps - k - 1) / steps;
        write_time_features(t, time.data());
        CHECK(network.values(z.data(), time.data(), 3, u.data()));
        // Noise that the sample holds, put back at the level of s.
        for (std::size_t i = 0; i < 72; ++i) {
          const double z_0 = static_cast<double>(u[i]) / config.diffusion_scale, half_pi = std::acos(0.0);
          const double noise = (static_cast<double>(z[i]) - std::cos(half_pi * t) * z_0) / std::sin(half_pi * t);
          z[i] = static_cast<real>(std::cos(half_pi * s) * z_0 + std::sin(half_pi * s) * noise);
        }
      }
      engine.plan(observed(*data, window), options, out);
      CHECK_EQ(out.steps_run, steps);
      std::vector<float> pose(24);
      for (int s = 0; s < 3; ++s) {
        tokens.decode(u.data() + 24 * s, features.speed, 0, pose.data());
        CHECK_ALL_NEAR(&out.samples[static_cast<std::size_t>(24 * s)], pose.data(), 24, 2e-3);
      }
    }
    // Without draws there is no noise: samples are one plan.
    PlanOptions still;
    still.steps = 3, still.samples = 2;
    engine.plan(observed(*data, 3), still, out);
    CHECK_SAME_BITS(&out.samples[24], out.samples.data(), 24u);
  }
}

TEST(a_diffusion_sample_does_not_depend_on_how_many_are_drawn_beside_it) {
  const auto data = bent_dataset(6, 90);
  for (const MaskKind mask : {MaskKind::prefix, MaskKind::full}) {
    const auto model = decoder_model(with_decoder(DecoderKind::diffusion, mask), 6);
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
    PlanEngine engine(model, *backend, {8, 8});
    PlanOutput one, many;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const scene::Observation observation = observed(*data, static_cast<int>(seed) % data->size());
      engine.plan(observation, sampled(3, 1, seed), one);
      engine.plan(observation, sampled(3, 8, seed), many);
      CHECK_SAME_BITS(many.samples.data(), one.samples.data(), one.samples.size());
    }
  }
}

TEST(decoders_without_refinement_steps_refuse_more_than_one) {
  const auto data = bent_dataset(4, 90);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  for (const DecoderKind kind : {DecoderKind::autoregressive, DecoderKind::regression}) {
    PlanEngine engine(decoder_model(with_decoder(kind), 1), *backend, {2, 4});
    CHECK(refusal(engine, observed(*data, 0), sampled(2, 1, 0)) == "ERR_RANGE");
    CHECK(refusal(engine, observed(*data, 0), sampled(1, 1, 0)).empty());
  }
}

TEST(coordinates_of_a_plan_go_both_ways_and_their_nearest_tokens_are_those_of_the_plan) {
  const auto data = bent_dataset(6, 90);
  for (const TokenKind kind : {TokenKind::residual_companded, TokenKind::absolute}) {
    ModelConfig config = small_planner(MaskKind::prefix);
    config.tokens = kind;
    const TrajectoryTokens tokens(config);
    for (int window = 0; window < data->size(); window += 11) {
      const scene::Future future = data->future(window);
      std::vector<std::int32_t> token(24), nearest(24);
      std::vector<real> u(24);
      std::vector<float> pose(24);
      tokens.encode(future, 7.5, token.data());
      if (token[23] < 0) continue;
      tokens.encode(future, 7.5, u.data());
      tokens.nearest(u.data(), nearest.data());
      CHECK(nearest == token);
      tokens.decode(u.data(), 7.5, 0, pose.data());
      for (int i = 0; i < 8; ++i) {
        CHECK_NEAR(pose[static_cast<std::size_t>(3 * i)], future.x[i], 1e-4);
        CHECK_NEAR(pose[static_cast<std::size_t>(3 * i + 1)], future.y[i], 1e-4);
        CHECK_NEAR(pose[static_cast<std::size_t>(3 * i + 2)], future.heading[i], 1e-5);
      }
    }
  }
}

TEST(every_decoder_learns_to_plan_better_than_driving_straight_on) {
  if (sizeof(real) == 8) skip("minutes in double");
  const auto data = bent_dataset(5, 90);
  for (const DecoderKind kind :
       {DecoderKind::flow, DecoderKind::autoregressive, DecoderKind::diffusion, DecoderKind::regression}) {
    ModelConfig config = with_decoder(kind);
    TrainConfig train;
    train.steps = 150, train.batch = 8, train.micro_batches = 2, train.warmup = 20, train.lr = 5e-3, train.ema = 0.9;
    train.copies = kind == DecoderKind::flow || kind == DecoderKind::diffusion ? 2 : 1;
    train.dropout = 0, train.augment = false;
    Trainer trainer(config, train, data, [] { return cpu::make_cpu_backend(nullptr, cpu::best_isa()); }, 1, {});
    for (int i = 0; i < train.steps; ++i) trainer.step();
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
    PlanEngine engine(std::make_shared<Model>(config, trainer.ema_tensors()), *backend, {1, 5});
    PlanOptions options;
    options.steps = kind == DecoderKind::diffusion ? 3 : 1;
    PlanOutput out;
    double error = 0, straight = 0;
    for (int window = 0; window < data->size(); window += 3) {
      const scene::Future future = data->future(window);
      const scene::Observation observation = observed(*data, window);
      engine.plan(observation, options, out);
      const scene::MotionState& now = observation.ego.history.back();
      const double speed = std::hypot(now.vx, now.vy);
      for (int i = 0; i < 8; ++i) {
        if (!future.valid[i]) continue;
        error += std::hypot(out.trajectory[static_cast<std::size_t>(3 * i)] - future.x[i],
                            out.trajectory[static_cast<std::size_t>(3 * i + 1)] - future.y[i]);
        straight += std::hypot(speed * 0.5 * (i + 1) - future.x[i], future.y[i]);
      }
    }
    const Context at(std::to_string(static_cast<int>(kind)) + ": " + std::to_string(error / straight));
    CHECK(error < 0.5 * straight);
  }
}

}  // namespace wam::test
