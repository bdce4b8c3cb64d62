#pragma once
#include <cstdint>
#include <vector>

#include "align/advantage.h"
#include "align/decisions.h"

namespace wam::align {

/// Parameters of GRPO (wamflow-spec section 7); lib/train/align-recipe.ts documents the fields.
struct AlignConfig {
  std::int64_t steps = 400;  // updates of the whole schedule
  int batch = 16;            // scenes an update
  int micro_batches = 4;     // a fixed split of the batch: the unit of parallel work and of summation order
  int group = 8;             // plans a scene
  /// Refinement steps of the plans: micro-batches take turns.
  std::vector<int> rollout_steps = {5};
  StepRule rule = StepRule::renoise;
  double temperature = 1;
  Estimator estimator = Estimator::last;
  double zero_share = 0.25;  // one_shot: share of the decisions at t = 0
  AdvantageKind advantage = AdvantageKind::mean;
  double clip_ratio = 0.2;
  double kl_beta = 0.02;
  bool exact_kl = true;
  bool skip_even = true;  // leave out scenes whose plans all have the same reward
  int inner_epochs = 1;   // optimiser steps on the same plans
  double lr = 1e-4, beta1 = 0.9, beta2 = 0.98, eps = 1e-8, weight_decay = 0, clip = 1;
  std::int64_t warmup = 20;
  double ema = 0;
  std::int64_t probe_every = 25;  // updates between probes
  // Stop rules, of probes; nats a token, share of the start's, metres.
  double max_kl = 0.5, min_diversity = 0.25, max_ade_drift = 1;
  std::uint64_t seed = 1;

  /// Throws Error(ERR_CONFIG) that names the first bad field.
  void validate() const;
};

}  // namespace wam::align
