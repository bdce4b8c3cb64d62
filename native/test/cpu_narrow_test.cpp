// Products with bf16 and int8 weights against plain code that rounds as they do, on every unit that this machine has.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cpu/int8_unit.h"
#include "test/cpu_support.h"

namespace wam::test {
namespace {

using cpu::Int8Unit;
using cpu::Isa;
using cpu::Precision;

struct Shape {
  int m, n, k;
};
// Edges of the tiles (16 and 32 rows, 16 and 32 columns), of groups of k (2, 4, 64) and of blocks of k (256).
const Shape kShapes[] = {{1, 1, 1},       {1, 401, 33},   {2, 16, 5},     {3, 33, 17},   {7, 31, 300},
                         {12, 32, 64},    {13, 65, 1},    {16, 32, 63},   {17, 64, 65},  {24, 401, 128},
                         {25, 100, 255},  {31, 32, 66},   {33, 17, 96},   {49, 48, 257}, {120, 256, 192},
                         {150, 130, 129}, {300, 401, 96}, {500, 33, 1030}};

const char* unit_name(Int8Unit unit) {
  return unit == Int8Unit::amx ? "amx" : unit == Int8Unit::vnni ? "vnni" : "words";
}

enum class Form { plain, bias_gelu_residual, rms_norm, layer_norm_bias, gated };
const char* form_name(Form form) {
  constexpr const char* kNames[] = {"plain", "bias gelu residual", "rms norm", "layer norm and bias", "gated"};
  return kNames[static_cast<int>(form)];
}

/// A linear map of a [m,k] by a weight [n,k] (out, in), in one of the forms that the models use.
struct Linear {
  Shape shape;
  Form form;
  int columns;  // of the weight
  RowNorm norm;
  std::vector<real> a, weight, bias, residual, norm_weight, norm_bias;

  Linear(Shape s, Form f) : shape(s), form(f), columns(f == Form::gated ? 2 * s.n : s.n) {
    a = random_values(static_cast<std::size_t>(s.m - 1) * lda() + s.k, 1);
    weight = random_values(static_cast<std::size_t>(columns) * s.k, 2);
    bias = random_values(static_cast<std::size_t>(s.n), 3);
    residual = random_values(static_cast<std::size_t>(s.m) * s.n, 4);
    norm_weight = random_values(static_cast<std::size_t>(s.k), 5);
    norm_bias = random_values(static_cast<std::size_t>(s.k), 6);
    norm.weight = norm_weight.data(), norm.eps = static_cast<real>(1e-6);
    if (f == Form::layer_norm_bias) norm.bias = norm_bias.data();
  }
  int lda() const { return shape.k + 3; }
  bool normalised() const { return form == Form::rms_norm || form == Form::layer_norm_bias; }

  /// The rows that are multiplied, [m,k].
  std::vector<real> rows(Backend& backend) const {
    std::vector<real> out;
    for (int i = 0; i < shape.m; ++i) {
      std::vector<real> row(a.begin() + i * lda(), a.begin() + i * lda() + shape.k), y(row.size());
      if (form == Form::rms_norm) {
        backend.rms_norm(1, shape.k, row.data(), norm.weight, norm.eps, y.data(), nullptr);
      } else if (form == Form::layer_norm_bias) {
        backend.layer_norm(1, shape.k, row.data(), norm.weight, norm.bias, norm.eps, y.data(), nullptr, nullptr);
      } else {
        y = row;
      }
      append(out, y);
    }
    return out;
  }
  std::vector<real> run(Backend& backend, int first_row = 0, int row_count = -1) const {
    const int m = row_count < 0 ? shape.m : row_count;
    const auto packed = backend.pack(weight.data(), shape.k, true, shape.k, columns);
    std::vector<real> c(static_cast<std::size_t>(m) * shape.n, -7);
    Gemm g;
    g.m = m, g.n = shape.n, g.k = shape.k;
    g.a = a.data() + static_cast<std::ptrdiff_t>(first_row) * lda(), g.lda = lda();
    g.b = weight.data(), g.ldb = shape.k, g.b_transposed = true, g.packed = packed.get();
    g.c = c.data(), g.ldc = shape.n;
    if (normalised()) g.norm = &norm;
    if (form == Form::layer_norm_bias || form == Form::bias_gelu_residual) g.bias = bias.data();
    if (form == Form::bias_gelu_residual) {
      g.activation = Activation::gelu_erf;
      g.residual = residual.data() + static_cast<std::ptrdiff_t>(first_row) * shape.n, g.ldr = shape.n;
    }
    g.gated = form == Form::gated;
    backend.gemm(g);
    return c;
  }
  /// What follows the products [m, columns], in double.
  std::vector<double> finish(const std::vector<double>& product) const {
    std::vector<double> out;
    for (int i = 0; i < shape.m; ++i) {
      for (int j = 0; j < shape.n; ++j) {
        double x = product[static_cast<std::size_t>(i) * columns + j];
        if (form == Form::layer_norm_bias || form == Form::bias_gelu_residual) x += bias[static_cast<std::size_t>(j)];
        if (form == Form::bias_gelu_residual)
          x = 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))) + residual[static_cast<std::size_t>(i) * shape.n + j];
        if (form == Form::gated)
          x = x / (1 + std::exp(-x)) * product[static_cast<std::size_t>(i) * columns + shape.n + j];
        out.push_back(x);
      }
    }
    return out;
  }
};

/// x in whole numbers up to 127 times the scale returned.
real quantise(const real* x, int count, int stride, std::vector<int>& whole) {
  real most = 0;
  for (int i = 0; i < count; ++i) most = std::max(most, std::abs(x[static_cast<std::ptrdiff_t>(i) * stride]));
  const real inverse = most > 0 ? 127 / most : 0;
  whole.clear();
  for (int i = 0; i < count; ++i)
    whole.push_back(static_cast<int>(std::nearbyint(x[static_cast<std::ptrdiff_t>(i) * stride] * inverse)));
  return most * (real(1) / 127);
}

/// The products that int8 means, in `real` as the kernels form them from an exact sum.
std::vector<double> int8_products(const Linear& l, const std::vector<real>& rows) {
  const int m = l.shape.m, k = l.shape.k;
  std::vector<std::vector<int>> w(static_cast<std::size_t>(l.columns));
  std::vector<real> scale;
  for (int j = 0; j < l.columns; ++j)
    scale.push_back(quantise(&l.weight[static_cast<std::size_t>(j) * k], k, 1, w[static_cast<std::size_t>(j)]));
  std::vector<double> out;
  std::vector<int> row;
  for (int i = 0; i < m; ++i) {
    const real row_scale = quantise(&rows[static_cast<std::size_t>(i) * k], k, 1, row);
    for (int j = 0; j < l.columns; ++j) {
      std::int64_t sum = 0;
      for (int p = 0; p < k; ++p)
        sum += row[static_cast<std::size_t>(p)] * w[static_cast<std::size_t>(j)][static_cast<std::size_t>(p)];
      out.push_back(static_cast<real>(sum) * (row_scale * scale[static_cast<std::size_t>(j)]));
    }
  }
  return out;
}

std::unique_ptr<Backend> int8_backend(ThreadPool* pool, Isa isa, Int8Unit unit) {
  return cpu::make_int8_backend(pool, isa, unit);
}

/// f(backend) for every instruction set, unit and number of threads, with a context that names them.
template <class F>
void on_every_unit(F f) {
  for (const Isa isa : supported_isas()) {
    for (const Int8Unit unit : cpu::int8_units(isa)) {
      for (const int threads : {1, 2}) {
        const Context at(std::string(cpu::isa_name(isa)) + " " + unit_name(unit) + " " + std::to_string(threads) +
                         " threads");
        ThreadPool pool(threads);
        f(*int8_backend(threads > 1 ? &pool : nullptr, isa, unit));
      }
    }
  }
}

}  // namespace

TEST(int8_products_are_exact_integers_on_every_unit) {
  for (const Shape& s : kShapes) {
    const Linear l(s, Form::plain);
    const Context at("m=" + std::to_string(s.m) + " n=" + std::to_string(s.n) + " k=" + std::to_string(s.k));
    const auto backend = cpu::make_cpu_backend(nullptr, Isa::portable);
    const std::vector<double> wide = int8_products(l, l.rows(*backend));
    const std::vector<real> expected(wide.begin(), wide.end());
    on_every_unit([&](Backend& b) {
      const std::vector<real> c = l.run(b);
      CHECK_SAME_BITS(c.data(), expected.data(), expected.size());
    });
  }
}

TEST(int8_products_in_every_form) {
  for (const Form form : {Form::bias_gelu_residual, Form::rms_norm, Form::layer_norm_bias, Form::gated}) {
    for (const Shape& s : {Shape{1, 17, 65}, Shape{24, 70, 256}, Shape{61, 130, 100}}) {
      const Linear l(s, form);
      const Context at(std::string(form_name(form)) + " m=" + std::to_string(s.m));
      std::vector<real> avx;  // of the first instruction set with fused multiply and add
      for (const Isa isa : supported_isas()) {
        const auto plain = cpu::make_cpu_backend(nullptr, isa);
        const std::vector<double> expected = l.finish(int8_products(l, l.rows(*plain)));
        for (const Int8Unit unit : cpu::int8_units(isa)) {
          for (const int threads : {1, 2}) {
            const Context where(std::string(cpu::isa_name(isa)) + " " + unit_name(unit));
            ThreadPool pool(threads);
            const std::vector<real> c = l.run(*int8_backend(&pool, isa, unit));
            CHECK_ALL_NEAR(c.data(), expected.data(), static_cast<long>(expected.size()), tolerance(2e-6));
            if (isa == Isa::portable) continue;
            if (avx.empty()) avx = c;
            CHECK_SAME_BITS(c.data(), avx.data(), c.size());
          }
        }
      }
    }
  }
}

TEST(int8_rows_do_not_depend_on_the_batch) {
  const Linear l({70, 100, 130}, Form::rms_norm);
  on_every_unit([&](Backend& b) {
    const std::vector<real> all = l.run(b);
    for (const int i : {0, 15, 16, 31, 40, 69}) {
      const std::vector<real> one = l.run(b, i, 1);
      CHECK_SAME_BITS(one.data(), all.data() + static_cast<std::ptrdiff_t>(i) * l.shape.n, one.size());
    }
  });
}

TEST(int8_extremes) {
  // Rows and channels of the largest magnitude everywhere with all signs, of zeros, and with one huge value.
  Linear l({40, 48, 512}, Form::plain);
  const int k = l.shape.k;
  for (int p = 0; p < k; ++p) {
    const auto at = [&](int i) -> real& { return l.a[static_cast<std::size_t>(i) * l.lda() + p]; };
    const auto weight = [&](int j) -> real& { return l.weight[static_cast<std::size_t>(j) * k + p]; };
    at(0) = 3, at(1) = -3, at(2) = p % 2 == 0 ? 3 : -3, at(3) = 0, at(4) = p == 77 ? real(1e30) : at(4);
    at(5) = p == 0 ? real(1e-30) : 0;
    weight(0) = 2, weight(1) = -2, weight(2) = p % 2 == 0 ? 2 : -2, weight(3) = 0, weight(4) = p == 77 ? real(1e4) : 1;
  }
  const auto backend = cpu::make_cpu_backend(nullptr, Isa::portable);
  const std::vector<double> wide = int8_products(l, l.rows(*backend));
  const std::vector<real> expected(wide.begin(), wide.end());
  CHECK_NEAR(expected[0], 6 * k, tolerance(1e-3));
  on_every_unit([&](Backend& b) {
    const std::vector<real> c = l.run(b);
    CHECK_SAME_BITS(c.data(), expected.data(), expected.size());
  });
  // What is not a number does not turn into one, and stays in its row.
  l.a[static_cast<std::size_t>(7) * l.lda() + 9] = static_cast<real>(NAN);
  l.a[static_cast<std::size_t>(8) * l.lda() + 500] = static_cast<real>(INFINITY);
  on_every_unit([&](Backend& b) {
    const std::vector<real> c = l.run(b);
    for (int i = 0; i < l.shape.m; ++i)
      for (int j = 0; j < l.shape.n; ++j)
        if (std::isfinite(c[static_cast<std::size_t>(i) * l.shape.n + j]) != (i != 7 && i != 8)) return CHECK(false);
  });
}

TEST(bf16_products_are_fp32_products_of_rounded_weights) {
  for (const Form form : {Form::plain, Form::bias_gelu_residual, Form::rms_norm, Form::layer_norm_bias, Form::gated}) {
    for (const Shape& s : kShapes) {
      const Linear l(s, form);
      Linear rounded = l;
      for (real& w : rounded.weight) {
        const float x = static_cast<float>(w);
        std::uint32_t bits;
        std::memcpy(&bits, &x, sizeof bits);
        const std::uint32_t lower = bits & 0xffff, half = 0x8000;
        bits &= 0xffff0000;
        if (lower > half || (lower == half && (bits & 0x10000) != 0)) bits += 0x10000;
        float y;
        std::memcpy(&y, &bits, sizeof y);
        w = y;
      }
      const Context at(std::string(form_name(form)) + " m=" + std::to_string(s.m) + " n=" + std::to_string(s.n) +
                       " k=" + std::to_string(s.k));
      for (const Isa isa : supported_isas()) {
        const Context where(cpu::isa_name(isa));
        const std::vector<real> expected = rounded.run(*cpu::make_cpu_backend(nullptr, isa));
        for (const int threads : {1, 2}) {
          ThreadPool pool(threads);
          const std::vector<real> c = l.run(*cpu::make_cpu_backend(&pool, isa, Precision::bf16));
          CHECK_SAME_BITS(c.data(), expected.data(), expected.size());
        }
      }
    }
  }
}

}  // namespace wam::test
