#pragma once
// Image to rows of the language model: patches, SigLIP blocks, final norm, aligner; and back, where they are trained.

#include "core/arena.h"
#include "core/staged.h"
#include "model/decoder.h"
#include "vla/vla_network.h"

namespace wam::vla {

class VisionTower {
 public:
  /// `config`, `network` and what `weights` points to must outlive this. Takes memory for `images` images.
  VisionTower(const VlaConfig& config, const VlaNetwork& network, model::Weights weights, Backend& backend, int images);
  /// With `training` what `backward` needs is kept (`recompute`: only the rows between blocks).
  void reserve(Arena& arena, bool training = false, bool recompute = false);
  /// Once the memory was taken.
  void arrange();
  /// Other weights from now on.
  void use(model::Weights weights) { weights_ = weights; }

  /// Encodes image `index` from pixels [3, size, size], normalised as the model wants them. `features` [tokens, width] on
  /// the host takes the rows before the aligner, or is null. False when `watch` gave up.
  bool encode(int index, const float* pixels, real* features, const model::LayerWatch& watch);

  /// After `encode` of one image in training: gradients of its rows [tokens, hidden] -> those of the aligner's weights and,
  /// with `tower`, of the tower's, added to `grad`.
  void backward(const real* drows, bool tower, model::Gradient grad);

  /// [images * tokens, hidden] rows of the images encoded so far, in the backend's memory.
  const real* rows() const { return aligned_; }

 private:
  void write_patches(const float* pixels);

  const VlaConfig& config_;
  const VlaNetwork& network_;
  model::Weights weights_;
  Backend& backend_;
  const int images_;
  model::Decoder decoder_;
  StagedBlock staged_;
  Staged<real> patches_;  // [tokens, 3 patch patch]
  Staged<std::int32_t> position_;
  model::Segments every_;
  bool training_ = false;
  // Of each map of the aligner: what it reads, and in training what it gives before its activation.
  std::vector<const real*> read_;
  std::vector<real*> before_, between_;
  real *aligned_ = nullptr, *dwide_[2] = {}, *dnormed_ = nullptr;
};

}  // namespace wam::vla
