#pragma once
// The metric path by its definition, in float64 and without any shortcut, for the tests of the flow operations.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/backend.h"
#include "core/philox.h"

namespace wam::test {

struct TestMetric {
  int vocab = 0, dim = 0;
  double power = 1;
  bool normalise = true, squared = true;  // of the table form
  std::vector<real> coordinate;           // [vocab], or empty for the table form
  std::vector<real> table;                // [vocab, dim]

  TokenMetric view() const {
    TokenMetric m;
    m.vocab = vocab;
    if (coordinate.empty()) {
      m.table = table.data(), m.dim = dim;
      m.normalise = normalise, m.squared = squared;
    } else {
      m.coordinate = coordinate.data(), m.power = static_cast<real>(power);
    }
    return m;
  }

  std::vector<double> unit_row(int v) const {
    std::vector<double> z(table.begin() + v * dim, table.begin() + (v + 1) * dim);
    if (!normalise) return z;
    double norm = 0;
    for (const double x : z) norm += x * x;
    for (double& x : z) x /= std::max(std::sqrt(norm), 1e-12);
    return z;
  }

  std::vector<double> distances(int x_1) const {
    std::vector<double> d;
    for (int v = 0; v < vocab; ++v) {
      if (!coordinate.empty()) {
        const double u = coordinate[static_cast<std::size_t>(v)], u1 = coordinate[static_cast<std::size_t>(x_1)];
        d.push_back(std::pow(std::abs(u - u1), power));
        continue;
      }
      const std::vector<double> a = unit_row(v), b = unit_row(x_1);
      double square = 0;
      for (std::size_t i = 0; i < a.size(); ++i) square += (a[i] - b[i]) * (a[i] - b[i]);
      d.push_back(squared ? square * square : square);
    }
    return d;
  }

  /// beta may be infinite: all mass on the tokens at distance 0.
  std::vector<double> probability(int x_1, double beta) const {
    std::vector<double> p = distances(x_1);
    double sum = 0;
    for (double& v : p) {
      v = std::isinf(beta) ? (v == 0 ? 1 : 0) : std::exp(-beta * v);
      sum += v;
    }
    for (double& v : p) v /= sum;
    return p;
  }

  std::vector<double> rates(int x_t, int x_1, double beta, double beta_dot) const {
    const std::vector<double> d = distances(x_1);
    std::vector<double> u = probability(x_1, beta);
    for (std::size_t y = 0; y < u.size(); ++y)
      u[y] *= beta_dot * std::max(0.0, d[static_cast<std::size_t>(x_t)] - d[y]);
    u[static_cast<std::size_t>(x_t)] = 0;
    return u;
  }
};

/// Unevenly spaced ascending coordinates of about [-1, 1], with a pair of equal ones.
inline TestMetric line_metric(int vocab, double power) {
  TestMetric metric;
  metric.vocab = vocab, metric.power = power;
  for (int v = 0; v < vocab; ++v) {
    const double u = vocab == 1 ? 0 : -1 + 2.0 * v / (vocab - 1);
    metric.coordinate.push_back(static_cast<real>(static_cast<float>(u + 0.3 / vocab * std::sin(3.0 * v))));
  }
  if (vocab > 30) metric.coordinate[21] = metric.coordinate[20];
  std::sort(metric.coordinate.begin(), metric.coordinate.end());
  return metric;
}

/// Least index whose normalised running sum exceeds `draw`; the last with weight when none does.
inline int inverse_cdf(const std::vector<double>& weight, double draw) {
  double total = 0, running = 0;
  for (const double w : weight) total += w;
  int last = 0;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (weight[i] <= 0) continue;
    last = static_cast<int>(i);
    running += weight[i];
    if (running > draw * total) break;
  }
  return last;
}

/// n uniforms of [0, 1), a function of the seed.
inline std::vector<float> uniforms(std::size_t n, std::uint32_t seed) {
  std::vector<float> u(n);
  for (std::size_t i = 0; i < n; ++i)
    u[i] = unit_uniform(philox4x32({{static_cast<std::uint32_t>(i), seed, 2, 0}}, 0x5eed, 0).word[0]);
  return u;
}

}  // namespace wam::test
