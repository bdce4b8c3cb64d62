#pragma once
// Plans drawn from the policy being trained, with every network input and every drawn token kept.

#include <memory>
#include <span>
#include <vector>

#include "align/policy_network.h"
#include "model/refine.h"

namespace wam::align {

struct RolloutOptions {
  int steps = 1;
  double temperature = 1;
  StepRule rule = StepRule::renoise;
  DecodeRule decode = DecodeRule::sample;  // in every step
};

/// The plans of one scene are those that a planner of the same weights draws with that seed;
/// nothing depends on the scenes beside it.
class Rollouts {
 public:
  Rollouts(const model::ModelConfig& config, const model::Network& network, Backend& backend, const TokenMetric& metric,
           int scenes, int samples, int max_steps);

  /// seeds: of each scene.
  void run(const Policy& policy, std::span<const scene::Features* const> scenes, std::span<const std::uint64_t> seeds,
           const RolloutOptions& options);

  /// Network input of a step and x_1 drawn there, [scenes, samples, slots]; `vocab` is the mask token. On the host.
  const std::int32_t* input(int step) const { return input_[static_cast<std::size_t>(step)].data(); }
  const std::int32_t* drawn(int step) const { return drawn_[static_cast<std::size_t>(step)].data(); }

 private:
  const model::ModelConfig& config_;
  Backend& backend_;
  int samples_;
  PolicyNetwork network_;
  std::vector<std::unique_ptr<model::Refiner>> refiners_;  // one a scene
  std::int32_t* mask_ = nullptr;                           // [slots] mask tokens in the backend's memory
  Arena mask_memory_;
  std::vector<std::vector<std::int32_t>> input_, drawn_;  // by step
};

}  // namespace wam::align
