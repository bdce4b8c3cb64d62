#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "model/model.h"
#include "scene/dataset.h"
#include "scene/features.h"

namespace wam::model {

/// Makes a backend for one thread; a trainer makes one for each of its threads, or one in all for a device of its own
/// memory. The backends of one factory share their memory.
using BackendFactory = std::function<std::unique_ptr<Backend>()>;

struct TrainConfig {
  std::int64_t steps = 4000;  // length of the schedule
  int batch = 32;             // windows an update
  int micro_batches = 4;      // a fixed split of the batch: the unit of parallel work and of summation order
  int copies = 3;             // noised copies of the action tokens for each prefix
  double lr = 2e-3, beta1 = 0.9, beta2 = 0.98, eps = 1e-8, weight_decay = 0.05, clip = 1;
  std::int64_t warmup = 150;
  double ema = 0.999;
  double dropout = 0.05;
  double smear = 2;             // tokens; standard deviation of the target
  double zero_fraction = 0.25;  // of copies that train at t = 0
  bool augment = true;
  std::uint64_t seed = 1;
};

struct StepStats {
  std::int64_t step = 0;  // of this update, from 1
  double loss = 0;        // mean cross entropy over valid tokens, nats
  double grad_norm = 0;
  double lr = 0;
  std::int64_t windows = 0;  // seen in this update
};

/// Plans to learn instead of the recorded futures. One a thread.
class TargetSource {
 public:
  virtual ~TargetSource() = default;
  /// Tokens [slots] for what is seen in sample `sample` of update `step`; a pure function of these.
  virtual void draw(std::uint32_t step, std::uint32_t sample, const scene::Features& seen, std::int32_t* tokens) = 0;
};
using TargetFactory = std::function<std::unique_ptr<TargetSource>(Backend& backend)>;

/// Supervised training on a data set. A run is a pure function of (configs, data set, initial weights): neither the
/// number of threads nor stopping and resuming changes a bit of the result.
class Trainer {
 public:
  /// `table`: [vocab, table_dim] triplet-trained rows when the configuration asks for them, else empty.
  Trainer(ModelConfig model, TrainConfig train, std::shared_ptr<const scene::Dataset> data,
          const BackendFactory& make_backend, int threads, const std::vector<float>& table,
          const TargetFactory& make_targets = {});
  ~Trainer();

  StepStats step();
  std::int64_t steps_done() const;

  /// Weights to plan with (the average).
  std::vector<NamedTensor> ema_tensors() const;
  /// Everything that a resumed run needs beside the configs: weights, average, moments.
  std::vector<NamedTensor> state() const;
  /// Throws Error(ERR_CHECKPOINT_CORRUPT) when tensors are missing or mis-shaped.
  void restore(const std::vector<NamedTensor>& state, std::int64_t steps_done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 1.25 x the 99.85th percentile of |residual to constant velocity| per slot over the data set: slot_scale of a
/// residual_companded tokenizer.
std::vector<double> measure_slot_scale(const scene::Dataset& data);

struct TokenizerTrainConfig {
  std::int64_t steps = 3000;
  int batch = 1024;  // triplets an update
  double lr = 5e-3;
  double margin_per_gap = 1;  // margin of a triplet = min(margin, margin_per_gap * (|v_i-v_k| - |v_i-v_j|))
  double margin = 0.05;
  std::uint64_t seed = 1;
};

struct TokenizerStats {
  std::int64_t step = 0;
  double loss = 0;
  double order_violations = 0;  // share of the update's triplets with d(a,p) >= d(a,n)
};

/// Learns the table of a numeric tokenizer by triplet margin (paper eq. 5; wamflow-spec section 5 item 2).
class TokenizerTrainer {
 public:
  /// `coordinate`: ascending token values [vocab].
  TokenizerTrainer(std::vector<double> coordinate, int dim, TokenizerTrainConfig config,
                   const BackendFactory& make_backend);
  ~TokenizerTrainer();
  TokenizerStats step();
  std::int64_t steps_done() const;
  std::vector<NamedTensor> state() const;  // "table" [vocab, dim] and moments
  void restore(const std::vector<NamedTensor>& state, std::int64_t steps_done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wam::model
