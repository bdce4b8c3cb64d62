#pragma once
// Shared by the tests of the metric path and of refinement steps: one description of a call, run on any backend.

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "core/call_staging.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "test/flow_reference.h"
#include "test/gpu/gpu_support.h"

namespace wam::test {

inline constexpr float kInfinite = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline std::unique_ptr<Backend> gpu_backend() { return simt::make_backend({}); }
inline std::unique_ptr<Backend> cpu_backend() { return cpu::make_cpu_backend(nullptr, cpu::best_isa()); }
/// Whether the processor has the fused multiply-add that the kernels use: then tokens agree in every case.
inline bool cpu_rounds_alike() { return cpu::best_isa() != cpu::Isa::portable; }

/// The metric with its arrays where `staging` puts them.
inline TokenMetric staged(CallStaging& staging, const TestMetric& metric) {
  TokenMetric m = metric.view();
  m.coordinate = staging.in(m.coordinate, metric.coordinate.size());
  m.table = staging.in(m.table, metric.table.size());
  if (metric.coordinate.empty()) m.coordinate = nullptr;
  if (metric.table.empty()) m.table = nullptr;
  return m;
}

/// Rows of normal deviates with degenerate ones: duplicates, opposites, zero, tiny, huge.
inline TestMetric table_metric(int vocab, int dim, std::uint32_t seed = 11) {
  TestMetric table;
  table.vocab = vocab, table.dim = dim;
  table.table = normal_values(static_cast<std::size_t>(vocab) * static_cast<std::size_t>(dim), seed);
  const auto row = [&](int v) { return table.table.begin() + v * dim; };
  if (vocab >= 17) {
    std::copy_n(row(2), dim, row(5));
    std::transform(row(2), row(2) + dim, row(7), [](float x) { return -x; });
    std::fill_n(row(9), dim, 0.0f);
    for (int i = 0; i < dim; ++i) row(11)[i] *= 1e-14f;
    for (int i = 0; i < dim; ++i) row(13)[i] *= 1e22f;
  }
  return table;
}

/// softmax(logits / temperature) over those that reach `cut`; NaN has no part.
inline std::vector<double> posterior(const float* logits, int vocab, double temperature = 1, double cut = -HUGE_VAL) {
  double highest = -HUGE_VAL, total = 0;
  for (int v = 0; v < vocab; ++v)
    if (logits[v] > highest) highest = logits[v];
  std::vector<double> p(static_cast<std::size_t>(vocab));
  for (int v = 0; v < vocab; ++v) {
    p[static_cast<std::size_t>(v)] = logits[v] >= cut ? std::exp((logits[v] - highest) / temperature) : 0;
    total += p[static_cast<std::size_t>(v)];
  }
  for (double& x : p) x /= total;
  return p;
}

/// The k-th largest of the logits; -inf when all stay.
inline double cut_at(const float* logits, int vocab, int top_k) {
  if (top_k <= 0 || top_k >= vocab) return -HUGE_VAL;
  std::vector<float> sorted;
  for (int v = 0; v < vocab; ++v) sorted.push_back(logits[v] == logits[v] ? logits[v] : -kInfinite);
  std::nth_element(sorted.begin(), sorted.begin() + top_k - 1, sorted.end(), std::greater<float>());
  return sorted[static_cast<std::size_t>(top_k) - 1];
}

/// Whether `token` is what `draw` chooses from the law, a draw being known to +-margin.
inline bool chosen(const std::vector<double>& law, double draw, int token, double margin = 1e-5) {
  return token >= inverse_cdf(law, draw - margin) && token <= inverse_cdf(law, draw + margin);
}

}  // namespace wam::test
