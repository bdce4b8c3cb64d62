#pragma once
// Token coordinates instead of tokens: denoised in parallel by DDIM steps, or regressed in one pass.

#include "core/staged.h"
#include "model/action_decoder.h"
#include "model/diffusion.h"
#include "model/posterior_network.h"
#include "model/trajectory_tokens.h"

namespace wam::model {

/// diffusion: plans begin at ModelConfig::diffusion_start with normal noise times options.temperature when
/// options.last_decode is `sample`, and with none, at constant velocity, for the other rules. regression: one pass, one
/// plan, whatever the samples. Tokens are the nearest ones; there is no posterior, so log-probability and margin are 0.
class ValueDecoder : public ActionDecoder {
 public:
  ValueDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits);
  void check(const PlanOptions& options) const override;
  void begin(const scene::Features& features, const PlanOptions& options, const PlanStart& start) override;
  void queue_prefix(const PlanOptions& options) override;
  bool queue_step(const PlanOptions& options, int k, const LayerWatch& watch) override;
  /// Every step's prediction is its plan.
  void decode_again(const PlanOptions&, int) override {}
  int active(const PlanOptions& options, int) const override { return diffuses() ? options.samples : 1; }
  void fetch(int k, bool all) override;
  void write_poses(int k, int sample, double speed, double center_offset, float* pose) override;
  void write_decision(const PlanOptions& options, int k, PlanOutput& out) override;
  std::size_t bytes() const override { return network_.bytes() + arena_.used(); }

 private:
  bool diffuses() const { return config_.decoder == DecoderKind::diffusion; }
  const real* plan(int k, int sample) const;

  const ModelConfig& config_;
  Backend& backend_;
  PlanLimits limits_;
  PosteriorNetwork network_;
  TrajectoryTokens tokens_;
  std::size_t rows_ = 0;  // of a step's plan
  StagedBlock staged_;
  Staged<real> noise_, time_features_;   // [rows]; [steps, kTimeFeatures]
  real* state_[2] = {nullptr, nullptr};  // z before even and odd steps
  real* plan_ = nullptr;                 // [steps, rows] predicted coordinates
  std::vector<real> host_plan_;
  Arena arena_;
};

}  // namespace wam::model
