#include "model/token_features.h"

#include <cmath>
#include <numbers>

namespace wam::model {

namespace {

constexpr int kOctaves = 8;
constexpr int kBumps = 65;
// Bump spacing is 2/64 of the coordinate. Wide bumps overlap their neighbours by two spacings; narrow ones are about
// three tokens wide at 401 tokens, the width of the smeared training target.
constexpr double kWide = 1.0 / 16, kNarrow = 1.0 / 64;

}  // namespace

int token_feature_width(const ModelConfig& config) {
  return config.numeric == NumericKind::table ? config.table_dim : 1 + 2 * kOctaves + 2 * kBumps;
}

void write_token_features(const ModelConfig& config, const real* table, real* features) {
  const int width = token_feature_width(config);
  for (int token = 0; token < config.vocab; ++token) {
    real* row = features + static_cast<std::int64_t>(token) * width;
    if (config.numeric == NumericKind::table) {
      const real* source = table + static_cast<std::int64_t>(token) * config.table_dim;
      double square = 0;
      for (int i = 0; i < width; ++i) square += static_cast<double>(source[i]) * source[i];
      const double scale = std::sqrt(width / std::max(square, 1e-24));
      for (int i = 0; i < width; ++i) row[i] = static_cast<real>(source[i] * scale);
      continue;
    }
    const double u = -1 + 2.0 * token / (config.vocab - 1);
    *row++ = static_cast<real>(u);
    for (int k = 0; k < kOctaves; ++k) {
      const double angle = std::ldexp(std::numbers::pi * u, k);
      *row++ = static_cast<real>(std::sin(angle));
      *row++ = static_cast<real>(std::cos(angle));
    }
    for (double sigma : {kWide, kNarrow}) {
      for (int i = 0; i < kBumps; ++i) {
        const double z = (u - (-1 + 2.0 * i / (kBumps - 1))) / sigma;
        *row++ = static_cast<real>(std::exp(-0.5 * z * z));
      }
    }
  }
}

}  // namespace wam::model
