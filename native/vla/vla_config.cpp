#include "vla/vla_config.h"

#include <cmath>
#include <string>

#include "core/error.h"

namespace wam::vla {
namespace {

constexpr int kMostVocab = 1 << 24, kMostWidth = 1 << 16, kMostLayers = 1024, kMostImage = 1 << 13;

void require(bool holds, const char* field, const std::string& expected, double received) {
  if (holds) return;
  std::string number = std::to_string(received);
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  throw Error("ERR_CONFIG", std::string(field) + ": expected " + expected + ", received " + number);
}

void in_range(int value, const char* field, int most) {
  require(value >= 1 && value <= most, field, "an integer from 1 to " + std::to_string(most), value);
}

void width(int value, const char* field) { in_range(value, field, kMostWidth); }

void positive(double value, const char* field) {
  require(value > 0 && std::isfinite(value), field, "a positive number", value);
}

}  // namespace

void VlaConfig::validate() const {
  const LanguageConfig& l = language;
  in_range(l.vocab, "language.vocab", kMostVocab);
  width(l.hidden, "language.hidden"), width(l.mlp_hidden, "language.mlpHidden");
  in_range(l.layers, "language.layers", kMostLayers);
  in_range(l.heads, "language.heads", kMostWidth), in_range(l.kv_heads, "language.kvHeads", kMostWidth);
  require(l.heads % l.kv_heads == 0, "language.kvHeads", "a divisor of the heads", l.kv_heads);
  in_range(l.head_dim, "language.headDim", kMostWidth);
  require(l.head_dim % 2 == 0, "language.headDim", "an even number", l.head_dim);
  positive(l.norm_eps, "language.normEps"), positive(l.rope_theta, "language.ropeTheta");

  const VisionConfig& v = vision;
  in_range(v.image_size, "vision.imageSize", kMostImage), in_range(v.patch, "vision.patch", v.image_size);
  width(v.width, "vision.width"), width(v.mlp_hidden, "vision.mlpHidden");
  in_range(v.layers, "vision.layers", kMostLayers);
  in_range(v.heads, "vision.heads", kMostWidth);
  require(v.width % v.heads == 0, "vision.heads", "a divisor of the width", v.heads);
  positive(v.norm_eps, "vision.normEps");
  in_range(aligner_depth, "alignerDepth", kMostLayers);
}

}  // namespace wam::vla
