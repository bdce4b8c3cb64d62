#pragma once
// The refinement chain over tokens: posterior -> x_1 -> next x_t, for all samples of a plan at once.

#include <vector>

#include "core/backend.h"
#include "model/config.h"
#include "model/planner.h"

namespace wam::model {

/// Random numbers of a plan are addressed by (step, slot, sample, use) alone, so a sample does not depend on how many
/// others are drawn beside it.
class Refiner {
 public:
  /// `metric` and what it points to must outlive this.
  Refiner(const ModelConfig& config, const TokenMetric& metric, Backend& backend, int max_samples);

  /// Uniform x_0 for `samples` samples.
  void start(std::uint64_t seed, int samples);
  /// x_1 of every slot from logits [samples * slots, vocab] of step k.
  void decode(const real* logits, const PlanOptions& options, DecodeRule rule, int k);
  /// Moves x_t from t = k/n to (k+1)/n towards x_1.
  void advance(const PlanOptions& options, int k);

  const std::int32_t* state() const { return state_.data(); }  // x_t [samples * slots]
  const std::int32_t* plan() const { return plan_.data(); }    // x_1 of the last decode
  const real* log_probability() const { return log_probability_.data(); }

 private:
  const ModelConfig& config_;
  TokenMetric metric_;
  Backend& backend_;
  std::uint64_t seed_ = 0;
  int samples_ = 0;
  std::vector<std::int32_t> state_, plan_;
  std::vector<real> log_probability_;
  std::vector<float> jump_, draw_;
};

}  // namespace wam::model
