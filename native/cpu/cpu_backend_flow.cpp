// Flow operations of the CPU backend: the metric path and its steps. Rows are independent; each is computed by one
// task in one order, so results do not depend on the number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/error.h"
#include "cpu/cpu_backend_impl.h"
#include "cpu/line_step.h"

namespace wam::cpu {
namespace {

/// f(row, path) for rows [begin, end), measured block by block.
template <class F>
void each_row(const FlowKernels& kernels, const TokenMetric& metric, double* scratch, std::int64_t begin,
              std::int64_t end, const std::int32_t* x_1, F f) {
  MetricRows path(kernels, metric, scratch);
  for (std::int64_t first = begin; first < end; first += MetricRows::kRows) {
    const int rows = static_cast<int>(std::min<std::int64_t>(MetricRows::kRows, end - first));
    path.begin(static_cast<int>(first), rows, x_1);
    for (int i = 0; i < rows; ++i) f(static_cast<int>(first) + i, path);
  }
}

void require_released(const TokenMetric& metric) {
  if (metric.coordinate == nullptr && !(metric.normalise && metric.squared))
    throw Error("ERR_ARGUMENT", "metric: expected distances of normalised rows, squared again");
}

}  // namespace

void CpuBackend::path_step(const PathStep& s) {
  if (s.metric.coordinate == nullptr) return table_step(s);
  const std::size_t size = MetricRows::scratch_size(s.metric);
  parallel_ranges(s.rows, MetricRows::unit(s.metric), MetricRows::cost(s.metric),
                  [&](std::int64_t begin, std::int64_t end, int worker) {
                    double* scratch = worker_scratch<double>(worker, size);
                    each_row(flow_, s.metric, scratch, begin, end, s.x_1,
                             [&](int row, MetricRows& path) { step_row(flow_, s, path, row); });
                  });
}

void CpuBackend::path_noise(const PathNoise& s) {
  if (s.metric.coordinate == nullptr) return table_noise(s);
  const std::size_t size = MetricRows::scratch_size(s.metric);
  parallel_ranges(s.rows, MetricRows::unit(s.metric), MetricRows::cost(s.metric),
                  [&](std::int64_t begin, std::int64_t end, int worker) {
                    double* scratch = worker_scratch<double>(worker, size);
                    each_row(flow_, s.metric, scratch, begin, end, s.x_1, [&](int row, MetricRows& path) {
                      if (s.fixed != nullptr && s.fixed[row] >= 0) {
                        s.x_t[row] = s.fixed[row];
                        return;
                      }
                      s.x_t[row] = draw_from_path(flow_, path, row, finite(s.beta[row]), s.draw[row]);
                    });
                  });
}

void CpuBackend::path_probability(int rows, const TokenMetric& metric, const real* beta, const std::int32_t* x_1,
                                  real* prob) {
  require_released(metric);
  const std::size_t size = MetricRows::scratch_size(metric);
  parallel_ranges(rows, MetricRows::unit(metric), MetricRows::cost(metric),
                  [&](std::int64_t begin, std::int64_t end, int worker) {
                    double* scratch = worker_scratch<double>(worker, size);
                    each_row(flow_, metric, scratch, begin, end, x_1, [&](int row, MetricRows& path) {
                      const MetricRows::View view = path.row(row, finite(beta[row]));
                      real* out = prob + static_cast<std::int64_t>(row) * metric.vocab;
                      std::fill_n(out, view.begin, real{0});
                      std::fill(out + view.begin + view.count, out + metric.vocab, real{0});
                      out += view.begin;
                      const double total =
                          flow_.metric_weights(view.count, view.distance, finite(beta[row]), out, path.block_sum());
                      flow_.scale(view.count, static_cast<real>(1 / total), out, out);
                    });
                  });
}

void CpuBackend::path_rates(int rows, const TokenMetric& metric, const real* beta, const real* beta_dot,
                            const std::int32_t* x_t, const std::int32_t* x_1, real* rate, real* total) {
  require_released(metric);
  const std::size_t size = MetricRows::scratch_size(metric);
  parallel_ranges(
      rows, MetricRows::unit(metric), MetricRows::cost(metric), [&](std::int64_t begin, std::int64_t end, int worker) {
        double* scratch = worker_scratch<double>(worker, size);
        each_row(flow_, metric, scratch, begin, end, x_1, [&](int row, MetricRows& path) {
          const MetricRows::View view = path.row(row, finite(beta[row]));
          real* out = rate + static_cast<std::int64_t>(row) * metric.vocab;
          std::fill_n(out, view.begin, real{0});
          std::fill(out + view.begin + view.count, out + metric.vocab, real{0});
          out += view.begin;
          double rates = 0;
          const double weights = flow_.metric_rates(view.count, view.distance, finite(beta[row]),
                                                    path.distance_to(row, x_t[row]), out, path.block_sum(), &rates);
          const double factor = finite(beta_dot[row]) / weights;
          flow_.scale(view.count, static_cast<real>(factor), out, out);
          total[row] = static_cast<real>(factor * rates);
        });
      });
}

void CpuBackend::metric_distance(int rows, const TokenMetric& metric, const std::int32_t* x_1, real* distance) {
  require_released(metric);
  const std::size_t size = MetricRows::scratch_size(metric);
  parallel_ranges(rows, MetricRows::unit(metric), MetricRows::cost(metric),
                  [&](std::int64_t begin, std::int64_t end, int worker) {
                    double* scratch = worker_scratch<double>(worker, size);
                    each_row(flow_, metric, scratch, begin, end, x_1, [&](int row, MetricRows& path) {
                      path.all(row, distance + static_cast<std::int64_t>(row) * metric.vocab);
                    });
                  });
}

}  // namespace wam::cpu
