#include "model/refine.h"

#include <algorithm>

#include "flow/schedule.h"

namespace wam::model {

Refiner::Refiner(const ModelConfig& config, const TokenMetric& metric, Backend& backend, int max_samples)
    : config_(config), metric_(metric), backend_(backend) {
  const auto rows = static_cast<std::size_t>(max_samples) * config.slots();
  state_.resize(rows), plan_.resize(rows), log_probability_.resize(rows);
  jump_.resize(rows), draw_.resize(rows);
}

void Refiner::start(std::uint64_t seed, int samples) {
  seed_ = seed, samples_ = samples;
  const RandomStream stream(seed);
  const int slots = config_.slots();
  for (int s = 0; s < samples; ++s) {
    for (int i = 0; i < slots; ++i) {
      const Philox4 r =
          stream.at(0, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(s), RandomUse::initial_token);
      // Multiply-shift maps 32 bits to the vocabulary without a float's rounding.
      state_[static_cast<std::size_t>(s * slots + i)] = static_cast<std::int32_t>(
          (static_cast<std::uint64_t>(r.word[0]) * static_cast<std::uint64_t>(config_.vocab)) >> 32);
    }
  }
}

void Refiner::decode(const real* logits, const PlanOptions& options, DecodeRule rule, int k) {
  const int slots = config_.slots(), rows = samples_ * slots;
  if (rule == DecodeRule::sample) {
    const RandomStream stream(seed_);
    for (int i = 0; i < rows; ++i) {
      draw_[static_cast<std::size_t>(i)] =
          unit_uniform(stream
                           .at(static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(i % slots),
                               static_cast<std::uint32_t>(i / slots), RandomUse::posterior_draw)
                           .word[0]);
    }
  }
  DecodePosterior d;
  d.rows = rows, d.vocab = config_.vocab;
  d.logits = logits, d.ldl = config_.vocab;
  d.rule = rule;
  d.temperature = static_cast<real>(options.temperature);
  d.top_k = options.top_k;
  d.uniform = draw_.data();
  d.token = plan_.data();
  d.log_probability = log_probability_.data();
  backend_.decode_posterior(d);
}

void Refiner::advance(const PlanOptions& options, int k) {
  const int slots = config_.slots(), rows = samples_ * slots;
  const double t = flow::step_time(k, options.steps), next = flow::step_time(k + 1, options.steps);
  const RandomStream stream(seed_);
  const RandomUse use = options.rule == StepRule::renoise ? RandomUse::renoise : RandomUse::jump;
  for (int i = 0; i < rows; ++i) {
    const Philox4 r = stream.at(static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(i % slots),
                                static_cast<std::uint32_t>(i / slots), use);
    jump_[static_cast<std::size_t>(i)] = unit_uniform(r.word[0]);
    draw_[static_cast<std::size_t>(i)] = unit_uniform(r.word[1]);
  }
  if (config_.path == PathKind::mixture) {
    // renoise: shown with probability kappa at t+h, else a fresh uniform token. The other rules keep x_t or jump to x_1.
    const bool renoise = options.rule == StepRule::renoise;
    const double jump =
        renoise ? config_.mixture.kappa(next) : config_.mixture.jump_probability(options.rule, t, next - t);
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
      if (jump_[i] < jump) {
        state_[i] = plan_[i];
      } else if (renoise) {
        state_[i] =
            std::min(static_cast<std::int32_t>(draw_[i] * static_cast<float>(config_.vocab)), config_.vocab - 1);
      }
    }
    return;
  }
  PathStep step;
  step.rows = rows;
  step.metric = metric_;
  step.rule = options.rule;
  step.beta = static_cast<real>(config_.sampling_schedule.beta(options.rule == StepRule::renoise ? next : t));
  step.step_weight = static_cast<real>(config_.sampling_schedule.step_weight(options.rule, t, next - t));
  step.x_t = state_.data(), step.x_1 = plan_.data();
  step.jump = jump_.data(), step.draw = draw_.data();
  step.x_next = state_.data();
  backend_.path_step(step);
}

}  // namespace wam::model
