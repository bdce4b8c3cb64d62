#pragma once
// Image to rows of the language model: patches, SigLIP blocks, final norm, aligner.

#include "core/arena.h"
#include "core/staged.h"
#include "model/decoder.h"
#include "vla/vla_network.h"

namespace wam::vla {

class VisionTower {
 public:
  /// `config`, `network` and what `weights` points to must outlive this. Takes memory for `images` images.
  VisionTower(const VlaConfig& config, const VlaNetwork& network, model::Weights weights, Backend& backend, int images);
  void reserve(Arena& arena);
  /// Once the memory was taken.
  void arrange();

  /// Encodes image `index` from pixels [3, size, size], normalised as the model wants them. `features` [tokens, width] on
  /// the host takes the rows before the aligner, or is null. False when `watch` gave up.
  bool encode(int index, const float* pixels, real* features, const model::LayerWatch& watch);

  /// [images * tokens, hidden] rows of the images encoded so far, in the backend's memory.
  const real* rows() const { return aligned_; }

 private:
  void write_patches(const float* pixels);

  const VlaConfig& config_;
  const VlaNetwork& network_;
  const model::Weights weights_;
  Backend& backend_;
  const int images_;
  model::Decoder decoder_;
  StagedBlock staged_;
  Staged<real> patches_;  // [tokens, 3 patch patch]
  Staged<std::int32_t> position_;
  model::Segments every_;
  real *between_[2] = {}, *aligned_ = nullptr;
};

}  // namespace wam::vla
