#pragma once
#include "cpu/inverse_cdf.h"
#include "cpu/metric_rows.h"
#include "cpu/path_decision.h"

namespace wam::cpu {

inline int pick(const MetricRows::View& view, const MetricRows& path, double target) {
  return view.begin + inverse_cdf<false>(view.count, path.block_sum(), target,
                                         [&](int block) { return path.weight() + block * kSumBlock; });
}

inline std::int32_t draw_from_path(const FlowKernels& kernels, MetricRows& path, int row, real beta, float draw) {
  const MetricRows::View view = path.row(row, beta);
  const double total = kernels.metric_weights(view.count, view.distance, beta, path.weight(), path.block_sum());
  return pick(view, path, draw * total);
}

/// One row of a PathStep along a coordinate.
inline void step_row(const FlowKernels& kernels, const PathStep& s, MetricRows& path, int row) {
  const real beta = finite(s.beta);
  if (s.rule == StepRule::renoise) {
    s.x_next[row] = draw_from_path(kernels, path, row, beta, s.draw[row]);
    return;
  }
  const MetricRows::View view = path.band(row, beta);
  const real reach = path.distance_to(row, s.x_t[row]);
  double rates = 0;
  const double weights = kernels.line_rates(view.count, s.metric.coordinate + view.begin, path.anchor(row),
                                            s.metric.power, beta, reach, path.weight(), path.block_sum(), &rates);
  const Decision decision = decide(s, row, rates, weights);
  s.x_next[row] = decision.jumps ? pick(view, path, decision.draw * rates) : s.x_t[row];
}

}  // namespace wam::cpu
