#pragma once
// Continuous diffusion over token coordinates: noise levels, and what noisy coordinates and their time look like to the
// network. The scale of ModelConfig::diffusion_scale makes the coordinates z = u / scale of unit size first.

#include <vector>

#include "core/arena.h"
#include "model/decoder.h"

namespace wam::model {

/// z_t = alpha z_0 + sigma e, e normal: alpha = cos(pi t / 2), sigma = sin(pi t / 2) (the cosine schedule).
struct NoiseLevel {
  double alpha = 1, sigma = 0;
  static NoiseLevel at(double t);
};

/// z_s = a z_0 + b z_t: the deterministic DDIM step (Song et al., 2021, eq. 12 with sigma 0) from time t to s < t.
struct DdimStep {
  double a = 0, b = 0;
  static DdimStep between(double t, double s);
};

/// Time before step k of n of a plan that begins at `start`, and what is left after it.
double diffusion_time(double start, int k, int n);

/// Standard normal number `index` of a stream position (Box-Muller; two a block of random words).
double normal_draw(const Philox4& words, int index);

/// t itself, and sine and cosine of 2^k pi t / 2, k = 0..7.
inline constexpr int kTimeFeatures = 17;
void write_time_features(double t, real* features);

/// Adds noisy coordinates and their times to action rows.
class ValueEmbedding {
 public:
  ValueEmbedding(const ModelConfig& config, const Network& network, Backend& backend)
      : config_(config), network_(network), backend_(backend) {}
  void reserve(Arena& arena, int max_times, bool training);

  /// x [rows, hidden] += value_input(z [rows]) + time_input(features [times, kTimeFeatures])[time of row].
  void forward(const Weights& weights, int rows, const real* z, int times, const real* features,
               const std::int32_t* time, real* x);
  /// Adds weight gradients; dx [rows, hidden].
  void backward(const real* block, int rows, const real* z, int times, const real* features, const std::int32_t* time,
                const real* dx, real* grad);

 private:
  const ModelConfig& config_;
  const Network& network_;
  Backend& backend_;
  real *embedded_ = nullptr, *dembedded_ = nullptr;  // [times, hidden]
};

}  // namespace wam::model
