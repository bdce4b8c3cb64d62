#pragma once
// One token after the other, each drawn given those before it, with their keys and values cached.

#include "core/staged.h"
#include "model/action_decoder.h"
#include "model/posterior_network.h"
#include "model/trajectory_tokens.h"

namespace wam::model {

/// A plan is one step of `slots` network passes a sample; samples follow each other on one cached prefix.
class AutoregressiveDecoder : public ActionDecoder {
 public:
  AutoregressiveDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits);
  void check(const PlanOptions& options) const override;
  void begin(const scene::Features& features, const PlanOptions& options, const PlanStart& start) override;
  void queue_prefix(const PlanOptions&) override { network_.encode_prefix(); }
  bool queue_step(const PlanOptions& options, int k, const LayerWatch& watch) override;
  /// There is no step between others.
  void decode_again(const PlanOptions&, int) override {}
  int active(const PlanOptions& options, int) const override { return options.samples; }
  void fetch(int k, bool all) override;
  void write_poses(int k, int sample, double speed, double center_offset, float* pose) override;
  void write_decision(const PlanOptions& options, int k, PlanOutput& out) override;
  std::size_t bytes() const override { return network_.bytes() + arena_.used(); }

 private:
  const ModelConfig& config_;
  Backend& backend_;
  PlanLimits limits_;
  PosteriorNetwork network_;
  TrajectoryTokens tokens_;
  std::size_t rows_ = 0;
  StagedBlock staged_;
  Staged<std::uint64_t> seed_;  // by sample
  std::int32_t* plan_ = nullptr;
  real* decision_ = nullptr;  // log-probabilities [rows], margins [rows]
  std::vector<std::int32_t> host_plan_;
  std::vector<real> host_decision_;
  Arena arena_;
};

}  // namespace wam::model
