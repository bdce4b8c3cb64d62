// One refinement step of a plan: random numbers, decoding and the move of x_t, each row on its own.
#include <algorithm>
#include <optional>

#include "cpu/cpu_backend_impl.h"
#include "cpu/line_step.h"
#include "cpu/posterior_rows.h"

namespace wam::cpu {

void CpuBackend::refine_step(const RefineStep& s) {
  if (s.rows <= 0) return;
  const RandomStream stream(*s.seed);
  const auto rows = static_cast<std::size_t>(s.rows);
  const RandomUse use = s.rule == StepRule::renoise ? RandomUse::renoise : RandomUse::jump;
  const bool moves = s.x_t != nullptr, line = moves && !s.mixture && s.metric.coordinate != nullptr;
  PathStep step;
  step.rows = s.rows, step.metric = s.metric, step.rule = s.rule;
  step.beta = s.beta, step.step_weight = s.step_weight;
  step.x_t = s.x_t, step.x_1 = s.x_1, step.x_next = s.x_t;
  float* uniform = refine_scratch_.get<float>(3 * rows);
  float *jump = uniform + rows, *draw = jump + rows;
  step.jump = jump, step.draw = draw;
  RowCounters counters = {stream.key0(), stream.key1(), s.step, static_cast<std::uint32_t>(RandomUse::posterior_draw),
                          static_cast<std::uint32_t>(s.slots)};
  if (s.decode == DecodeRule::sample) {
    flow_.row_uniforms(counters, s.rows, uniform, nullptr);
    for (int i = 0; s.coupled > 0 && i < s.rows; ++i) {
      const int slot = i % s.slots;
      uniform[i] = uniform[i - slot + slot % s.coupled];  // of an earlier row, or its own
    }
  }
  counters.use = static_cast<std::uint32_t>(use);
  if (moves) flow_.row_uniforms(counters, s.rows, jump, draw);

  const std::size_t posterior_size = PosteriorRows::scratch_size(s.vocab, s.top_k);
  const std::size_t path_size = line ? MetricRows::scratch_size(s.metric) : 0;
  const auto finish = [&](PosteriorRows& posterior, MetricRows* path, int row) {
    s.x_1[row] = posterior.token(uniform + row);
    if (s.log_probability != nullptr) s.log_probability[row] = posterior.log_probability(s.x_1[row]);
    if (!moves) return;
    if (line) {
      path->begin(row, 1, s.x_1);
      step_row(flow_, step, *path, row);
    } else if (s.mixture) {
      if (jump[row] < s.mixture_jump) {
        s.x_t[row] = s.x_1[row];
      } else if (s.rule == StepRule::renoise) {
        s.x_t[row] = s.source >= 0
                         ? s.source
                         : std::min(static_cast<std::int32_t>(draw[row] * static_cast<float>(s.vocab)), s.vocab - 1);
      }
    }
  };
  // Rows that share logits differ by their random numbers alone.
  const std::int64_t shared = std::min(s.logit_rows, s.rows);
  const double cost = s.vocab * (1 + static_cast<double>(s.rows) / static_cast<double>(shared));
  parallel_ranges(shared, 1, cost, [&](std::int64_t begin, std::int64_t end, int worker) {
    double* scratch = worker_scratch<double>(worker, path_size + posterior_size);
    PosteriorRows posterior(flow_, s.vocab, s.decode, s.temperature, s.top_k,
                            reinterpret_cast<real*>(scratch + path_size));
    std::optional<MetricRows> path;
    if (line) path.emplace(flow_, s.metric, scratch);
    for (std::int64_t first = begin; first < end; ++first) {
      posterior.open(s.logits + first * s.ldl);
      const real margin = s.margin == nullptr ? 0 : posterior.margin();
      for (std::int64_t row = first; row < s.rows; row += s.logit_rows) {
        if (s.margin != nullptr) s.margin[row] = margin;
        finish(posterior, line ? &*path : nullptr, static_cast<int>(row));
      }
    }
  });
  if (moves && !line && !s.mixture) path_step(step);
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
