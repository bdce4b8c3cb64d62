#pragma once
// Training of a vision-language model: loss of the shifted logits, gradients, AdamW, for any choice of its tensors.
// Everything is float: weights, and gradients and moments of what is trained.

#include <memory>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "flow/schedule.h"
#include "model/decoder.h"
#include "model/model.h"
#include "model/segments.h"
#include "vla/gradient_store.h"
#include "vla/tensor_source.h"
#include "vla/vision_tower.h"
#include "vla/vla_example.h"
#include "vla/vla_network.h"

namespace wam::vla {

/// The numeric rows of the token table, drawn into order (paper eq. 5).
struct TripletConfig {
  int first_id = 0, count = 0;  // numeric tokens, ascending; count 0: no triplets
  int batch = 1024;             // triplets an update
  double weight = 1;            // of their loss
  double margin =
      0.05;  // at most; margin_per_gap times how much farther the farther token is, where the numbers span -1 to 1
  double margin_per_gap = 1;
  std::uint64_t seed = 1;
};

struct VlaTrainConfig {
  int tokens = 1280;           // rows of one example, with all copies
  int images = 1, copies = 1;  // of one example
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.05;
  double clip = 1;                     // largest norm of the gradient
  std::vector<std::string> trainable;  // names of tensors
  bool recompute = false;              // activations inside layers are computed again by the backward pass
  flow::PathSchedule schedule;         // of noise
  std::int32_t mask_token = -1;        // what a noised row reads at time 0; below 0: a token of the range
  double smear = 0;                    // tokens: width of the target of examples with a range (Backend::cross_entropy)
  TripletConfig triplet;
  LoraConfig lora;
};

struct VlaStep {
  double loss = 0;          // mean cross-entropy of all counted rows and copies
  double triplet_loss = 0;  // mean over triplets, before its weight
  double grad_norm = 0;     // of the trained tensors, before it is clipped
};

/// Bytes that a trainer takes, all at its start.
struct TrainMemory {
  std::int64_t weights = 0, gradients = 0, moments = 0;  // with those of adapters
  std::int64_t vision = 0, language = 0;                 // activations of tower and aligner, and of the decoder
  std::int64_t head = 0;                                 // logits, and the rows that they come of
  std::int64_t total() const { return weights + gradients + moments + vision + language + head; }
};

class VlaTrainer {
 public:
  /// Throws Error: ERR_CHECKPOINT_CORRUPT; ERR_CONFIG for a tensor that the model has not; ERR_OUT_OF_MEMORY.
  /// `source` is read again after every update where there are adapters.
  VlaTrainer(const VlaConfig& config, std::shared_ptr<const TensorSource> source, Backend& backend,
             VlaTrainConfig train);
  ~VlaTrainer();

  /// What such a trainer would take; reads no weights. Throws Error(ERR_CONFIG) as the constructor.
  static TrainMemory plan(const VlaConfig& config, Backend& backend, VlaTrainConfig train);
  VlaTrainer(const VlaTrainer&) = delete;
  VlaTrainer& operator=(const VlaTrainer&) = delete;

  const VlaConfig& config() const { return config_; }
  const VlaTrainConfig& train() const { return train_; }
  std::int64_t steps_done() const { return steps_; }

  /// Loss and gradients of a batch; the weights stay. Throws Error: ERR_RANGE, ERR_SHAPE for an example that does not fit.
  VlaStep gradients(const std::vector<VlaExample>& batch);
  /// Of the targets (or chosen tokens) of all counted rows, example by example, copy by copy: [rows].
  std::vector<float> log_probabilities(const std::vector<VlaExample>& batch);
  /// One update with the gradients of the last call.
  void update(double learning_rate, double grad_norm);

  /// Weights, or the last gradients, of some tensors.
  std::vector<model::NamedTensor> tensors(const std::vector<std::string>& names, bool gradient) const;
  /// Moments of what is trained, and adapters: with the weights (those that adapters are added to) all that a run needs to
  /// go on.
  std::vector<model::NamedTensor> state() const;
  /// Throws Error(ERR_CHECKPOINT_CORRUPT) when tensors are missing or have another shape.
  void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps_done);

 private:
  struct Trained {
    const model::TensorSpec* spec;
    std::int64_t moment;
    bool adapter;
  };
  real* weights_of(const Trained& trained) const;
  real* gradient_of(const Trained& trained) const;
  /// Knows all sizes and has no memory yet.
  VlaTrainer(const VlaConfig& config, Backend& backend, VlaTrainConfig train);
  TrainMemory reserve(Arena& arena);
  void check_train() const;
  int logit_rows() const;
  void load(const TensorSource& source);
  TokenMetric metric(TokenRange range);
  void set_rows(const VlaExample& example);
  void embed(const VlaExample& example, bool backward, const real* dx);
  std::int64_t check(const std::vector<VlaExample>& batch) const;
  double head(const VlaExample& example, int rows, const real* normed, bool backward,
              std::vector<float>* log_probability);
  double run(const VlaExample& example, std::int64_t counted, std::vector<float>* log_probability);
  double triplets();

  const VlaConfig config_;
  const VlaTrainConfig train_;
  const VlaNetwork network_;
  Backend& backend_;
  std::shared_ptr<const TensorSource> source_;  // null without adapters
  std::vector<Trained> trained_;
  bool trains_aligner_ = false, trains_tower_ = false, trains_table_ = false;
  model::ParameterLayout moments_;
  std::int64_t steps_ = 0;
  real *block_ = nullptr, *first_moment_ = nullptr, *second_moment_ = nullptr;
  LoraAdapters adapters_;
  GradientStore gradients_;
  Arena weights_;
  VisionTower tower_;
  model::Decoder decoder_;
  StagedBlock staged_, noise_, triplet_;
  Staged<std::int32_t> ids_, position_, image_row_, image_at_, row_, target_;
  Staged<real> weight_, policy_[2], beta_, margin_;
  Staged<std::int32_t> x_1_, anchor_, positive_, negative_;
  Staged<float> draw_;
  std::int32_t* x_t_ = nullptr;
  std::vector<double> coordinate_;  // of the numeric tokens
  std::vector<std::pair<TokenRange, std::unique_ptr<PackedTable>>> packed_;
  model::Segments all_, last_;
  real *dnormed_ = nullptr, *head_input_ = nullptr, *dhead_input_ = nullptr, *logits_ = nullptr, *loss_ = nullptr;
  real* log_probability_ = nullptr;
  real* dimage_ = nullptr;
  Arena arena_;
};

}  // namespace wam::vla
