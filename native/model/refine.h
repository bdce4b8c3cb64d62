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

  /// `median`: whether `fetch` shall bring the median as well.
  void seed(std::uint64_t seed, int samples, bool median);
  /// Uniform x_0 of every sample. Operations alone, as are those below.
  void start();
  /// What `start_warm` begins with: x_1 [slots] of the plan before.
  void set_warm(const std::int32_t* x_1, std::uint64_t seed, double t0);
  /// x_t0 ~ p_t0(.|x_1) of every sample.
  void start_warm();
  /// x_1 of every slot from logits [logit_rows, vocab] of step k, by `rule`.
  void decode(const real* logits, int logit_rows, const PlanOptions& options, DecodeRule rule, int k);
  /// The same by options.decode, and x_t moved from t = k/n to (k+1)/n towards it.
  void refine(const real* logits, int logit_rows, const PlanOptions& options, int k);

  /// The median x_1 [slots] of the first sample's logits: what a plan of one step would be.
  void decode_median(const real* logits);
  const std::int32_t* median() const { return host_median_; }

  const std::int32_t* state() const { return state_; }  // x_t [samples * slots], in the backend's memory

  /// Brings x_1 of step k (of steps 0..k with `all`), what is known of the last one and the median to the host.
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
  bool fetches_median_ = false;
  StagedBlock staged_;
  Staged<std::uint64_t> seed_;
  StagedBlock warm_;
  Staged<real> warm_beta_;
  Staged<float> warm_draw_;
  Staged<std::int32_t> warm_x_1_, warm_fixed_;       // fixed: -1 where the metric path decides
  std::int32_t *state_ = nullptr, *plan_ = nullptr;  // plan_: [steps, rows]
  std::int32_t* median_ = nullptr;                   // [slots]
  real* decision_ = nullptr;                         // log probabilities [rows], then margins [rows]
  std::vector<std::int32_t> fetched_plan_;           // on a device of its own memory
  std::vector<real> fetched_decision_;
  std::vector<std::int32_t> fetched_median_;
  const std::int32_t* host_plan_ = nullptr;
  const real* host_decision_ = nullptr;
  const std::int32_t* host_median_ = nullptr;
  Arena arena_;
};

}  // namespace wam::model
