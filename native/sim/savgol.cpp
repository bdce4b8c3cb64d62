#include "sim/savgol.h"

#include <algorithm>
#include <cmath>

namespace wam::sim {
namespace {

constexpr long double kStep = 0.1L;  // seconds
constexpr int kTerms = 4;            // polynomials up to degree 3

/// Weights [window] that give the `derivative`-th derivative at `position` (in samples from the first) of the polynomial
/// fitted to `window` samples.
void weights_at(int window, int degree, int derivative, long double position, double* out) {
  // In u = 2 (i - centre) / window the powers up to the third are well conditioned.
  const long double center = (window - 1) / 2.0L, unit = window / 2.0L;
  const int terms = degree + 1;
  long double normal[kTerms][kTerms + 1] = {};
  const auto power = [&](long double u, int k) {
    long double p = 1;
    for (int i = 0; i < k; ++i) p *= u;
    return p;
  };
  for (int i = 0; i < window; ++i) {
    const long double u = (i - center) / unit;
    for (int a = 0; a < terms; ++a) {
      for (int b = 0; b < terms; ++b) normal[a][b] += power(u, a + b);
    }
  }
  const long double at = (position - center) / unit;
  for (int k = derivative; k < terms; ++k) {
    long double factor = 1;
    for (int i = 0; i < derivative; ++i) factor *= (k - i) / (unit * kStep);
    normal[k][terms] = factor * power(at, k - derivative);
  }
  // Gauss-Jordan: the system is positive definite.
  for (int c = 0; c < terms; ++c) {
    for (int r = 0; r < terms; ++r) {
      if (r == c) continue;
      const long double scale = normal[r][c] / normal[c][c];
      for (int k = c; k <= terms; ++k) normal[r][k] -= scale * normal[c][k];
    }
  }
  for (int i = 0; i < window; ++i) {
    long double sum = 0;
    for (int k = 0; k < terms; ++k) sum += normal[k][terms] / normal[k][k] * power((i - center) / unit, k);
    out[i] = static_cast<double>(sum);
  }
}

double rounded(double value) { return std::nearbyint(value * 1e8) / 1e8; }

double dot(const double* weights, const double* values, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += weights[i] * values[i];
  return sum;
}

}  // namespace

SavitzkyGolay::SavitzkyGolay(int samples, int window, int degree, int derivative)
    : samples_(samples), window_(std::min(samples, window)), half_(window_ / 2) {
  const auto w = static_cast<std::size_t>(window_), h = static_cast<std::size_t>(half_);
  interior_.resize(w);
  first_.resize(h * w);
  last_.resize(h * w);
  weights_at(window_, degree, derivative, window_ % 2 == 1 ? half_ : half_ - 0.5L, interior_.data());
  std::vector<double> weights(w);
  for (std::size_t i = 0; i < h; ++i) {
    weights_at(window_, degree, derivative, static_cast<long double>(i), weights.data());
    for (std::size_t k = 0; k < w; ++k) first_[k * h + i] = weights[k];
    weights_at(window_, degree, derivative, static_cast<long double>(w - h + i), weights.data());
    for (std::size_t k = 0; k < w; ++k) last_[k * h + i] = weights[k];
  }
}

void SavitzkyGolay::apply(const double* in, double* out) const {
  // Sample by sample over all outputs at once: the sum of an output keeps its order, and the loop is a vector's.
  const auto edge = [this](const std::vector<double>& weights, const double* from, double* to) {
    const auto h = static_cast<std::size_t>(half_);
    std::fill(to, to + half_, 0.0);
    for (std::size_t k = 0; k < static_cast<std::size_t>(window_); ++k) {
      const double *row = weights.data() + k * h, value = from[k];
      for (std::size_t i = 0; i < h; ++i) to[i] += row[i] * value;
    }
    for (int i = 0; i < half_; ++i) to[i] = rounded(to[i]);
  };
  edge(first_, in, out);
  edge(last_, in + samples_ - window_, out + samples_ - half_);
  // An odd window is centred on its sample; of an even one, half - 1 samples lie before.
  const int before = window_ % 2 == 1 ? half_ : half_ - 1;
  for (int i = half_; i < samples_ - half_; ++i) out[i] = rounded(dot(interior_.data(), in + i - before, window_));
}

}  // namespace wam::sim
