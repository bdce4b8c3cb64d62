#pragma once
// Training of the language part of a vision-language model: loss of the shifted logits, gradients, AdamW. Images go through
// tower and aligner as they are. Everything is float: weights, gradients and the moments of what is trained.

#include <memory>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/decoder.h"
#include "model/model.h"
#include "model/segments.h"
#include "vla/tensor_source.h"
#include "vla/vision_tower.h"
#include "vla/vla_network.h"
#include "vla/vla_runner.h"

namespace wam::vla {

struct VlaTrainConfig {
  int tokens = 1280, images = 1;  // of one sequence
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.05;
  double clip = 1;                     // largest norm of the gradient
  std::vector<std::string> trainable;  // names of tensors of the language model
};

/// One sequence: what the network reads and what it is to say.
struct VlaExample {
  std::vector<std::int32_t> x_t, x_1;        // [tokens]
  std::vector<std::uint8_t> image, counted;  // [tokens]: rows of images; rows that count in the loss
  std::vector<float> pixels;
  int images = 0;
  Mask mask = Mask::full;
  int prefix_rows = 0;
};

struct VlaStep {
  double loss = 0;       // mean cross-entropy of all counted rows
  double grad_norm = 0;  // of the trained tensors, before it is clipped
};

class VlaTrainer {
 public:
  /// Throws Error: ERR_CHECKPOINT_CORRUPT; ERR_CONFIG for a tensor that cannot be trained; ERR_OUT_OF_MEMORY.
  VlaTrainer(const VlaConfig& config, const TensorSource& source, Backend& backend, VlaTrainConfig train);
  ~VlaTrainer();
  VlaTrainer(const VlaTrainer&) = delete;
  VlaTrainer& operator=(const VlaTrainer&) = delete;

  const VlaConfig& config() const { return config_; }
  const VlaTrainConfig& train() const { return train_; }
  std::int64_t steps_done() const { return steps_; }

  /// Loss and gradients of a batch; the weights stay. Throws Error: ERR_RANGE, ERR_SHAPE for an example that does not fit.
  VlaStep gradients(const std::vector<VlaExample>& batch);
  /// One update with the gradients of the last call.
  void update(double learning_rate, double grad_norm);

  /// Weights, or the last gradients, of some tensors.
  std::vector<model::NamedTensor> tensors(const std::vector<std::string>& names, bool gradient) const;

 private:
  struct Trained {
    std::int64_t offset, count, moment;
  };
  void reserve(Arena& arena);
  void load(const TensorSource& source);
  void check(const VlaExample& example) const;
  void embed(const VlaExample& example, bool backward, const real* dx);
  double run(const VlaExample& example, std::int64_t counted);

  const VlaConfig config_;
  const VlaTrainConfig train_;
  const VlaNetwork network_;
  Backend& backend_;
  std::vector<Trained> trained_;
  std::int64_t moments_ = 0, steps_ = 0;
  real *block_ = nullptr, *gradient_ = nullptr, *first_moment_ = nullptr, *second_moment_ = nullptr;
  Arena weights_;
  VisionTower tower_;
  model::Decoder decoder_;
  StagedBlock staged_;
  Staged<std::int32_t> ids_, position_, image_row_, row_, target_;
  Staged<real> weight_;
  model::Segments all_, last_;
  real *dnormed_ = nullptr, *head_input_ = nullptr, *dhead_input_ = nullptr, *logits_ = nullptr, *loss_ = nullptr;
  Arena arena_;
};

}  // namespace wam::vla
