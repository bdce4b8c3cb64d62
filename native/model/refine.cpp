#include "model/refine.h"

#include "flow/schedule.h"

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
    return;
  }
  const std::size_t rows = static_cast<std::size_t>(limits.max_samples) * config.slots();
  fetched_plan_.resize(rows * static_cast<std::size_t>(limits.max_steps));
  fetched_decision_.resize(2 * rows);
  host_plan_ = fetched_plan_.data();
  host_decision_ = fetched_decision_.data();
}

void Refiner::reserve(Arena& arena) {
  const std::size_t rows = static_cast<std::size_t>(limits_.max_samples) * config_.slots();
  staged_.clear();
  seed_.reserve(staged_, 1);
  staged_.take(arena, backend_);
  state_ = arena.take<std::int32_t>(rows);
  plan_ = arena.take<std::int32_t>(rows * static_cast<std::size_t>(limits_.max_steps));
  decision_ = arena.take<real>(2 * rows);
}

void Refiner::seed(std::uint64_t seed, int samples) {
  samples_ = samples;
  rows_ = static_cast<std::size_t>(samples) * config_.slots();
  seed_[0] = seed;
  staged_.push(backend_);
}

void Refiner::start() {
  backend_.initial_tokens(static_cast<int>(rows_), config_.slots(), config_.vocab, seed_.device(), state_);
}

RefineStep Refiner::step(const real* logits, int logit_rows, const PlanOptions& options, DecodeRule rule, int k) const {
  RefineStep s;
  s.rows = static_cast<int>(rows_), s.slots = config_.slots(), s.vocab = config_.vocab;
  s.logits = logits, s.ldl = config_.vocab, s.logit_rows = logit_rows;
  s.decode = rule;
  s.temperature = static_cast<real>(options.temperature);
  s.top_k = options.top_k;
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
  const double t = flow::step_time(k, options.steps), next = flow::step_time(k + 1, options.steps);
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
      if (k == 0) s.rule = StepRule::renoise;
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
}

}  // namespace wam::model
