#include "model/value_decoder.h"

#include <algorithm>

#include "core/error.h"

namespace wam::model {

ValueDecoder::ValueDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits)
    : config_(model->config()),
      backend_(backend),
      limits_(limits),
      network_(model, backend, config_.decoder == DecoderKind::diffusion ? limits.max_samples : 1),
      tokens_(config_),
      arena_(make_arena(backend, [this](Arena& arena) {
        const auto rows = static_cast<std::size_t>(diffuses() ? limits_.max_samples : 1) * config_.slots();
        const auto steps = static_cast<std::size_t>(diffuses() ? limits_.max_steps : 1);
        staged_.clear();
        noise_.reserve(staged_, rows);
        time_features_.reserve(staged_, steps * kTimeFeatures);
        staged_.take(arena, backend_);
        for (real*& state : state_) state = arena.take<real>(rows);
        plan_ = arena.take<real>(rows * steps);
      })) {
  const auto rows = static_cast<std::size_t>(diffuses() ? limits.max_samples : 1) * config_.slots();
  host_plan_.resize(rows * static_cast<std::size_t>(diffuses() ? limits.max_steps : 1));
}

void ValueDecoder::check(const PlanOptions& o) const {
  refuse_warm_start(o, diffuses() ? "diffusion" : "regression");
  if (diffuses() || o.steps == 1) return;
  throw Error("ERR_RANGE",
              "steps: a regression decoder has no refinement steps; expected 1, received " + std::to_string(o.steps));
}

void ValueDecoder::begin(const scene::Features& features, const PlanOptions& o, const PlanStart&) {
  const int samples = active(o, 0), slots = config_.slots();
  rows_ = static_cast<std::size_t>(samples) * slots;
  network_.set_prefix(features, samples, o.cache);
  if (!diffuses()) return;
  const double start = config_.diffusion_start;
  const RandomStream stream(o.seed);
  const double size = o.last_decode == DecodeRule::sample ? o.temperature * NoiseLevel::at(start).sigma : 0;
  const int coupled = coupled_slots(config_, o.coupling);
  for (int i = 0; i < samples * slots; ++i) {
    const int slot = coupled > 0 ? i % slots % coupled : i % slots;
    const Philox4 r =
        stream.at(0, static_cast<std::uint32_t>(slot), static_cast<std::uint32_t>(i / slots), RandomUse::initial_token);
    noise_[static_cast<std::size_t>(i)] = static_cast<real>(size * normal_draw(r, 0));
  }
  for (int k = 0; k < o.steps; ++k) {
    write_time_features(diffusion_time(start, k, o.steps),
                        &time_features_[static_cast<std::size_t>(k) * kTimeFeatures]);
  }
  staged_.push(backend_);
}

void ValueDecoder::queue_prefix(const PlanOptions&) {
  network_.encode_prefix();
  if (!diffuses()) return;
  const auto n = static_cast<std::int64_t>(rows_);
  backend_.fill(n, 0, state_[0]);
  backend_.axpy(n, 1, noise_.device(), state_[0]);
}

bool ValueDecoder::queue_step(const PlanOptions& o, int k, const LayerWatch& watch) {
  const auto n = static_cast<std::int64_t>(rows_);
  real* out = plan_ + static_cast<std::size_t>(k) * rows_;
  const real* z = diffuses() ? state_[k % 2] : nullptr;
  const real* time = diffuses() ? time_features_.device() + static_cast<std::ptrdiff_t>(k) * kTimeFeatures : nullptr;
  if (!network_.values(z, time, active(o, k), out, watch)) return false;
  if (k + 1 == o.steps) return true;
  const double start = config_.diffusion_start;
  const DdimStep step = DdimStep::between(diffusion_time(start, k, o.steps), diffusion_time(start, k + 1, o.steps));
  real* next = state_[(k + 1) % 2];
  backend_.fill(n, 0, next);
  backend_.axpy(n, static_cast<real>(step.a / config_.diffusion_scale), out, next);
  backend_.axpy(n, static_cast<real>(step.b), z, next);
  return true;
}

void ValueDecoder::fetch(int k, bool all) {
  const std::size_t first = all ? 0 : static_cast<std::size_t>(k) * rows_;
  const std::size_t count = (static_cast<std::size_t>(k) + 1) * rows_ - first;
  backend_.download(host_plan_.data() + first, plan_ + first, count * sizeof(real));
}

const real* ValueDecoder::plan(int k, int sample) const {
  const std::size_t row = diffuses() ? static_cast<std::size_t>(sample) * config_.slots() : 0;
  return host_plan_.data() + static_cast<std::size_t>(k) * rows_ + row;
}

void ValueDecoder::write_poses(int k, int sample, double speed, double center_offset, float* pose) {
  tokens_.decode(plan(k, sample), speed, center_offset, pose);
}

void ValueDecoder::write_decision(const PlanOptions& o, int k, PlanOutput& out) {
  for (int s = 0; s < o.samples; ++s)
    tokens_.nearest(plan(k, s), &out.tokens[static_cast<std::size_t>(s) * config_.slots()]);
  std::fill(out.log_probability.begin(), out.log_probability.end(), 0.0f);
  std::fill(out.margin.begin(), out.margin.end(), 0.0f);
}

}  // namespace wam::model
