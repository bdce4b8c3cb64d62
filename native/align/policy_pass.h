#pragma once
// Loss and gradient of the policy objective over decisions.

#include "align/decisions.h"

namespace wam::align {

struct Objective {
  double temperature = 1;
  double clip = 0.2;
  double kl_beta = 0.02;
  bool exact_kl = true;
};

/// Sums over tokens.
struct PolicyFigures {
  double loss = 0;  // weighted
  double kl = 0, clipped = 0, tokens = 0;
};

class PolicyPass {
 public:
  PolicyPass(const model::ModelConfig& config, const model::Network& network, Backend& backend, int scenes, int blocks,
             int decisions);

  /// Each token weighs `weight`. The first pass over decisions writes their `old` log-probabilities. `grad` null: figures
  /// alone; else gradients are added to it and to `table_grad`.
  PolicyFigures run(const Policy& policy, const Policy& reference, std::span<const scene::Features> features,
                    Decisions& decisions, const Objective& objective, double weight, real* grad,
                    const model::NumericTables* table_grad);

  std::size_t bytes() const { return arena_.used() + trained_.bytes() + frozen_.bytes(); }

 private:
  void reserve(Arena& arena);

  const model::ModelConfig& config_;
  Backend& backend_;
  int max_blocks_, max_decisions_;
  PolicyNetwork trained_, frozen_;
  StagedBlock staged_;
  Staged<std::int32_t> input_, row_, token_;
  Staged<real> old_, advantage_, weight_;
  // By decision: logits and those of the reference, and then what the loss gives.
  real *logits_ = nullptr, *reference_ = nullptr, *dblock_ = nullptr;
  real *loss_ = nullptr, *ratio_ = nullptr, *kl_ = nullptr, *log_probability_ = nullptr;
  std::vector<real> host_;
  Arena arena_;
};

}  // namespace wam::align
