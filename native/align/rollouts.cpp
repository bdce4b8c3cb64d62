#include "align/rollouts.h"

#include <algorithm>

namespace wam::align {

using namespace model;

Rollouts::Rollouts(const ModelConfig& config, const Network& network, Backend& backend, const TokenMetric& metric,
                   int scenes, int samples, int max_steps)
    : config_(config),
      backend_(backend),
      samples_(samples),
      network_(config, network, backend, scenes, scenes * samples, false),
      mask_memory_(make_arena(
          backend, [&](Arena& a) { mask_ = a.take<std::int32_t>(static_cast<std::size_t>(config.slots())); })),
      input_(static_cast<std::size_t>(max_steps)),
      drawn_(static_cast<std::size_t>(max_steps)) {
  PlanLimits limits;
  limits.max_samples = samples, limits.max_steps = max_steps;
  for (int i = 0; i < scenes; ++i) refiners_.push_back(std::make_unique<Refiner>(config, metric, backend, limits));
  const std::vector<std::int32_t> mask(static_cast<std::size_t>(config.slots()), config.vocab);
  backend.upload(mask_, mask.data(), mask.size() * sizeof(std::int32_t));
  const std::size_t rows = static_cast<std::size_t>(scenes) * samples * config.slots();
  for (auto* lists : {&input_, &drawn_}) {
    for (auto& list : *lists) list.resize(rows);
  }
}

void Rollouts::run(const Policy& policy, std::span<const scene::Features* const> scenes,
                   std::span<const std::uint64_t> seeds, const RolloutOptions& options) {
  PlanOptions plan;
  plan.steps = options.steps, plan.samples = samples_, plan.temperature = options.temperature, plan.rule = options.rule;
  plan.decode = plan.last_decode = options.decode;
  const std::size_t rows = static_cast<std::size_t>(samples_) * config_.slots();  // of a scene
  std::vector<int> blocks(scenes.size());
  std::vector<const std::int32_t*> inputs(scenes.size());
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    refiners_[i]->seed(seeds[i], samples_, false);
    refiners_[i]->start();
  }
  for (int k = 0; k < options.steps; ++k) {
    // At t = 0 a model with a mask token sees the same input in every sample.
    const bool masked = k == 0 && config_.mask_at_zero;
    const int active = masked ? 1 : samples_;
    std::int32_t* const kept = input_[static_cast<std::size_t>(k)].data();
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      blocks[i] = active;
      inputs[i] = masked ? mask_ : refiners_[i]->state();
      if (masked) {
        std::fill_n(kept + i * rows, rows, config_.vocab);
      } else {
        backend_.download(kept + i * rows, inputs[i], rows * sizeof(std::int32_t));
      }
    }
    if (k == 0 || active != samples_ || (k == 1 && config_.mask_at_zero)) network_.arrange(scenes, blocks);
    if (k == 0) network_.encode(policy);
    const real* logits = network_.logits(policy, inputs);
    const int logit_rows = active * config_.slots();
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      const real* mine = logits + static_cast<std::int64_t>(i) * logit_rows * config_.vocab;
      if (k + 1 == options.steps) {
        refiners_[i]->decode(mine, logit_rows, plan, plan.last_decode, k);
      } else {
        refiners_[i]->refine(mine, logit_rows, plan, k);
      }
    }
  }
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    refiners_[i]->fetch(options.steps - 1, true);
    for (int k = 0; k < options.steps; ++k) {
      std::copy_n(refiners_[i]->plan(k), rows, drawn_[static_cast<std::size_t>(k)].data() + i * rows);
    }
  }
}

}  // namespace wam::align
