#pragma once
// Distances of the metric path for a block of rows, in either form of TokenMetric, in the scratch of one worker.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/backend.h"
#include "cpu/flow_kernels.h"

namespace wam::cpu {

/// An infinite inverse temperature (t = 1 of the published schedule) as the greatest finite one: 0 * infinity would
/// make the weight of x1 itself a NaN.
inline real finite(real value) { return std::min(value, std::numeric_limits<real>::max()); }

class MetricRows {
 public:
  /// Rows that are measured together: a tile of the table serves all of them.
  static constexpr int kRows = 32;

  /// Tokens [begin, begin+count) and their distances to x1. The others are so far that exp(-beta d) is 0.
  struct View {
    int begin, count;
    const real* distance;
  };

  /// Scratch in doubles.
  static std::size_t scratch_size(const TokenMetric& metric) {
    const auto vocab = static_cast<std::size_t>(metric.vocab);
    const std::size_t reals =
        is_line(metric)
            ? 2 * vocab
            : (kRows + 1) * vocab + static_cast<std::size_t>(kRows * metric.dim + table_tile_size(metric.dim));
    return ((reals + static_cast<std::size_t>(sum_blocks(metric.vocab))) * sizeof(real) + 7) / 8 + 3 * 8;
  }
  /// Elements touched for one row, for choosing the number of threads.
  static double cost(const TokenMetric& metric) {
    return static_cast<double>(metric.vocab) * (is_line(metric) ? 2 : 4 + metric.dim / 4.0);
  }
  /// Rows that a task should be a multiple of.
  static std::int64_t unit(const TokenMetric& metric) { return is_line(metric) ? 1 : 8; }

  MetricRows(const FlowKernels& kernels, const TokenMetric& metric, double* scratch)
      : kernels_(kernels), metric_(metric), block_sum_(reinterpret_cast<real*>(scratch)) {
    weight_ = block_sum_ + sum_blocks(metric.vocab);
    distance_ = weight_ + metric.vocab;
    if (is_line(metric)) return;
    query_ = distance_ + static_cast<std::size_t>(kRows) * metric.vocab;
    tile_ = query_ + static_cast<std::size_t>(kRows) * metric.dim;
  }

  /// Rows [first, first+rows), rows <= kRows; x_1 is indexed by absolute row.
  void begin(int first, int rows, const std::int32_t* x_1) {
    first_ = first, x_1_ = x_1;
    if (!is_line(metric_)) measure(rows, x_1 + first, distance_);
  }

  View row(int row, real beta) {
    if (!is_line(metric_))
      return {0, metric_.vocab, distance_ + static_cast<std::size_t>(row - first_) * metric_.vocab};
    const View view = band(row, beta);
    kernels_.line_distances(view.count, metric_.coordinate + view.begin, anchor(row), metric_.power, distance_);
    return view;
  }

  real anchor(int row) const { return metric_.coordinate[x_1_[row]]; }
  /// What `row` gives along a coordinate, without measuring.
  View band(int row, real beta) {
    const real* u = metric_.coordinate;
    const real anchor = this->anchor(row);
    if (!(beta == radius_beta_)) {
      radius_beta_ = beta;
      constexpr double kAll = std::numeric_limits<real>::max();
      radius_ = beta > 0 ? std::min(std::pow(kDepth / beta, 1.0 / metric_.power), kAll) : kAll;
    }
    const int low = count_below(u, metric_.vocab, below(anchor - radius_), false);
    const int high = count_below(u, metric_.vocab, above(anchor + radius_), true);
    return {low, high - low, distance_};
  }

  /// d(token, x1) of the row, with the bits that `row` has for that token.
  real distance_to(int row, std::int32_t token) const {
    if (!is_line(metric_)) return distance_[static_cast<std::size_t>(row - first_) * metric_.vocab + token];
    real d;
    kernels_.line_distances(1, metric_.coordinate + token, metric_.coordinate[x_1_[row]], metric_.power, &d);
    return d;
  }

  /// All distances of a row of either form: out [vocab].
  void all(int row, real* out) const {
    if (is_line(metric_)) {
      kernels_.line_distances(metric_.vocab, metric_.coordinate, metric_.coordinate[x_1_[row]], metric_.power, out);
    } else {
      std::copy_n(distance_ + static_cast<std::size_t>(row - first_) * metric_.vocab, metric_.vocab, out);
    }
  }

  real* weight() const { return weight_; }        // [vocab]
  real* block_sum() const { return block_sum_; }  // [sum_blocks(vocab)]

 private:
  static bool is_line(const TokenMetric& metric) { return metric.coordinate != nullptr; }
  // exp(-x) is 0 (flushed) beyond; a little more than needed, so that a band cut there loses nothing.
  static constexpr double kDepth = sizeof(real) == 4 ? 88 : 746;

  /// The double as a real that is not above it, or not below: a band may be too wide.
  static real below(double x) {
    const auto r = static_cast<real>(x);
    return static_cast<double>(r) <= x ? r : std::nextafter(r, -std::numeric_limits<real>::infinity());
  }
  static real above(double x) { return -below(-x); }
  /// Number of the ascending u[0..n) that lie below `limit`, or at it too when `inclusive`; without a branch that could
  /// be guessed wrong.
  static int count_below(const real* u, int n, real limit, bool inclusive) {
    const auto counts = [=](int i) { return inclusive ? u[i] <= limit : u[i] < limit; };
    if (!counts(0)) return 0;
    if (counts(n - 1)) return n;
    int low = 0;
    for (int size = n; size > 1;) {
      const int half = size / 2;
      low += counts(low + half - 1) ? half : 0;
      size -= half;
    }
    return low + (counts(low) ? 1 : 0);
  }

  void measure(int rows, const std::int32_t* x_1, real* out) {
    for (int r = 0; r < rows; ++r) {
      kernels_.normalise_row(metric_.dim, metric_.table + static_cast<std::int64_t>(x_1[r]) * metric_.dim,
                             query_ + static_cast<std::int64_t>(r) * metric_.dim);
    }
    kernels_.table_distances(metric_.vocab, metric_.dim, metric_.table, true, rows, query_, true, tile_, out,
                             metric_.vocab);
  }

  const FlowKernels& kernels_;
  const TokenMetric metric_;
  real* block_sum_;
  real radius_beta_ = -1;
  double radius_ = 0;
  real *weight_, *distance_, *query_ = nullptr, *tile_ = nullptr;
  int first_ = 0;
  const std::int32_t* x_1_ = nullptr;
};

}  // namespace wam::cpu
