#pragma once
// The refinement chain over tokens: posterior -> x_1 -> next x_t, for all samples of a plan at once.

#include <vector>

#include "core/arena.h"
#include "core/backend.h"
#include "core/staged.h"
#include "model/config.h"
#include "model/planner.h"

namespace wam::model {

/// Random numbers of a plan are addressed by (step, slot, sample, use) alone, so a sample does not depend on how many
/// others are drawn beside it.
class Refiner {
 public:
  /// `metric` and what it points to must outlive this.
  Refiner(const ModelConfig& config, const TokenMetric& metric, Backend& backend, PlanLimits limits);

  void seed(std::uint64_t seed, int samples);
  /// Uniform x_0 of every sample. Operations alone, as are the two below.
  void start();
  /// x_1 of every slot from logits [logit_rows, vocab] of step k, by `rule`.
  void decode(const real* logits, int logit_rows, const PlanOptions& options, DecodeRule rule, int k);
  /// The same by options.decode, and x_t moved from t = k/n to (k+1)/n towards it.
  void refine(const real* logits, int logit_rows, const PlanOptions& options, int k);

  const std::int32_t* state() const { return state_; }  // x_t [samples * slots], in the backend's memory

  /// Brings x_1 of step k (of steps 0..k with `all`) and what is known of the last one to the host.
  void fetch(int k, bool all);
  const std::int32_t* plan(int k) const { return host_plan_ + static_cast<std::size_t>(k) * rows_; }
  const real* log_probability() const { return host_decision_; }
  const real* margin() const { return host_decision_ + rows_; }
  std::size_t bytes() const { return arena_.used(); }

 private:
  void reserve(Arena& arena);
  RefineStep step(const real* logits, int logit_rows, const PlanOptions& options, DecodeRule rule, int k) const;

  const ModelConfig& config_;
  TokenMetric metric_;
  Backend& backend_;
  PlanLimits limits_;
  int samples_ = 0;
  std::size_t rows_ = 0;
  StagedBlock staged_;
  Staged<std::uint64_t> seed_;
  std::int32_t *state_ = nullptr, *plan_ = nullptr;  // plan_: [steps, rows]
  real* decision_ = nullptr;                         // log probabilities [rows], then margins [rows]
  std::vector<std::int32_t> fetched_plan_;           // on a device of its own memory
  std::vector<real> fetched_decision_;
  const std::int32_t* host_plan_ = nullptr;
  const real* host_decision_ = nullptr;
  Arena arena_;
};

}  // namespace wam::model
