#pragma once
// Alignment by group-relative policy optimisation: plans drawn by the policy, judged, and made more or less likely.

#include <memory>

#include "align/align_config.h"
#include "align/plan_group.h"
#include "model/trainer.h"

namespace wam::align {

enum class StopRule { none, kl, diversity, ade_drift };

/// The policy on scenes that are fixed and with random numbers that are, so that two probes can be compared.
struct Probe {
  GroupFigures group;   // sampled plans of the most rollout steps
  GroupFigures median;  // one plan a scene: posterior medians, one step
  double kl = 0;        // nats a token, exact, at the inputs of the last step
};

struct AlignStats {
  std::int64_t step = 0;
  double loss = 0, grad_norm = 0, lr = 0;
  GroupFigures group;
  double kl = 0, clipped = 0;                       // mean over tokens: nats; share that clipping stopped
  double rollout_s = 0, judge_s = 0, update_s = 0;  // seconds of all threads together
  bool probed = false;
  Probe probe;
  StopRule stop = StopRule::none;
};

/// A run is a pure function of (configs, data set, scenes, reference weights): neither the number of threads nor stopping
/// and resuming changes a bit of the weights.
class Aligner {
 public:
  /// `reference`: weights to start from and to stay near to. `probe` may be null: no probes, no stop rules.
  Aligner(model::ModelConfig model, AlignConfig config, std::shared_ptr<const scene::Dataset> data,
          std::shared_ptr<RewardModel> reward, std::shared_ptr<RewardModel> probe,
          const std::vector<model::NamedTensor>& reference, const model::BackendFactory& make_backend, int threads);
  ~Aligner();

  AlignStats step();
  std::int64_t steps_done() const;
  /// Of the reference weights.
  const Probe& start() const;
  std::vector<model::NamedTensor> ema_tensors() const;
  std::vector<model::NamedTensor> state() const;
  void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps_done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wam::align
