#include "model/diffusion.h"

#include <cmath>
#include <numbers>

namespace wam::model {

NoiseLevel NoiseLevel::at(double t) {
  const double angle = std::numbers::pi / 2 * t;
  return {std::cos(angle), std::sin(angle)};
}

DdimStep DdimStep::between(double t, double s) {
  const NoiseLevel from = NoiseLevel::at(t), to = NoiseLevel::at(s);
  const double b = to.sigma / from.sigma;
  return {to.alpha - b * from.alpha, b};
}

double diffusion_time(double start, int k, int n) { return start * (1 - static_cast<double>(k) / n); }

double normal_draw(const Philox4& words, int index) {
  const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(unit_uniform(words.word[0]))));
  const double angle = 2 * std::numbers::pi * static_cast<double>(unit_uniform(words.word[1]));
  return radius * (index == 0 ? std::cos(angle) : std::sin(angle));
}

void write_time_features(double t, real* features) {
  *features++ = static_cast<real>(t);
  for (int k = 0; k < (kTimeFeatures - 1) / 2; ++k) {
    const double angle = std::ldexp(std::numbers::pi / 2 * t, k);
    *features++ = static_cast<real>(std::sin(angle));
    *features++ = static_cast<real>(std::cos(angle));
  }
}

void ValueEmbedding::reserve(Arena& arena, int max_times, bool training) {
  const auto n = static_cast<std::size_t>(max_times) * config_.hidden;
  embedded_ = arena.take<real>(n);
  if (training) dembedded_ = arena.take<real>(n);
}

void ValueEmbedding::forward(const Weights& weights, int rows, const real* z, int times, const real* features,
                             const std::int32_t* time, real* x) {
  const int hidden = config_.hidden;
  Gemm g;
  g.m = rows, g.n = hidden, g.k = 1;
  g.a = z, g.lda = 1;
  g.b = weights.block + network_.value_input.weight, g.ldb = 1, g.b_transposed = true;
  g.c = x, g.ldc = hidden;
  g.accumulate = true;
  backend_.gemm(g);
  apply(backend_, weights, network_.time_input, times, features, kTimeFeatures, embedded_, hidden);
  backend_.embedding(rows, hidden, embedded_, time, x, hidden, true);
}

void ValueEmbedding::backward(const real* block, int rows, const real* z, int times, const real* features,
                              const std::int32_t* time, const real* dx, real* grad) {
  const int hidden = config_.hidden;
  apply_backward(backend_, block, network_.value_input, rows, z, 1, dx, hidden, nullptr, 0, grad);
  backend_.fill(static_cast<std::int64_t>(times) * hidden, 0, dembedded_);
  backend_.embedding_backward(rows, hidden, time, dx, hidden, dembedded_);
  apply_backward(backend_, block, network_.time_input, times, features, kTimeFeatures, dembedded_, hidden, nullptr, 0,
                 grad);
}

}  // namespace wam::model
