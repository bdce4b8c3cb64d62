// Norms, rotary embedding and elementwise maps of the CPU backend against their definitions in float64.
#include "core/error.h"
#include "test/cpu_support.h"

namespace wam::test {
namespace {

struct Rows {
  int rows, cols;
  std::size_t size() const { return static_cast<std::size_t>(rows) * cols; }
  std::size_t at(int i, int j) const { return static_cast<std::size_t>(i) * cols + j; }
};
const Rows kRows[] = {{1, 1}, {0, 8}, {3, 16}, {5, 33}, {70, 96}, {130, 401}, {600, 128}};

std::string name(const Rows& s) { return std::to_string(s.rows) + "x" + std::to_string(s.cols); }

constexpr double kEps = 1e-5;

/// Shared inputs of both norms. x is off centre, so that the mean matters.
struct NormInputs {
  Rows s;
  std::vector<real> x, weight, bias, dy, dx, dweight, dbias;
  explicit NormInputs(const Rows& shape) : s(shape) {
    x = random_values(s.size(), 41), weight = random_values(static_cast<std::size_t>(s.cols), 42);
    for (real& v : x) v += 2;
    bias = random_values(static_cast<std::size_t>(s.cols), 43), dy = random_values(s.size(), 44);
    dx = random_values(s.size(), 45), dweight = random_values(static_cast<std::size_t>(s.cols), 46);
    dbias = random_values(static_cast<std::size_t>(s.cols), 47);
  }
};

struct NormReference {
  std::vector<double> y, mean, rstd, dx, dweight, dbias;
};
/// Layer norm, or RMS norm (mean 0, no bias). dx is the Jacobian of the normalised row times dy, in full.
NormReference norm_reference(const NormInputs& in, bool rms, bool add_dx) {
  const Rows& s = in.s;
  NormReference r;
  r.y.resize(s.size()), r.dx = doubles(in.dx), r.dweight = doubles(in.dweight), r.dbias = doubles(in.dbias);
  for (int i = 0; i < s.rows; ++i) {
    double mean = 0, square = 0;
    if (!rms) {
      for (int j = 0; j < s.cols; ++j) mean += in.x[s.at(i, j)] / static_cast<double>(s.cols);
    }
    for (int j = 0; j < s.cols; ++j) square += std::pow(in.x[s.at(i, j)] - mean, 2) / s.cols;
    const double rstd = 1 / std::sqrt(square + static_cast<double>(static_cast<real>(kEps)));
    r.mean.push_back(mean), r.rstd.push_back(rstd);
    std::vector<double> h(static_cast<std::size_t>(s.cols)), e(h.size());
    for (int j = 0; j < s.cols; ++j) {
      const std::size_t at = s.at(i, j), c = static_cast<std::size_t>(j);
      h[c] = (in.x[at] - mean) * rstd, e[c] = static_cast<double>(in.dy[at]) * in.weight[c];
      r.y[at] = h[c] * in.weight[c] + (rms ? 0.0 : static_cast<double>(in.bias[c]));
      r.dweight[c] += in.dy[at] * h[c], r.dbias[c] += in.dy[at];
    }
    for (int j = 0; j < s.cols; ++j) {
      double d = 0;  // sum_l e_l dh_l/dx_j, dh_l/dx_j = rstd (delta_lj - [layer] 1/n - h_l h_j / n)
      for (int l = 0; l < s.cols; ++l) {
        const std::size_t c = static_cast<std::size_t>(l);
        d += e[c] * rstd * ((l == j) - (rms ? 0.0 : 1.0 / s.cols) - h[c] * h[static_cast<std::size_t>(j)] / s.cols);
      }
      r.dx[s.at(i, j)] = add_dx ? r.dx[s.at(i, j)] + d : d;
    }
  }
  return r;
}

double reference_gelu(Activation kind, double x) {
  if (kind == Activation::gelu_erf) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  if (kind == Activation::gelu_tanh) return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return x;
}
double reference_gelu_slope(Activation kind, double x) {
  if (kind == Activation::gelu_erf)
    return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
  if (kind == Activation::gelu_tanh) {
    const double c = std::sqrt(2 / M_PI), t = std::tanh(c * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
  }
  return 1;
}

const std::int64_t kLengths[] = {0, 1, 15, 16, 17, 401, 65000};

}  // namespace

TEST(backend_names_its_instruction_set_and_refuses_one_that_cannot_run) {
  for (const cpu::Isa isa : {cpu::Isa::portable, cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (cpu::isa_supported(isa)) {
      CHECK_EQ(std::string(cpu::make_cpu_backend(nullptr, isa)->name()), std::string("cpu-") + cpu::isa_name(isa));
      CHECK(isa <= cpu::best_isa());
    } else {
      CHECK_THROWS(cpu::make_cpu_backend(nullptr, isa), Error);
    }
  }
  CHECK(cpu::isa_supported(cpu::Isa::portable));
  CHECK(cpu::isa_supported(cpu::best_isa()));
}

TEST(layer_norm_matches_the_definition) {
  for (const Rows& s : kRows) {
    const Context at(name(s));
    const NormInputs in(s);
    const NormReference r = norm_reference(in, false, false);
    std::vector<double> expected = r.y;
    append(expected, r.mean);
    append(expected, r.rstd);
    const auto run = [&](Backend& backend) {
      const std::size_t rows = static_cast<std::size_t>(s.rows);
      std::vector<real> y(s.size()), mean(rows), rstd(rows), bare(s.size());
      backend.layer_norm(s.rows, s.cols, in.x.data(), in.weight.data(), in.bias.data(), static_cast<real>(kEps),
                         y.data(), mean.data(), rstd.data());
      backend.layer_norm(s.rows, s.cols, in.x.data(), in.weight.data(), in.bias.data(), static_cast<real>(kEps),
                         bare.data(), nullptr, nullptr);
      CHECK_SAME_BITS(bare.data(), y.data(), y.size());
      append(y, mean);
      append(y, rstd);
      return y;
    };
    // One value has no spread: rstd = 1/sqrt(eps) then.
    check_everywhere(run, expected, tolerance(5e-6));
  }
}

TEST(layer_norm_backward_matches_the_definition) {
  for (const Rows& s : kRows) {
    for (const bool add_dx : {false, true}) {
      const Context at(name(s));
      const NormInputs in(s);
      const NormReference r = norm_reference(in, false, add_dx);
      const std::vector<real> mean(r.mean.begin(), r.mean.end()), rstd(r.rstd.begin(), r.rstd.end());
      std::vector<double> expected = r.dx;
      append(expected, r.dweight);
      append(expected, r.dbias);
      const auto run = [&](Backend& backend) {
        std::vector<real> dx = in.dx, dweight = in.dweight, dbias = in.dbias;
        backend.layer_norm_backward(s.rows, s.cols, in.x.data(), in.weight.data(), mean.data(), rstd.data(),
                                    in.dy.data(), dx.data(), add_dx, dweight.data(), dbias.data());
        append(dx, dweight);
        append(dx, dbias);
        return dx;
      };
      check_everywhere(run, expected, tolerance(5e-5));
    }
  }
}

TEST(rms_norm_matches_the_definition) {
  for (const Rows& s : kRows) {
    const Context at(name(s));
    const NormInputs in(s);
    const NormReference r = norm_reference(in, true, false);
    std::vector<double> expected = r.y;
    append(expected, r.rstd);
    const auto run = [&](Backend& backend) {
      std::vector<real> y(s.size()), rstd(static_cast<std::size_t>(s.rows)), bare(s.size());
      backend.rms_norm(s.rows, s.cols, in.x.data(), in.weight.data(), static_cast<real>(kEps), y.data(), rstd.data());
      backend.rms_norm(s.rows, s.cols, in.x.data(), in.weight.data(), static_cast<real>(kEps), bare.data(), nullptr);
      CHECK_SAME_BITS(bare.data(), y.data(), y.size());
      append(y, rstd);
      return y;
    };
    check_everywhere(run, expected, tolerance(2e-6));
  }
}

TEST(rms_norm_backward_matches_the_definition) {
  for (const Rows& s : kRows) {
    for (const bool add_dx : {false, true}) {
      const Context at(name(s));
      const NormInputs in(s);
      const NormReference r = norm_reference(in, true, add_dx);
      const std::vector<real> rstd(r.rstd.begin(), r.rstd.end());
      std::vector<double> expected = r.dx;
      append(expected, r.dweight);
      const auto run = [&](Backend& backend) {
        std::vector<real> dx = in.dx, dweight = in.dweight;
        backend.rms_norm_backward(s.rows, s.cols, in.x.data(), in.weight.data(), rstd.data(), in.dy.data(), dx.data(),
                                  add_dx, dweight.data());
        append(dx, dweight);
        return dx;
      };
      check_everywhere(run, expected, tolerance(5e-5));
    }
  }
}

TEST(norm_gradients_of_the_reference_match_finite_differences) {
  for (const bool rms : {false, true}) {
    const NormInputs in({2, 7});
    const NormReference r = norm_reference(in, rms, false);
    for (std::size_t i = 0; i < in.x.size(); ++i) {
      double slope = 0;
      for (const double side : {1.0, -1.0}) {
        NormInputs moved = in;
        constexpr double kStep = 0x1p-7;  // exact in float, so that the difference is the one asked for
        moved.x[i] += static_cast<real>(side * kStep);
        const double actual_step = static_cast<double>(moved.x[i]) - in.x[i];
        const std::vector<double> y = norm_reference(moved, rms, false).y;
        for (std::size_t j = 0; j < y.size(); ++j) slope += y[j] * in.dy[j] / (2 * actual_step);
      }
      CHECK_NEAR(slope, r.dx[i], 2e-3 * (1 + std::abs(r.dx[i])));
    }
  }
}

TEST(norm_of_a_row_does_not_depend_on_the_batch) {
  const NormInputs in({130, 401});
  for (const cpu::Isa isa : supported_isas()) {
    const auto backend = cpu::make_cpu_backend(nullptr, isa);
    std::vector<real> all(in.x.size()), one(401);
    backend->layer_norm(130, 401, in.x.data(), in.weight.data(), in.bias.data(), 1, all.data(), nullptr, nullptr);
    backend->layer_norm(1, 401, in.x.data() + 77 * 401, in.weight.data(), in.bias.data(), 1, one.data(), nullptr,
                        nullptr);
    CHECK_SAME_BITS(one.data(), all.data() + 77 * 401, 401);
  }
}

TEST(activations_match_the_definition) {
  for (const Activation kind : {Activation::none, Activation::gelu_erf, Activation::gelu_tanh}) {
    for (const std::int64_t n : kLengths) {
      const Context at("kind " + std::to_string(static_cast<int>(kind)) + " n=" + std::to_string(n));
      const std::size_t size = static_cast<std::size_t>(n);
      const std::vector<real> x = random_values(size, 51, 3), dy = random_values(size, 52);
      std::vector<double> expected;
      for (const real v : x) expected.push_back(reference_gelu(kind, v));
      for (std::size_t i = 0; i < size; ++i) expected.push_back(dy[i] * reference_gelu_slope(kind, x[i]));
      const auto run = [&](Backend& backend) {
        std::vector<real> y(size), dx(size);
        backend.activation(kind, n, x.data(), y.data());
        backend.activation_backward(kind, n, x.data(), dy.data(), dx.data());
        std::vector<real> in_place = x;
        backend.activation(kind, n, in_place.data(), in_place.data());
        CHECK_SAME_BITS(in_place.data(), y.data(), size);
        append(y, dx);
        return y;
      };
      check_everywhere(run, expected, tolerance(1e-6));
    }
  }
}

TEST(swiglu_matches_the_definition_on_halves_of_one_matrix) {
  for (const Rows& s : kRows) {
    const Context at(name(s));
    const int ld = 2 * s.cols + 3;
    const std::vector<real> x = random_values(static_cast<std::size_t>(s.rows) * ld, 53, 3),
                            dy = random_values(s.size(), 54);
    const std::vector<real> before = random_values(x.size(), 55);
    std::vector<double> expected(s.size()), dx = doubles(before);  // dx keeps what lies between the rows
    for (int i = 0; i < s.rows; ++i) {
      for (int j = 0; j < s.cols; ++j) {
        const std::size_t g = static_cast<std::size_t>(i) * ld + j, u = g + s.cols;
        const double sig = 1 / (1 + std::exp(-static_cast<double>(x[g]))), silu = x[g] * sig;
        expected[s.at(i, j)] = silu * x[u];
        dx[g] = dy[s.at(i, j)] * x[u] * (sig + silu * (1 - sig));
        dx[u] = dy[s.at(i, j)] * silu;
      }
    }
    append(expected, dx);
    const auto run = [&](Backend& backend) {
      std::vector<real> y(s.size()), grad = before;
      backend.swiglu(s.rows, s.cols, x.data(), ld, x.data() + s.cols, ld, y.data());
      backend.swiglu_backward(s.rows, s.cols, x.data(), ld, x.data() + s.cols, ld, dy.data(), grad.data(), ld,
                              grad.data() + s.cols, ld);
      append(y, grad);
      return y;
    };
    check_everywhere(run, expected, tolerance(2e-6));
  }
}

TEST(axpy_and_fill_touch_exactly_their_range) {
  for (const std::int64_t n : kLengths) {
    const std::size_t size = static_cast<std::size_t>(n);
    const std::vector<real> x = random_values(size, 56), y = random_values(size + 3, 57);
    std::vector<double> expected = doubles(y);
    for (std::size_t i = 0; i < size; ++i) expected[i] += 0.75 * x[i];
    std::vector<double> filled = doubles(y);
    for (std::size_t i = 0; i < size; ++i) filled[i] = 1.5;
    append(expected, filled);
    const auto run = [&](Backend& backend) {
      std::vector<real> out = y, constant = y;
      backend.axpy(n, static_cast<real>(0.75), x.data(), out.data());
      backend.fill(n, static_cast<real>(1.5), constant.data());
      append(out, constant);
      return out;
    };
    check_everywhere(run, expected, tolerance(1e-6));
  }
}

TEST(dropout_follows_the_documented_counters) {
  const RandomStream stream(0x123456789abcdefull);
  for (const std::int64_t n : {1, 63, 64, 65, 4097, 65000}) {
    for (const float p : {0.0f, 0.05f, 0.5f, 0.9f}) {
      const Context at("n=" + std::to_string(n) + " p=" + std::to_string(p));
      const std::vector<real> x = random_values(static_cast<std::size_t>(n), 58);
      std::vector<double> expected(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Philox4 r = stream.at(static_cast<std::uint32_t>(i / 4), 0, 9, RandomUse::train_dropout);
        expected[i] = unit_uniform(r.word[i % 4]) < p ? 0.0 : x[i] / (1 - static_cast<double>(p));
      }
      const auto run = [&](Backend& backend) {
        std::vector<real> y = x;
        backend.dropout(n, static_cast<real>(p), stream, 9, y.data(), y.data());
        return y;
      };
      check_everywhere(run, expected, tolerance(1e-6));
    }
  }
}

TEST(rope_rotates_halves_and_its_inverse_undoes_it) {
  struct Shape {
    int rows, heads, dim;
  };
  for (const Shape& s : {Shape{1, 1, 2}, Shape{5, 3, 6}, Shape{40, 4, 32}, Shape{300, 4, 128}, Shape{0, 1, 2}}) {
    const Context at(std::to_string(s.rows) + " rows, dim " + std::to_string(s.dim));
    const int ld = s.heads * s.dim + 5;
    const std::vector<real> x = random_values(static_cast<std::size_t>(s.rows) * ld, 59);
    const std::vector<std::int32_t> position = random_ids(static_cast<std::size_t>(s.rows), 1500, 60);
    std::vector<double> expected = doubles(x);
    for (int i = 0; i < s.rows; ++i) {
      for (int h = 0; h < s.heads; ++h) {
        for (int d = 0; d < s.dim / 2; ++d) {
          const std::size_t a = static_cast<std::size_t>(i) * ld + h * s.dim + d, b = a + s.dim / 2;
          const double angle = position[static_cast<std::size_t>(i)] * std::pow(10000.0, -2.0 * d / s.dim);
          expected[a] = x[a] * std::cos(angle) - x[b] * std::sin(angle);
          expected[b] = x[b] * std::cos(angle) + x[a] * std::sin(angle);
        }
      }
    }
    append(expected, doubles(x));
    const auto run = [&](Backend& backend) {
      std::vector<real> y = x;
      backend.rope(s.rows, s.heads, s.dim, position.data(), 10000, false, y.data(), ld);
      std::vector<real> back = y;
      backend.rope(s.rows, s.heads, s.dim, position.data(), 10000, true, back.data(), ld);
      append(y, back);
      return y;
    };
    check_everywhere(run, expected, tolerance(1e-6));
  }
}

}  // namespace wam::test
