#include "align/decisions.h"

namespace wam::align {

using namespace model;

void Decisions::clear() {
  scenes.clear(), blocks.clear(), input.clear(), block.clear(), token.clear(), advantage.clear(), old.clear();
  mask_block_ = -1;
}

void Decisions::begin_scene(int scene) {
  scenes.push_back(scene);
  blocks.push_back(0);
  mask_block_ = -1;
}

void Decisions::add(std::span<const std::int32_t> in, std::span<const std::int32_t> tokens, double a, int mask_token) {
  const bool masked = in[0] == mask_token;
  if (!masked || mask_block_ < 0) {
    const int index = static_cast<int>(input.size() / in.size());
    input.insert(input.end(), in.begin(), in.end());
    ++blocks.back();
    if (masked) mask_block_ = index;
    block.push_back(index);
  } else {
    block.push_back(mask_block_);
  }
  token.insert(token.end(), tokens.begin(), tokens.end());
  advantage.push_back(static_cast<real>(a));
}

int most_blocks(Estimator estimator, int scenes, int samples, int steps) {
  return most_decisions(estimator, scenes, samples, steps);
}

int most_decisions(Estimator estimator, int scenes, int samples, int steps) {
  return scenes * samples * (estimator == Estimator::chain ? steps : 1);
}

Collector::Collector(const ModelConfig& config, const TokenMetric& metric, Backend& backend, Estimator estimator,
                     int scenes, int samples)
    : config_(config),
      backend_(backend),
      estimator_(estimator),
      samples_(samples),
      noise_(config, metric, backend),
      arena_(make_arena(backend,
                        [&](Arena& arena) {
                          staged_.clear();
                          noise_.reserve(arena, staged_, scenes * samples * config.slots());
                          staged_.take(arena, backend);
                        })),
      noised_(static_cast<std::size_t>(scenes) * samples * config.slots()) {}

void Collector::renoise(const std::int32_t* plans, int scenes, const Draw& draw) {
  const int slots = config_.slots();
  for (int plan = 0; plan < scenes * samples_; ++plan) {
    const std::uint32_t sample =
        draw.first_scene * static_cast<std::uint32_t>(samples_) + static_cast<std::uint32_t>(plan);
    const Philox4 r = draw.stream.at(draw.update, 0, sample, RandomUse::align_time);
    const double t = unit_uniform(r.word[1]) < draw.zero_share ? 0 : unit_uniform(r.word[0]);
    noise_.add(draw.stream, draw.update, sample, 1, &t, plans + static_cast<std::ptrdiff_t>(plan) * slots);
  }
  staged_.push(backend_);
  backend_.download(noised_.data(), noise_.draw(),
                    static_cast<std::size_t>(scenes) * samples_ * slots * sizeof(std::int32_t));
}

void Collector::collect(const Rollouts& rollouts, int steps, std::span<const double> advantage,
                        const std::vector<bool>& keep, const Draw& draw, Decisions& out) {
  const auto slots = static_cast<std::size_t>(config_.slots());
  const int scenes = static_cast<int>(keep.size());
  out.clear();
  if (estimator_ == Estimator::one_shot) renoise(rollouts.drawn(steps - 1), scenes, draw);
  for (int scene = 0; scene < scenes; ++scene) {
    if (!keep[static_cast<std::size_t>(scene)]) continue;
    out.begin_scene(scene);
    for (int k = estimator_ == Estimator::chain ? 0 : steps - 1; k < steps; ++k) {
      const std::int32_t* input = estimator_ == Estimator::one_shot ? noised_.data() : rollouts.input(k);
      for (int s = 0; s < samples_; ++s) {
        const std::size_t plan = static_cast<std::size_t>(scene) * samples_ + s;
        out.add({input + plan * slots, slots}, {rollouts.drawn(k) + plan * slots, slots}, advantage[plan],
                config_.vocab);
      }
    }
  }
}

}  // namespace wam::align
