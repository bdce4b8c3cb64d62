#pragma once
// What every kind of training does with gradients: sums those of the micro-batches in their order, clips, AdamW, moving
// average. Weights, average and moments are one contiguous block each, and so is a micro-batch's gradient.

#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/thread_pool.h"
#include "model/model.h"
#include "model/numeric_tables.h"

namespace wam::model {

struct OptimiserConfig {
  std::int64_t steps = 1, warmup = 0;  // of the schedule: linear warm-up, then a cosine to 0
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.98, eps = 1e-8, weight_decay = 0;
  double clip = 1;  // largest norm of the gradient
  double ema = 0;   // 0: the average is the weights themselves
};

/// Of update `step`, from 1.
double learning_rate(const OptimiserConfig& config, std::int64_t step);

using Backends = std::vector<std::unique_ptr<Backend>>;  // one a worker of the team

class Optimiser {
 public:
  /// `model`, `network` must outlive this.
  Optimiser(const ModelConfig& model, const Network& network, OptimiserConfig config, int micro_batches);
  void reserve(Arena& arena);

  /// Weights and average; the moments are 0 then.
  void start(Backend& backend, const std::vector<real>& weights);

  const real* weights() const { return block_; }
  /// Of the present weights, once `make_tables` was called for this update.
  const NumericTables& tables() const { return tables_; }
  void make_tables(Backend& backend);

  /// A micro-batch's gradient, set to 0: of the weights, and of the numeric tables.
  real* clear_gradient(Backend& backend, int micro);
  NumericTables table_gradient(int micro) const;

  /// The gradient of the whole batch (afterwards in that of micro-batch 0) and its norm. One order of summation whatever
  /// the number of threads: micro-batch 0 + 1 + 2 ...
  double reduce(ThreadPool& pool, const Backends& backends);
  /// Update number `step`, from 1, with the reduced gradient of that norm.
  void apply(ThreadPool& pool, const Backends& backends, std::int64_t step, double norm);
  /// The reduced gradient.
  const real* gradient() const { return gradients_[0]; }

  std::vector<real> download(Backend& backend, const real* from) const;
  std::vector<NamedTensor> average(Backend& backend) const;
  /// Weights, average and moments, each name after the name of its block and a point.
  std::vector<NamedTensor> state(Backend& backend) const;
  /// Leaves everything as it was when it throws Error(ERR_CHECKPOINT_CORRUPT).
  void restore(Backend& backend, const std::vector<NamedTensor>& state);

 private:
  struct Part {
    const char* prefix;
    real* block;
  };
  std::vector<Part> parts() const;

  const ModelConfig& model_;
  const Network& network_;
  OptimiserConfig config_;
  std::size_t block_size_, table_size_;
  // In the backends' memory.
  real *block_ = nullptr, *average_ = nullptr, *first_moment_ = nullptr, *second_moment_ = nullptr;
  NumericTables tables_;
  std::vector<real*> gradients_;  // by micro-batch: [weights | numeric tables]
};

}  // namespace wam::model
