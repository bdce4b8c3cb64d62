#pragma once
// Gradients of a training step: those of the matrices that are trained, and of all vectors, which cost nothing. Those of
// matrices with adapters pass through to the adapters.

#include <string>
#include <vector>

#include "core/arena.h"
#include "model/gradient.h"
#include "vla/lora.h"
#include "vla/vla_network.h"

namespace wam::vla {

class GradientStore final : public model::GradientSink {
 public:
  /// `trained`: names of tensors. Tensors that lie in one product with a trained one have gradients too. `adapters` and
  /// `backend` must outlive this. Throws Error(ERR_CONFIG) when a product has both.
  GradientStore(const VlaNetwork& network, const std::vector<std::string>& trained, LoraAdapters& adapters,
                Backend& backend);
  void reserve(Arena& arena);

  void clear();
  /// Numbers that are held.
  std::int64_t size() const { return size_; }
  /// Gradient of what lies at this offset of the block of weights; null where none is kept.
  real* at(std::int64_t offset) const;

  real* begin(const model::Linear& linear) override;
  void end(const model::Linear& linear) override;
  real* vector(std::int64_t offset) override { return at(offset); }

 private:
  /// A piece of the block of weights whose gradient lies in one piece.
  struct Piece {
    std::int64_t begin, end, at;
  };
  LoraAdapters& adapters_;
  Backend& backend_;
  std::vector<Piece> pieces_;  // ascending
  std::int64_t size_ = 0;
  real* memory_ = nullptr;
};

}  // namespace wam::vla
