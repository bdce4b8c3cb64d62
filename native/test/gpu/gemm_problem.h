#pragma once
// One matrix product of the GPU backend and its float64 result, for the tests of the products.

#include <algorithm>
#include <memory>
#include <optional>

#include "cuda/cuda_backend.h"
#include "test/gpu/gpu_support.h"

namespace wam::test {

/// What to multiply. Rows are `gap` longer than needed and every buffer begins `offset` floats late and ends with its
/// last value, so that a read beyond a matrix is one beyond its buffer.
struct GemmCase {
  int m = 0, n = 0, k = 0;
  bool a_transposed = false, b_transposed = false, packed = false;
  int gap = 0, offset = 0;
  bool bias = false, residual = false, residual_is_c = false;
  Activation activation = Activation::none;
  bool norm = false, centred = false, gated = false, accumulate = false;

  std::string text() const {
    std::string s = std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k);
    const auto say = [&](bool is, const char* what) { s += is ? std::string(" ") + what : ""; };
    say(a_transposed, "at"), say(b_transposed, "bt"), say(packed, "packed"), say(gap != 0, "gap"), say(bias, "bias");
    say(offset != 0, "offset"), say(residual, "residual"), say(residual_is_c, "in place"), say(norm, "norm");
    say(activation == Activation::gelu_erf, "erf"), say(activation == Activation::gelu_tanh, "tanh");
    say(centred, "centred"), say(gated, "gated"), say(accumulate, "accumulate");
    return s;
  }
};

/// A strided matrix in plain memory.
struct HostMatrix {
  int rows = 0, cols = 0, ld = 0, offset = 0;
  std::vector<float> values;

  HostMatrix(int r, int c, const GemmCase& g, int extra, std::uint32_t seed)
      : rows(r), cols(c), ld(c + (g.gap != 0 ? g.gap + extra : 0)), offset(g.offset) {
    if (r > 0 && c > 0) {
      values = normal_values(static_cast<std::size_t>(offset) +
                                 static_cast<std::size_t>(r - 1) * static_cast<std::size_t>(ld) +
                                 static_cast<std::size_t>(c),
                             seed);
    } else {
      values.resize(1);
    }
  }
  std::size_t at(int i, int j) const {
    return static_cast<std::size_t>(offset) + static_cast<std::size_t>(i) * static_cast<std::size_t>(ld) +
           static_cast<std::size_t>(j);
  }
  float operator()(int i, int j) const { return values[at(i, j)]; }
};

inline double gelu(Activation kind, double x) {
  if (kind == Activation::gelu_erf) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  if (kind == Activation::gelu_tanh) return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return x;
}

struct GemmProblem {
  static constexpr float kEps = 1e-5f;
  GemmCase g;
  int columns;
  HostMatrix a, b, c, residual;
  std::vector<float> bias, norm_weight, norm_bias;

  explicit GemmProblem(const GemmCase& what)
      : g(what),
        columns(g.gated ? 2 * g.n : g.n),
        a(g.a_transposed ? g.k : g.m, g.a_transposed ? g.m : g.k, g, 0, 1),
        b(g.b_transposed ? columns : g.k, g.b_transposed ? g.k : columns, g, 2, 2),
        c(g.m, g.n, g, 4, 3),
        residual(g.m, g.n, g, 1, 4),
        bias(normal_values(static_cast<std::size_t>(g.n + g.offset), 5)),
        norm_weight(normal_values(static_cast<std::size_t>(g.k + g.offset), 6)),
        norm_bias(normal_values(static_cast<std::size_t>(g.k + g.offset), 7)) {}

  /// c as it is afterwards, gaps included. `rows` > 0: only so many rows of a are there.
  std::vector<float> run(Backend& backend, int first_row = 0, int rows = -1) const {
    const int m = rows < 0 ? g.m : rows;
    const std::size_t off = static_cast<std::size_t>(g.offset);
    DeviceArray<float> da(backend, a.values), db(backend, b.values), dc(backend, c.values),
        dr(backend, residual.values);
    DeviceArray<float> dbias(backend, bias), dw(backend, norm_weight), dnb(backend, norm_bias);
    Gemm x;
    x.m = m, x.n = g.n, x.k = g.k;
    x.a = da.data() + (g.a_transposed ? off + static_cast<std::size_t>(first_row) : a.at(first_row, 0));
    x.lda = a.ld, x.a_transposed = g.a_transposed;
    std::unique_ptr<PackedWeight> packed;
    if (g.packed) {
      packed = backend.pack(db.data() + off, b.ld, g.b_transposed, g.k, columns);
      x.packed = packed.get();
    } else {
      x.b = db.data() + off, x.ldb = b.ld, x.b_transposed = g.b_transposed;
    }
    x.c = dc.data() + c.at(first_row, 0), x.ldc = c.ld;
    if (g.bias) x.bias = dbias.data() + off;
    if (g.residual) x.residual = dr.data() + residual.at(first_row, 0), x.ldr = residual.ld;
    if (g.residual_is_c) x.residual = x.c, x.ldr = x.ldc;
    x.activation = g.activation, x.gated = g.gated, x.accumulate = g.accumulate;
    RowNorm norm;
    norm.weight = dw.data() + off, norm.bias = g.centred ? dnb.data() + off : nullptr, norm.eps = kEps;
    if (g.norm) x.norm = &norm;
    backend.gemm(x);
    return dc.get();
  }

  double b_of(int p, int j) const { return g.b_transposed ? b(j, p) : b(p, j); }

  /// Rows of a, normalised if asked, [m][k].
  std::vector<double> a_rows() const {
    std::vector<double> rows(static_cast<std::size_t>(g.m) * static_cast<std::size_t>(g.k));
    for (int i = 0; i < g.m; ++i) {
      double* row = rows.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(g.k);
      for (int p = 0; p < g.k; ++p) row[p] = g.a_transposed ? a(p, i) : a(i, p);
      if (!g.norm) continue;
      double mean = 0, square = 0;
      for (int p = 0; g.centred && p < g.k; ++p) mean += row[p] / g.k;
      for (int p = 0; p < g.k; ++p) square += (row[p] - mean) * (row[p] - mean) / g.k;
      const double rstd = 1 / std::sqrt(square + kEps);
      for (int p = 0; p < g.k; ++p) {
        const std::size_t at = static_cast<std::size_t>(p + g.offset);
        row[p] = (row[p] - mean) * rstd * norm_weight[at] + (g.centred ? norm_bias[at] : 0);
      }
    }
    return rows;
  }

  /// The result in float64, of operands rounded to T first. `size` (if asked for): the sum of the magnitudes that were
  /// added up for each element.
  template <class T>
  std::vector<double> expected(std::vector<double>* size = nullptr) const {
    std::vector<double> rows = a_rows(), weights(static_cast<std::size_t>(g.k) * static_cast<std::size_t>(columns));
    if constexpr (!std::is_same_v<T, float>) {
      for (double& x : rows) x = round_to<T>(x);
    }
    for (int p = 0; p < g.k; ++p) {
      for (int j = 0; j < columns; ++j)
        weights[static_cast<std::size_t>(j) * static_cast<std::size_t>(g.k) + static_cast<std::size_t>(p)] =
            round_to<T>(b_of(p, j));
    }
    std::vector<double> out(c.values.begin(), c.values.end());
    if (size != nullptr) size->assign(out.size(), 0);
    for (int i = 0; i < g.m; ++i) {
      for (int j = 0; j < g.n; ++j) {
        double sum[2] = {}, magnitude = 0;
        for (int h = 0; h < (g.gated ? 2 : 1); ++h) {
          const double* x = rows.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(g.k);
          const double* y = weights.data() + static_cast<std::size_t>(j + h * g.n) * static_cast<std::size_t>(g.k);
          for (int p = 0; p < g.k; ++p) sum[h] += x[p] * y[p], magnitude += std::abs(x[p] * y[p]);
        }
        double value = sum[0] + (g.bias ? static_cast<double>(bias[static_cast<std::size_t>(j + g.offset)]) : 0);
        value = g.gated ? sum[0] / (1 + std::exp(-sum[0])) * sum[1] : gelu(g.activation, value);
        double& to = out[c.at(i, j)];
        const double add = g.accumulate || g.residual_is_c ? to : g.residual ? static_cast<double>(residual(i, j)) : 0;
        if (size != nullptr)
          (*size)[c.at(i, j)] =
              (g.gated ? magnitude * (1 + std::abs(sum[0]) + std::abs(sum[1])) : magnitude) + std::abs(add) + 2;
        to = value + add;
      }
    }
    return out;
  }
};

inline std::unique_ptr<Backend> gemm_backend(gpu::Precision precision, int multiprocessors) {
  simt::HarnessOptions options = simt::harness_options();
  options.multiprocessors = multiprocessors;
  const simt::ScopedOptions scope(options);
  return simt::make_backend({.device = 0, .precision = precision});
}

}  // namespace wam::test
