#include "model/flow_noise.h"

#include <algorithm>

namespace wam::model {

void draw_times(const RandomStream& stream, std::uint32_t step, std::uint32_t sample, int copies, double zero_fraction,
                double* t) {
  for (int c = 0; c < copies; ++c) {
    const Philox4 r = stream.at(step, static_cast<std::uint32_t>(c), sample, RandomUse::train_time);
    t[c] = (c + static_cast<double>(unit_uniform(r.word[0]))) / copies;
    if (unit_uniform(r.word[1]) < zero_fraction) t[c] = 0;
  }
}

NoiseProcess::NoiseProcess(const ModelConfig& config, const TokenMetric& metric, Backend& backend, int max_rows)
    : config_(config), metric_(metric), backend_(backend) {
  beta_.resize(static_cast<std::size_t>(max_rows));
  draw_.resize(static_cast<std::size_t>(max_rows));
  target_.resize(static_cast<std::size_t>(max_rows));
}

void NoiseProcess::noise(const RandomStream& stream, std::uint32_t step, std::uint32_t sample, int copies,
                         const double* t, const std::int32_t* x_1, std::int32_t* x_t) {
  const int slots = config_.slots();
  for (int c = 0; c < copies; ++c) {
    for (int s = 0; s < slots; ++s) {
      const int row = c * slots + s;
      const Philox4 r = stream.at(step, static_cast<std::uint32_t>(row), sample, RandomUse::train_noise);
      draw_[row] = unit_uniform(r.word[0]);
      const bool known = x_1[s] >= 0;
      target_[row] = known ? x_1[s] : 0;
      // beta 0 is the uniform distribution: what a slot without a target gets at any time.
      beta_[row] = known ? static_cast<real>(config_.schedule.beta(t[c])) : real(0);
      if (config_.path == PathKind::mixture) {
        const double shown = known ? config_.mixture.kappa(t[c]) : 0;
        const int uniform = std::min(static_cast<int>(unit_uniform(r.word[1]) * config_.vocab), config_.vocab - 1);
        x_t[row] = draw_[row] < shown ? x_1[s] : uniform;
      }
    }
  }
  if (config_.path == PathKind::metric) {
    PathNoise p;
    p.rows = copies * slots;
    p.metric = metric_;
    p.beta = beta_.data();
    p.x_1 = target_.data();
    p.draw = draw_.data();
    p.x_t = x_t;
    backend_.path_noise(p);
  }
  if (!config_.mask_at_zero) return;
  for (int c = 0; c < copies; ++c) {
    if (t[c] == 0) std::fill_n(x_t + c * slots, slots, config_.vocab);
  }
}

}  // namespace wam::model
