#pragma once
// Tokens refined in parallel along a probability path.

#include "model/action_decoder.h"
#include "model/posterior_network.h"
#include "model/refine.h"
#include "model/trajectory_tokens.h"

namespace wam::model {

class FlowDecoder : public ActionDecoder {
 public:
  FlowDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits);
  void check(const PlanOptions&) const override {}
  void begin(const scene::Features& features, const PlanOptions& options, const PlanStart& start) override;
  void queue_prefix(const PlanOptions& options) override;
  bool queue_step(const PlanOptions& options, int k, const LayerWatch& watch) override;
  void decode_again(const PlanOptions& options, int k) override;
  /// At t = 0 a model with a mask token sees the same input in every sample, so one sample's logits stand for all.
  int active(const PlanOptions& options, int k) const override;
  void fetch(int k, bool all) override { refiner_.fetch(k, all); }
  void write_poses(int k, int sample, double speed, double center_offset, float* pose) override;
  /// A plan that begins in the middle of the path never asks what the posterior is at its start, unless a mask token does.
  bool has_median(const PlanOptions& options) const override;
  void write_median(double speed, double center_offset, float* pose) override;
  void write_decision(const PlanOptions& options, int k, PlanOutput& out) override;
  std::size_t bytes() const override { return network_.bytes() + refiner_.bytes(); }

 private:
  bool is_masked(const PlanOptions& options, int k) const;
  const ModelConfig& config_;
  PosteriorNetwork network_;
  Refiner refiner_;
  TrajectoryTokens tokens_;
  std::vector<std::int32_t> earlier_;  // tokens [slots] of the plan before
};

}  // namespace wam::model
