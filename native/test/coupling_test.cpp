// Comonotone draws: one random number for all tokens of one coordinate, and for each token the same law as alone.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "model/posterior_network.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {
namespace {

constexpr int kSlots = 24, kNumbers = 3;  // x, y, heading of a waypoint

PlanOptions comonotone(int steps, int samples, std::uint64_t seed) {
  PlanOptions o = sampled(steps, samples, seed);
  o.coupling = Coupling::comonotone;
  return o;
}

/// Posteriors of the first step of the flow, [slots][vocab].
std::vector<std::vector<double>> first_posteriors(const std::shared_ptr<const Model>& model, Backend& backend,
                                                  const scene::Observation& observation) {
  const ModelConfig& config = model->config();
  PosteriorNetwork network(model, backend, 1);
  scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
  scene::Features features;
  builder.build(observation, {}, features);
  network.set_prefix(features, 1, true);
  network.encode_prefix();
  const std::vector<std::int32_t> mask(kSlots, config.vocab);
  const real* logits = network.logits(mask.data(), 1);
  std::vector<std::vector<double>> posteriors;
  for (int slot = 0; slot < kSlots; ++slot) {
    std::vector<double> p(logits + slot * config.vocab, logits + (slot + 1) * config.vocab);
    double sum = 0;
    for (double& each : p) sum += each = std::exp(each);
    for (double& each : p) each /= sum;
    posteriors.push_back(std::move(p));
  }
  return posteriors;
}

/// Whether `share` falls to `token` when the tokens take their shares of [0, 1) in order, give or take `room`.
bool falls_to(const std::vector<double>& p, int token, double share, double room) {
  double below = 0;
  for (int v = 0; v < token; ++v) below += p[static_cast<std::size_t>(v)];
  return share >= below - room && share < below + p[static_cast<std::size_t>(token)] + room;
}

}  // namespace

TEST(a_comonotone_draw_takes_the_random_number_of_the_first_waypoint) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 8);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {6, 1});
  PlanOutput out;
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const scene::Observation observation = observed(*data, static_cast<int>(seed) * 5 % data->size());
    engine.plan(observation, comonotone(1, 6, seed), out);
    const auto posteriors = first_posteriors(model, *backend, observation);
    for (int i = 0; i < 6 * kSlots; ++i) {
      const int slot = i % kSlots;
      const Philox4 r = RandomStream(seed).at(0, static_cast<std::uint32_t>(slot % kNumbers),
                                              static_cast<std::uint32_t>(i / kSlots), RandomUse::posterior_draw);
      wrong += !falls_to(posteriors[static_cast<std::size_t>(slot)], out.tokens[static_cast<std::size_t>(i)],
                         static_cast<double>(unit_uniform(r.word[0])), 1e-5);
    }
  }
  CHECK_EQ(wrong, 0);
}

TEST(tokens_of_comonotone_samples_follow_their_own_posteriors) {
  constexpr int kSamples = 64, kSeeds = 100, kDraws = kSamples * kSeeds;
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 9);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {kSamples, 1});
  const scene::Observation observation = observed(*data, 11);
  const auto posteriors = first_posteriors(model, *backend, observation);
  PlanOutput out;
  std::vector<std::vector<int>> counts(kSlots, std::vector<int>(posteriors[0].size()));
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    engine.plan(observation, comonotone(1, kSamples, seed), out);
    for (std::size_t i = 0; i < out.tokens.size(); ++i) ++counts[i % kSlots][static_cast<std::size_t>(out.tokens[i])];
  }
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    double expected = 0, got = 0;
    for (std::size_t v = 0; v < posteriors[slot].size(); ++v) {
      expected += posteriors[slot][v], got += static_cast<double>(counts[slot][v]) / kDraws;
      // Five standard errors of a frequency, at every token of every slot.
      CHECK_NEAR(got, expected, 5 * std::sqrt(0.25 / kDraws));
    }
  }
}

TEST(comonotone_samples_of_one_step_never_cross_each_other) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 10);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {8, 1});
  PlanOutput coupled, independent;
  int crossings = 0, crossings_of_independent = 0;
  const auto count = [](const PlanOutput& out) {
    int crossed = 0;
    for (std::size_t a = 0; a < 8; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        for (std::size_t number = 0; number < kNumbers; ++number) {
          bool above = false, below = false;
          for (std::size_t slot = number; slot < kSlots; slot += kNumbers) {
            const auto one = out.tokens[a * kSlots + slot], other = out.tokens[b * kSlots + slot];
            above |= one > other, below |= one < other;
          }
          crossed += above && below;
        }
      }
    }
    return crossed;
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const scene::Observation observation = observed(*data, static_cast<int>(seed) * 4 % data->size());
    engine.plan(observation, comonotone(1, 8, seed), coupled);
    engine.plan(observation, sampled(1, 8, seed), independent);
    crossings += count(coupled), crossings_of_independent += count(independent);
    // One number a waypoint is drawn the same way in both.
    for (std::size_t s = 0; s < 8; ++s)
      CHECK(std::equal(&coupled.tokens[s * kSlots], &coupled.tokens[s * kSlots + kNumbers],
                       &independent.tokens[s * kSlots]));
  }
  CHECK_EQ(crossings, 0);
  CHECK(crossings_of_independent > 1000);
}

TEST(autoregressive_samples_can_be_comonotone_in_their_conditionals) {
  const auto data = bent_dataset(6, 90);
  ModelConfig config = small_planner(MaskKind::prefix);
  config.decoder = DecoderKind::autoregressive;
  const auto model = random_model(config, 6);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  PlanEngine engine(model, *backend, {1, 1});
  PosteriorNetwork network(model, *backend, 1);
  scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
  scene::Features features;
  PlanOutput coupled, independent;
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const scene::Observation observation = observed(*data, static_cast<int>(seed) * 7 % data->size());
    engine.plan(observation, comonotone(1, 1, seed), coupled);
    engine.plan(observation, sampled(1, 1, seed), independent);
    CHECK(std::equal(coupled.tokens.begin(), coupled.tokens.begin() + kNumbers, independent.tokens.begin()));
    builder.build(observation, {}, features);
    network.set_prefix(features, 1, true);
    network.encode_prefix();
    // The random numbers of the first waypoint bound, by its tokens' shares, those of all.
    double low[kNumbers], high[kNumbers];
    for (int j = 0; j < kSlots; ++j) {
      const std::int32_t fed = j == 0 ? config.vocab : coupled.tokens[static_cast<std::size_t>(j - 1)];
      const real* logits = network.next_logits(&fed, j);
      std::vector<double> p(logits, logits + config.vocab);
      double sum = 0, below = 0;
      for (double& each : p) sum += each = std::exp(each);
      const auto token = static_cast<std::size_t>(coupled.tokens[static_cast<std::size_t>(j)]);
      for (std::size_t v = 0; v < token; ++v) below += p[v] / sum;
      const double above = below + p[token] / sum;
      const int number = j % kNumbers;
      if (j < kNumbers) {
        low[number] = below, high[number] = above;
        continue;
      }
      // What is left of the interval of possible numbers must not be empty.
      low[number] = std::max(low[number], below), high[number] = std::min(high[number], above);
      wrong += low[number] > high[number] + 1e-5;
    }
  }
  CHECK_EQ(wrong, 0);
}

}  // namespace wam::test
