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

void NoiseProcess::reserve(Arena& arena, StagedBlock& block, int max_rows) {
  const auto n = static_cast<std::size_t>(max_rows);
  beta_.reserve(block, n), draw_.reserve(block, n), target_.reserve(block, n), fixed_.reserve(block, n);
  x_t_ = arena.take<std::int32_t>(n);
}

void NoiseProcess::add(const RandomStream& stream, std::uint32_t step, std::uint32_t sample, int copies,
                       const double* t, const std::int32_t* x_1) {
  const int slots = config_.slots(), mask = config_.network_vocab();
  for (int c = 0; c < copies; ++c) {
    for (int s = 0; s < slots; ++s) {
      const auto row = static_cast<std::size_t>(rows_++);
      if (config_.decoder != DecoderKind::flow) {
        const bool follows = config_.decoder == DecoderKind::autoregressive && s > 0 && x_1[s - 1] >= 0;
        fixed_[row] = follows ? x_1[s - 1] : mask;
        continue;
      }
      const Philox4 r = stream.at(step, static_cast<std::uint32_t>(c * slots + s), sample, RandomUse::train_noise);
      draw_[row] = unit_uniform(r.word[0]);
      const bool known = x_1[s] >= 0;
      target_[row] = known ? x_1[s] : 0;
      // beta 0 is the uniform distribution: what a slot without a target gets at any time.
      beta_[row] = known ? static_cast<real>(config_.schedule.beta(t[c])) : real(0);
      fixed_[row] = -1;
      if (config_.path == PathKind::mixture) {
        const double shown = known ? config_.mixture.kappa(t[c]) : 0;
        const int uniform = std::min(static_cast<int>(unit_uniform(r.word[1]) * config_.vocab), config_.vocab - 1);
        const int hidden = config_.mixture_source == MixtureSource::mask ? mask : uniform;
        fixed_[row] = draw_[row] < shown ? x_1[s] : hidden;
      }
      if (config_.mask_at_zero && t[c] == 0) fixed_[row] = mask;
    }
  }
}

const std::int32_t* NoiseProcess::draw() {
  if (config_.decoder != DecoderKind::flow) {
    rows_ = 0;
    return fixed_.device();
  }
  PathNoise p;
  p.rows = rows_;
  p.fixed = fixed_.device();
  p.metric = metric_;
  p.beta = beta_.device();
  p.x_1 = target_.device();
  p.draw = draw_.device();
  p.x_t = x_t_;
  backend_.path_noise(p);
  rows_ = 0;
  return x_t_;
}

}  // namespace wam::model
