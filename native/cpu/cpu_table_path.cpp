// Steps and noise of the metric path in its general form, on a packed table.

#include <algorithm>
#include <cstdint>

#include "cpu/cpu_backend_impl.h"
#include "cpu/cpu_table.h"
#include "cpu/inverse_cdf.h"
#include "cpu/kernels.h"
#include "cpu/metric_rows.h"
#include "cpu/path_decision.h"
#include "cpu/scratch.h"

namespace wam::cpu {
namespace {

// Rows that share one reading of the table, in strips.
constexpr std::size_t kGroupStrips = 16;

/// A group's memory, from `memory` or, for its size, from null.
struct GroupMemory {
  GroupMemory(char* memory, const TableView& t, std::size_t strip, std::size_t width) {
    char* const start = memory;
    const std::size_t rows = kGroupStrips * strip, blocks = static_cast<std::size_t>(t.blocks);
    total = take<double>(memory, rows), weights = take<double>(memory, rows);
    strips = take<real>(memory, rows * static_cast<std::size_t>(t.dim));
    square = take<real>(memory, rows), beta = take<real>(memory, rows), reach = take<real>(memory, rows);
    bound = take<real>(memory, strip * static_cast<std::size_t>(table_bounds_size(t.blocks)));
    block_sum = take<real>(memory, rows * blocks);
    normalised = take<real>(memory, strip * width);
    weight = take<real>(memory, kSumBlock);
    x_t = take<std::int32_t>(memory, rows);
    needed = take<std::uint8_t>(memory, rows * blocks);
    bytes = static_cast<std::size_t>(memory - start);
  }
  double *total, *weights;
  real *strips, *square, *beta, *reach, *bound, *block_sum, *normalised, *weight;
  std::int32_t* x_t;
  std::uint8_t* needed;
  std::size_t bytes;
};

}  // namespace

/// f(row, sums of its group, place in the group, scratch for the weights of a block) for the rows listed in order[0,
/// count). beta(row) is finite; rates when x_t is not null, else weights.
template <class Beta, class F>
void CpuBackend::each_table_row(const TokenMetric& metric, bool product, int count, const std::int32_t* order,
                                const std::int32_t* x_t, const std::int32_t* x_1, const TableView& view, Beta beta,
                                F f) {
  const auto strip = static_cast<std::size_t>(kernels_.strip);
  const auto width = static_cast<std::size_t>(table_width(metric.dim));
  const std::size_t bytes = GroupMemory(nullptr, view, strip, width).bytes;
  const auto group = static_cast<std::int64_t>(kGroupStrips * strip);
  parallel_ranges(
      count, kernels_.strip, MetricRows::cost(metric), [&](std::int64_t begin, std::int64_t end, int worker) {
        const GroupMemory m(worker_scratch<char>(worker, bytes), view, strip, width);
        for (std::int64_t first = begin; first < end; first += group) {
          TablePath p;
          p.table = &view, p.squared = metric.squared, p.product = product;
          p.rows = static_cast<int>(std::min(group, end - first));
          const std::int32_t* row = order + first;
          for (int s = 0; s < p.rows; s += kernels_.strip) {
            const int n = std::min(kernels_.strip, p.rows - s);
            const real* source[kMostStrip];
            for (int r = 0; r < n; ++r) {
              source[r] = metric.table + static_cast<std::int64_t>(x_1[row[s + r]]) * metric.dim;
              if (!metric.normalise) continue;
              real* z = m.normalised + static_cast<std::size_t>(r) * width;
              flow_.normalise_row(metric.dim, source[r], z);
              source[r] = z;
            }
            real square[kMostStrip];
            flow_.pack_strip(n, metric.dim, source, m.strips + static_cast<std::int64_t>(s) * metric.dim, square);
            std::copy_n(square, n, m.square + s);
          }
          for (int r = 0; r < p.rows; ++r) m.beta[r] = beta(row[r]);
          p.strips = m.strips, p.square = m.square, p.beta = m.beta;
          p.bound = m.bound, p.needed = m.needed, p.block_sum = m.block_sum, p.total = m.total, p.weights = m.weights;
          if (x_t != nullptr) {
            for (int r = 0; r < p.rows; ++r) m.x_t[r] = x_t[row[r]];
            flow_.table_reach(p, m.x_t, m.reach);
            p.reach = m.reach;
          }
          flow_.table_path_sums(p);
          for (int r = 0; r < p.rows; ++r) f(row[r], p, r, m.weight);
        }
      });
}

namespace {

int pick(const FlowKernels& kernels, const TablePath& p, int place, double target, real* weight) {
  return inverse_cdf<false>(p.table->vocab, p.block_sum + static_cast<std::int64_t>(place) * p.table->blocks, target,
                            [&](int block) {
                              kernels.table_block_weights(p, place, block, weight);
                              return weight;
                            });
}

}  // namespace

void CpuBackend::table_step(const PathStep& s) {
  if (s.rows <= 0) return;
  const TokenMetric& metric = s.metric;
  const TableView& view = view_of(metric.packed, metric.vocab, metric.dim, metric.table, metric.normalise);
  const real beta = finite(s.beta);
  // Of a weight, as a part of it. The released form needs distances between neighbours to the last digits.
  constexpr double kMostError = 1.0 / 512;
  const bool product =
      !metric.squared && beta * static_cast<double>(flow_.dot_error(metric.dim, 2 * view.largest)) <= kMostError;
  const std::int32_t* order = order_by_token(s.rows, s.x_1, view.blocks, nullptr).order;
  const bool renoise = s.rule == StepRule::renoise;
  each_table_row(
      metric, product, s.rows, order, renoise ? nullptr : s.x_t, s.x_1, view, [&](int) { return beta; },
      [&](int row, const TablePath& p, int place, real* weight) {
        if (renoise) {
          s.x_next[row] = pick(flow_, p, place, s.draw[row] * p.total[place], weight);
          return;
        }
        const Decision decision = decide(s, row, p.total[place], p.weights[place]);
        s.x_next[row] = decision.jumps ? pick(flow_, p, place, decision.draw * p.total[place], weight) : s.x_t[row];
      });
}

void CpuBackend::table_noise(const PathNoise& s) {
  if (s.rows <= 0) return;
  const TokenMetric& metric = s.metric;
  const TableView& view = view_of(metric.packed, metric.vocab, metric.dim, metric.table, metric.normalise);
  const RowOrder rows = order_by_token(s.rows, s.x_1, view.blocks, s.fixed);
  if (s.fixed != nullptr) {
    for (int row = 0; row < s.rows; ++row)
      if (s.fixed[row] >= 0) s.x_t[row] = s.fixed[row];
  }
  // A row's result does not depend on its batch, so neither does the form that its distances are measured in.
  each_table_row(
      metric, false, rows.count, rows.order, nullptr, s.x_1, view, [&](int row) { return finite(s.beta[row]); },
      [&](int row, const TablePath& p, int place, real* weight) {
        s.x_t[row] = pick(flow_, p, place, s.draw[row] * p.total[place], weight);
      });
}

}  // namespace wam::cpu
