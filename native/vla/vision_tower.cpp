#include "vla/vision_tower.h"

#include <algorithm>

namespace wam::vla {

VisionTower::VisionTower(const VlaConfig& config, const VlaNetwork& network, model::Weights weights, Backend& backend,
                         int images)
    : config_(config),
      network_(network),
      weights_(weights),
      backend_(backend),
      images_(images),
      decoder_(network.vision_shape, network.vision, backend) {}

void VisionTower::reserve(Arena& arena, bool training, bool recompute) {
  training_ = training;
  const auto tokens = static_cast<std::size_t>(config_.vision.tokens());
  const auto hidden = static_cast<std::size_t>(config_.language.hidden);
  staged_.clear();
  patches_.reserve(staged_, tokens * static_cast<std::size_t>(network_.patch.in));
  position_.reserve(staged_, tokens);
  every_.reserve(staged_, 1, 0);
  staged_.take(arena, backend_);
  decoder_.reserve(arena, config_.vision.tokens(), training, false, recompute);
  const std::size_t inner = network_.aligner.size() - 1;
  read_.assign(inner + 1, nullptr), before_.assign(inner, nullptr), between_.assign(inner, nullptr);
  for (std::size_t i = 0; i < inner; ++i) {
    // Nothing but a backward pass reads the rows before the last but one.
    between_[i] = i < 2 || training ? arena.take<real>(tokens * hidden) : between_[i - 2];
    if (training) before_[i] = arena.take<real>(tokens * hidden);
  }
  if (training) {
    for (real*& rows : dwide_) rows = arena.take<real>(tokens * hidden);
    dnormed_ = arena.take<real>(tokens * static_cast<std::size_t>(config_.vision.width));
  }
  aligned_ = arena.take<real>(static_cast<std::size_t>(images_) * tokens * hidden);
}

void VisionTower::arrange() {
  const int tokens = config_.vision.tokens();
  std::fill_n(position_.host(), tokens, 0);
  every_.clear();
  every_.add(model::MaskKind::full, {0, tokens, tokens, 0}, 0, {true, false});
}

void VisionTower::write_patches(const float* pixels) {
  const int size = config_.vision.image_size, patch = config_.vision.patch, grid = config_.vision.grid();
  real* out = patches_.host();
  for (int y = 0; y < grid; ++y) {
    for (int x = 0; x < grid; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        const float* plane = pixels + static_cast<std::int64_t>(channel) * size * size;
        for (int row = 0; row < patch; ++row) {
          const float* from = plane + static_cast<std::int64_t>(y * patch + row) * size + x * patch;
          out = std::copy_n(from, patch, out);
        }
      }
    }
  }
}

bool VisionTower::encode(int index, const float* pixels, real* features, const model::LayerWatch& watch) {
  const int tokens = config_.vision.tokens(), width = config_.vision.width, hidden = config_.language.hidden;
  write_patches(pixels);
  staged_.push(backend_);
  model::apply(backend_, weights_, network_.patch, tokens, patches_.device(), network_.patch.in, decoder_.input(),
               width, {.residual = weights_.block + network_.position, .ldr = width});
  const real* rows = decoder_.forward(weights_, 0, tokens, 0, every_, every_, position_.device(), {}, watch);
  if (rows == nullptr) return false;
  const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(width);
  if (features != nullptr) backend_.download(features, rows, count * sizeof(real));
  for (std::size_t i = 0; i < network_.aligner.size(); ++i) {
    const model::Linear& map = network_.aligner[i];
    read_[i] = rows;
    if (i + 1 == network_.aligner.size()) {
      real* to = aligned_ + static_cast<std::int64_t>(index) * tokens * hidden;
      model::apply(backend_, weights_, map, tokens, rows, map.in, to, hidden);
    } else if (training_) {
      model::apply(backend_, weights_, map, tokens, rows, map.in, before_[i], hidden);
      backend_.activation(Activation::gelu_erf, std::int64_t{tokens} * hidden, before_[i], between_[i]);
      rows = between_[i];
    } else {
      model::apply(backend_, weights_, map, tokens, rows, map.in, between_[i], hidden,
                   {.activation = Activation::gelu_erf});
      rows = between_[i];
    }
  }
  return true;
}

void VisionTower::backward(const real* drows, bool tower, model::Gradient grad) {
  const int tokens = config_.vision.tokens(), width = config_.vision.width, hidden = config_.language.hidden;
  for (std::size_t i = network_.aligner.size(); i-- > 0;) {
    const model::Linear& map = network_.aligner[i];
    real* dread = i > 0 ? dwide_[0] : tower ? dnormed_ : nullptr;
    model::apply_backward(backend_, weights_.block, map, tokens, read_[i], map.in, drows, hidden, dread, map.in, grad);
    if (i == 0) break;
    backend_.activation_backward(Activation::gelu_erf, std::int64_t{tokens} * hidden, before_[i - 1], dread, dwide_[1]);
    drows = dwide_[1];
  }
  if (!tower) return;
  const real* dx = decoder_.backward(weights_, tokens, 0, every_, every_, position_.device(), {}, dnormed_, grad);
  model::apply_backward(backend_, weights_.block, network_.patch, tokens, patches_.device(), network_.patch.in, dx,
                        width, nullptr, 0, grad);
  backend_.axpy(std::int64_t{tokens} * width, 1, dx, grad.vector(network_.position));
}

}  // namespace wam::vla
