// One refinement step of a plan: random numbers, decoding and the move of x_t, each row on its own.
#include <algorithm>

#include "cpu/cpu_backend_impl.h"

namespace wam::cpu {
namespace {

/// The largest value less the second largest.
real top_two_gap(int count, const real* x) {
  if (count < 2) return 0;
  real first = std::max(x[0], x[1]), second = std::min(x[0], x[1]);
  for (int v = 2; v < count; ++v) {
    if (x[v] > first) {
      second = first, first = x[v];
    } else if (x[v] > second) {
      second = x[v];
    }
  }
  return first - second;
}

Philox4 row_numbers(const RefineStep& s, const RandomStream& stream, int row, RandomUse use) {
  return stream.at(s.step, static_cast<std::uint32_t>(row % s.slots), static_cast<std::uint32_t>(row / s.slots), use);
}

}  // namespace

void CpuBackend::refine_step(const RefineStep& s) {
  if (s.rows <= 0) return;
  const RandomStream stream(*s.seed);
  const auto rows = static_cast<std::size_t>(s.rows);
  float* jump = refine_scratch_.get<float>(2 * rows);
  float* draw = jump + rows;

  if (s.decode == DecodeRule::sample) {
    for (int i = 0; i < s.rows; ++i)
      draw[i] = unit_uniform(row_numbers(s, stream, i, RandomUse::posterior_draw).word[0]);
  }
  // Rows that share logits differ by their random numbers alone.
  for (int first = 0; first < s.rows; first += s.logit_rows) {
    DecodePosterior d;
    d.rows = std::min(s.logit_rows, s.rows - first), d.vocab = s.vocab;
    d.logits = s.logits, d.ldl = s.ldl;
    d.rule = s.decode;
    d.temperature = s.temperature, d.top_k = s.top_k;
    d.uniform = draw + first;
    d.token = s.x_1 + first;
    d.log_probability = s.log_probability == nullptr ? nullptr : s.log_probability + first;
    decode_posterior(d);
  }
  if (s.margin != nullptr) {
    for (std::int64_t i = 0; i < s.rows; ++i) s.margin[i] = top_two_gap(s.vocab, s.logits + i % s.logit_rows * s.ldl);
  }
  if (s.x_t == nullptr) return;

  const RandomUse use = s.rule == StepRule::renoise ? RandomUse::renoise : RandomUse::jump;
  for (int i = 0; i < s.rows; ++i) {
    const Philox4 r = row_numbers(s, stream, i, use);
    jump[i] = unit_uniform(r.word[0]);
    draw[i] = unit_uniform(r.word[1]);
  }
  if (s.mixture) {
    for (int i = 0; i < s.rows; ++i) {
      if (jump[i] < s.mixture_jump) {
        s.x_t[i] = s.x_1[i];
      } else if (s.rule == StepRule::renoise) {
        s.x_t[i] = std::min(static_cast<std::int32_t>(draw[i] * static_cast<float>(s.vocab)), s.vocab - 1);
      }
    }
    return;
  }
  PathStep step;
  step.rows = s.rows;
  step.metric = s.metric;
  step.rule = s.rule;
  step.beta = s.beta, step.step_weight = s.step_weight;
  step.x_t = s.x_t, step.x_1 = s.x_1;
  step.jump = jump, step.draw = draw;
  step.x_next = s.x_t;
  path_step(step);
}

void CpuBackend::initial_tokens(int rows, int slots, int vocab, const std::uint64_t* seed, std::int32_t* x_0) {
  const RandomStream stream(*seed);
  for (int i = 0; i < rows; ++i) {
    const Philox4 r = stream.at(0, static_cast<std::uint32_t>(i % slots), static_cast<std::uint32_t>(i / slots),
                                RandomUse::initial_token);
    // Multiply-shift maps 32 bits to the vocabulary without a float's rounding.
    x_0[i] =
        static_cast<std::int32_t>((static_cast<std::uint64_t>(r.word[0]) * static_cast<std::uint64_t>(vocab)) >> 32);
  }
}

}  // namespace wam::cpu
