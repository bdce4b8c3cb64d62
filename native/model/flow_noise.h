#pragma once
// What the action rows of training are fed for their targets: the forward (noising) process of the flow at time t, or
// what another decoder knows.

#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/config.h"

namespace wam::model {

/// Times of the copies of one window: stratified over [0, 1), one a copy; each is then set to 0 with probability
/// zero_fraction, since the first call of a plan is at t = 0.
void draw_times(const RandomStream& stream, std::uint32_t step, std::uint32_t sample, int copies, double zero_fraction,
                double* t);

/// Rows of network inputs x_t for targets x_1. flow: a negative target, a masked waypoint, is drawn uniformly; the mask
/// token at t = 0 when the model has one, else p_t(.|x_1) of the configured path. autoregressive: the target before, the
/// mask token for the first slot and after a waypoint that is not known. The others: the mask token.
/// The mask token is number ModelConfig::network_vocab.
class NoiseProcess {
 public:
  /// `metric` must outlive this.
  NoiseProcess(const ModelConfig& config, const TokenMetric& metric, Backend& backend)
      : config_(config), metric_(metric), backend_(backend) {}
  /// What the host writes goes into `block`, which its owner pushes.
  void reserve(Arena& arena, StagedBlock& block, int max_rows);

  /// Adds the rows [copies * slots] of one window; those of copy c at t[c].
  void add(const RandomStream& stream, std::uint32_t step, std::uint32_t sample, int copies, const double* t,
           const std::int32_t* x_1);
  /// Draws x_t of all rows added since the last call, in the backend's memory. The block was pushed.
  const std::int32_t* draw();

 private:
  const ModelConfig& config_;
  TokenMetric metric_;
  Backend& backend_;
  int rows_ = 0;
  Staged<real> beta_;
  Staged<float> draw_;
  Staged<std::int32_t> target_, fixed_;  // fixed: -1 where the metric path decides
  std::int32_t* x_t_ = nullptr;
};

}  // namespace wam::model
