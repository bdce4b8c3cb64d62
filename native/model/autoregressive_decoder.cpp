#include "model/autoregressive_decoder.h"

#include <algorithm>

#include "core/error.h"

namespace wam::model {

namespace {

/// A key of its own for every sample, the plan's own seed for the first (a step of SplitMix64 for the others).
std::uint64_t sample_seed(std::uint64_t seed, int sample) {
  if (sample == 0) return seed;
  std::uint64_t z = seed + 0x9E3779B97F4A7C15ull * static_cast<std::uint64_t>(sample);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace

AutoregressiveDecoder::AutoregressiveDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits)
    : config_(model->config()),
      backend_(backend),
      limits_(limits),
      network_(model, backend, 1),
      tokens_(config_),
      arena_(make_arena(backend, [this](Arena& arena) {
        const auto rows = static_cast<std::size_t>(limits_.max_samples) * config_.slots();
        staged_.clear();
        seed_.reserve(staged_, static_cast<std::size_t>(limits_.max_samples));
        staged_.take(arena, backend_);
        plan_ = arena.take<std::int32_t>(rows);
        decision_ = arena.take<real>(2 * rows);
      })) {
  const auto rows = static_cast<std::size_t>(limits.max_samples) * config_.slots();
  host_plan_.resize(rows);
  host_decision_.resize(2 * rows);
}

void AutoregressiveDecoder::check(const PlanOptions& o) const {
  refuse_warm_start(o, "autoregressive");
  if (o.steps != 1) {
    throw Error("ERR_RANGE", "steps: an autoregressive decoder has no refinement steps; expected 1, received " +
                                 std::to_string(o.steps));
  }
}

void AutoregressiveDecoder::begin(const scene::Features& features, const PlanOptions& o, const PlanStart&) {
  rows_ = static_cast<std::size_t>(o.samples) * config_.slots();
  for (int s = 0; s < o.samples; ++s) seed_[static_cast<std::size_t>(s)] = sample_seed(o.seed, s);
  // Tokens cannot come one by one without the keys and values of those before.
  network_.set_prefix(features, 1, true);
  staged_.push(backend_);
}

bool AutoregressiveDecoder::queue_step(const PlanOptions& o, int, const LayerWatch& watch) {
  const int slots = config_.slots(), coupled = coupled_slots(config_, o.coupling);
  for (int s = 0; s < o.samples; ++s) {
    for (int j = 0; j < slots; ++j) {
      const std::size_t row = static_cast<std::size_t>(s) * slots + static_cast<std::size_t>(j);
      const real* logits = network_.next_logits(j == 0 ? network_.mask_tokens() : plan_ + row - 1, j, watch);
      if (logits == nullptr) return false;
      RefineStep step;
      step.rows = 1, step.slots = 1, step.vocab = config_.vocab;
      step.logits = logits, step.ldl = config_.vocab, step.logit_rows = 1;
      step.decode = o.last_decode;
      step.temperature = static_cast<real>(o.temperature);
      step.top_k = o.top_k;
      step.seed = seed_.device() + s;
      step.step = static_cast<std::uint32_t>(coupled > 0 ? j % coupled : j);
      step.x_1 = plan_ + row;
      step.log_probability = decision_ + row;
      step.margin = decision_ + rows_ + row;
      backend_.refine_step(step);
    }
  }
  return true;
}

void AutoregressiveDecoder::fetch(int, bool all) {
  backend_.download(host_plan_.data(), plan_, rows_ * sizeof(std::int32_t));
  if (all) backend_.download(host_decision_.data(), decision_, 2 * rows_ * sizeof(real));
}

void AutoregressiveDecoder::write_poses(int, int sample, double speed, double center_offset, float* pose) {
  tokens_.decode(host_plan_.data() + sample * config_.slots(), speed, center_offset, pose);
}

void AutoregressiveDecoder::write_decision(const PlanOptions&, int, PlanOutput& out) {
  std::copy_n(host_plan_.begin(), rows_, out.tokens.begin());
  std::copy_n(host_decision_.begin(), rows_, out.log_probability.begin());
  std::copy_n(host_decision_.begin() + static_cast<std::ptrdiff_t>(rows_), rows_, out.margin.begin());
}

}  // namespace wam::model
