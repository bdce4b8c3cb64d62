#pragma once
// Loss and gradient of one micro-batch: a pure function of (weights, update number, micro-batch number).

#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/diffusion.h"
#include "model/flow_noise.h"
#include "model/numeric_tables.h"
#include "model/scene_encoder.h"
#include "model/trainer.h"
#include "model/trajectory_tokens.h"

namespace wam::model {

struct BatchResult {
  double loss = 0;    // sum of weighted losses of the tokens
  double weight = 0;  // sum of weights of the tokens that count
};

class BatchLoss {
 public:
  /// `targets`: what is learnt instead of the recorded futures; null: those.
  BatchLoss(const ModelConfig& model, const TrainConfig& train, const Network& network, const scene::Dataset& data,
            Backend& backend, const TokenMetric& metric, TargetSource* targets = nullptr);

  /// Windows [micro * batch/micro_batches, ...) of update `step`. Adds to `grad` (weights) and `table_grad` (tables);
  /// both may be null together for the loss alone. Each token weighs 1/(batch copies slots).
  BatchResult run(const real* block, const NumericTables& tables, std::int64_t step, int micro, real* grad,
                  const NumericTables* table_grad);

 private:
  void reserve(Arena& arena);
  void collect(std::int64_t step, int micro);
  void add_noisy_values(std::uint32_t step, std::uint32_t sample, std::size_t first);
  void head_loss(const real* block, const NumericTables& tables, int prefix, int actions, const real* normed);
  void head_backward(const real* block, const NumericTables& tables, int prefix, int actions, const real* normed,
                     real* grad, const NumericTables& table_grad);

  const ModelConfig& model_;
  const TrainConfig& train_;
  const Network& network_;
  const scene::Dataset& data_;
  Backend& backend_;
  TargetSource* targets_;
  SceneEncoder encoder_;
  Decoder decoder_;
  NoiseProcess noise_;
  ValueEmbedding values_;
  TrajectoryTokens tokens_;
  scene::FeatureBuilder features_;
  scene::Features row_;
  scene::Observation observation_;
  RandomStream stream_;

  int windows_;        // a micro-batch
  int prefix_copies_;  // of a window: `full` ties a prefix to one copy of the actions
  StagedBlock staged_;
  Segments all_, last_;
  Staged<std::int32_t> target_, slot_, position_;  // action rows; position_: all rows
  Staged<real> weight_;
  // Continuous decoders: coordinates of the targets; with diffusion noisy ones, and their times by copy of a window.
  Staged<real> target_value_, noisy_, time_features_;
  Staged<std::int32_t> time_row_;
  std::vector<real> host_loss_;
  std::vector<double> time_;
  real *logits_ = nullptr, *dnormed_ = nullptr, *loss_ = nullptr;
  Arena arena_;
};

}  // namespace wam::model
