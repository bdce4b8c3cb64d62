#include "model/refine.h"

#include <algorithm>

#include "flow/schedule.h"
#include "model/action_decoder.h"

namespace wam::model {

Refiner::Refiner(const ModelConfig& config, const TokenMetric& metric, Backend& backend, PlanLimits limits)
    : config_(config),
      metric_(metric),
      backend_(backend),
      limits_(limits),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  if (backend.unified()) {
    host_plan_ = plan_;
    host_decision_ = decision_;
    host_median_ = median_;
    return;
  }
  const std::size_t rows = static_cast<std::size_t>(limits.max_samples) * config.slots();
  fetched_plan_.resize(rows * static_cast<std::size_t>(limits.max_steps));
  fetched_decision_.resize(2 * rows);
  fetched_median_.resize(static_cast<std::size_t>(config.slots()));
  host_median_ = fetched_median_.data();
  host_plan_ = fetched_plan_.data();
  host_decision_ = fetched_decision_.data();
}

void Refiner::reserve(Arena& arena) {
  const std::size_t rows = static_cast<std::size_t>(limits_.max_samples) * config_.slots();
  staged_.clear();
  seed_.reserve(staged_, 1);
  staged_.take(arena, backend_);
  warm_.clear();
  warm_beta_.reserve(warm_, rows), warm_draw_.reserve(warm_, rows);
  warm_x_1_.reserve(warm_, rows), warm_fixed_.reserve(warm_, rows);
  warm_.take(arena, backend_);
  median_ = arena.take<std::int32_t>(static_cast<std::size_t>(config_.slots()));
  state_ = arena.take<std::int32_t>(rows);
  plan_ = arena.take<std::int32_t>(rows * static_cast<std::size_t>(limits_.max_steps));
  decision_ = arena.take<real>(2 * rows);
}

void Refiner::seed(std::uint64_t seed, int samples, bool median) {
  fetches_median_ = median;
  samples_ = samples;
  rows_ = static_cast<std::size_t>(samples) * config_.slots();
  seed_[0] = seed;
  staged_.push(backend_);
}

void Refiner::start() {
  backend_.initial_tokens(static_cast<int>(rows_), config_.slots(), config_.vocab, seed_.device(), state_);
}

void Refiner::set_warm(const std::int32_t* x_1, std::uint64_t seed, double t0) {
  const RandomStream stream(seed);
  const auto slots = static_cast<std::size_t>(config_.slots());
  const bool mixture = config_.path == PathKind::mixture;
  const double shown = mixture ? config_.mixture.kappa(t0) : 0;
  const auto beta = static_cast<real>(mixture ? 0 : config_.sampling_schedule.beta(t0));
  for (std::size_t i = 0; i < rows_; ++i) {
    const Philox4 r = stream.at(0, static_cast<std::uint32_t>(i % slots), static_cast<std::uint32_t>(i / slots),
                                RandomUse::initial_token);
    warm_x_1_[i] = x_1[i % slots];
    warm_beta_[i] = beta;
    warm_draw_[i] = unit_uniform(r.word[0]);
    warm_fixed_[i] = -1;
    if (mixture) {
      const int uniform = std::min(static_cast<int>(unit_uniform(r.word[1]) * config_.vocab), config_.vocab - 1);
      const int source = config_.mixture_source == MixtureSource::mask ? config_.vocab : uniform;
      warm_fixed_[i] = warm_draw_[i] < shown ? warm_x_1_[i] : source;
    }
  }
  warm_.push(backend_);
}

void Refiner::start_warm() {
  PathNoise p;
  p.rows = static_cast<int>(rows_);
  p.metric = metric_;
  p.beta = warm_beta_.device(), p.draw = warm_draw_.device();
  p.x_1 = warm_x_1_.device(), p.fixed = warm_fixed_.device();
  p.x_t = state_;
  backend_.path_noise(p);
}

void Refiner::decode_median(const real* logits) {
  RefineStep s;
  s.rows = s.logit_rows = s.slots = config_.slots(), s.vocab = s.ldl = config_.vocab;
  s.logits = logits;
  s.decode = DecodeRule::median;
  s.seed = seed_.device();
  s.x_1 = median_;
  backend_.refine_step(s);
}

RefineStep Refiner::step(const real* logits, int logit_rows, const PlanOptions& options, DecodeRule rule, int k) const {
  RefineStep s;
  s.rows = static_cast<int>(rows_), s.slots = config_.slots(), s.vocab = config_.vocab;
  s.logits = logits, s.ldl = config_.vocab, s.logit_rows = logit_rows;
  s.decode = rule;
  s.temperature = static_cast<real>(options.temperature);
  s.top_k = options.top_k;
  s.coupled = coupled_slots(config_, options.coupling);
  s.seed = seed_.device();
  s.step = static_cast<std::uint32_t>(k);
  s.x_1 = plan_ + static_cast<std::size_t>(k) * rows_;
  return s;
}

void Refiner::decode(const real* logits, int logit_rows, const PlanOptions& options, DecodeRule rule, int k) {
  RefineStep s = step(logits, logit_rows, options, rule, k);
  s.log_probability = decision_;
  s.margin = decision_ + rows_;
  backend_.refine_step(s);
}

void Refiner::refine(const real* logits, int logit_rows, const PlanOptions& options, int k) {
  const double t0 = options.warm.begins() ? options.warm.t0 : 0;
  const double t = t0 + (1 - t0) * flow::step_time(k, options.steps);
  const double next = t0 + (1 - t0) * flow::step_time(k + 1, options.steps);
  RefineStep s = step(logits, logit_rows, options, options.decode, k);
  s.x_t = state_;
  s.rule = options.rule;
  s.mixture = config_.path == PathKind::mixture;
  if (s.mixture) {
    // renoise: shown with probability kappa at t+h, else a fresh uniform token. The other rules keep x_t or jump to x_1.
    s.mixture_jump = options.rule == StepRule::renoise ? config_.mixture.kappa(next)
                                                       : config_.mixture.jump_probability(options.rule, t, next - t);
    if (config_.mixture_source == MixtureSource::mask) {
      s.source = config_.vocab;
      // x_0 is all mask tokens: what does not jump becomes one, whatever `start` drew.
      if (k == 0 && !options.warm.begins()) s.rule = StepRule::renoise;
    }
  } else {
    s.metric = metric_;
    s.beta = static_cast<real>(config_.sampling_schedule.beta(options.rule == StepRule::renoise ? next : t));
    s.step_weight = static_cast<real>(config_.sampling_schedule.step_weight(options.rule, t, next - t));
  }
  backend_.refine_step(s);
}

void Refiner::fetch(int k, bool all) {
  if (backend_.unified()) return;
  const std::size_t first = all ? 0 : static_cast<std::size_t>(k) * rows_;
  const std::size_t count = (static_cast<std::size_t>(k) + 1) * rows_ - first;
  backend_.download(&fetched_plan_[first], plan_ + first, count * sizeof(std::int32_t));
  if (!all) return;
  backend_.download(fetched_decision_.data(), decision_, 2 * rows_ * sizeof(real));
  if (!fetches_median_) return;
  backend_.download(fetched_median_.data(), median_, fetched_median_.size() * sizeof(std::int32_t));
}

}  // namespace wam::model
