// Matrix products of the CPU backend against a float64 triple loop.
#include "test/cpu_support.h"

namespace wam::test {
namespace {

struct Shape {
  int m, n, k;
};
// Edges of every tile (12x32, 6x16, 2x16), more than one block of k (256), the vocabulary of the mini planner (401);
// more than one block of the caches by rows (430 when accumulating) and by k (512 when accumulating, else 2048).
const Shape kShapes[] = {{1, 1, 1},       {1, 401, 33},   {2, 16, 5},     {3, 33, 17},    {7, 31, 300},
                         {12, 32, 64},    {13, 65, 1},    {25, 100, 255}, {24, 401, 128}, {61, 48, 257},
                         {150, 130, 129}, {300, 401, 96}, {50, 70, 1300}, {430, 40, 700}, {33, 100, 2500}};

enum class Layout { row_major, transposed };

double reference_activation(Activation kind, double x) {
  if (kind == Activation::gelu_erf) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  if (kind == Activation::gelu_tanh) return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return x;
}

/// The operands of one product, with rows longer than needed, and its float64 result.
struct Problem {
  Shape shape;
  Gemm gemm;
  std::vector<real> a, b, c, bias, residual;

  Problem(Shape s, Layout la, Layout lb) : shape(s) {
    const int a_rows = la == Layout::row_major ? s.m : s.k, a_cols = la == Layout::row_major ? s.k : s.m;
    const int b_rows = lb == Layout::row_major ? s.k : s.n, b_cols = lb == Layout::row_major ? s.n : s.k;
    gemm.m = s.m, gemm.n = s.n, gemm.k = s.k;
    gemm.lda = a_cols + 3, gemm.a_transposed = la == Layout::transposed;
    gemm.ldb = b_cols + 5, gemm.b_transposed = lb == Layout::transposed;
    gemm.ldc = s.n + 2, gemm.ldr = s.n + 7;
    // The last row ends with its last value, so that a read beyond the matrix is one beyond the vector.
    a = random_values(static_cast<std::size_t>(a_rows - 1) * gemm.lda + a_cols, 1);
    b = random_values(static_cast<std::size_t>(b_rows - 1) * gemm.ldb + b_cols, 2);
    c = random_values(static_cast<std::size_t>(s.m - 1) * gemm.ldc + s.n, 3);
    bias = random_values(static_cast<std::size_t>(s.n), 4);
    residual = random_values(static_cast<std::size_t>(s.m - 1) * gemm.ldr + s.n, 5);
    gemm.a = a.data(), gemm.b = b.data();
  }
  /// c after the product, its gaps between rows unchanged.
  std::vector<double> expected() const {
    std::vector<double> out = doubles(c);
    for (int i = 0; i < shape.m; ++i) {
      for (int j = 0; j < shape.n; ++j) {
        double sum = 0;
        for (int p = 0; p < shape.k; ++p) {
          const double x = gemm.a_transposed ? a[static_cast<std::size_t>(p) * gemm.lda + i]
                                             : a[static_cast<std::size_t>(i) * gemm.lda + p];
          const double y = gemm.b_transposed ? b[static_cast<std::size_t>(j) * gemm.ldb + p]
                                             : b[static_cast<std::size_t>(p) * gemm.ldb + j];
          sum += x * y;
        }
        double& to = out[static_cast<std::size_t>(i) * gemm.ldc + j];
        if (gemm.accumulate) {
          to += sum;
          continue;
        }
        if (gemm.bias) sum += bias[static_cast<std::size_t>(j)];
        to = reference_activation(gemm.activation, sum);
        if (gemm.residual) to += residual[static_cast<std::size_t>(i) * gemm.ldr + j];
      }
    }
    return out;
  }
  std::vector<real> run(Backend& backend) const {
    std::vector<real> out = c;
    Gemm g = gemm;
    g.c = out.data();
    backend.gemm(g);
    return out;
  }
  std::string name() const {
    return "m=" + std::to_string(shape.m) + " n=" + std::to_string(shape.n) + " k=" + std::to_string(shape.k) +
           (gemm.a_transposed ? " a^T" : "") + (gemm.b_transposed ? " b^T" : "");
  }
};

constexpr double kSingle = 4e-5;  // |sum| of 300 unit normals rounded in float32

}  // namespace

TEST(gemm_matches_float64_in_every_layout) {
  for (const Shape& shape : kShapes) {
    for (const Layout la : {Layout::row_major, Layout::transposed}) {
      for (const Layout lb : {Layout::row_major, Layout::transposed}) {
        const Problem problem(shape, la, lb);
        const Context at(problem.name());
        check_everywhere([&](Backend& backend) { return problem.run(backend); }, problem.expected(),
                         tolerance(kSingle));
      }
    }
  }
}

TEST(gemm_adds_to_c_when_accumulating) {
  // The gradient of a weight: both operands row-major over many rows k.
  const Shape shapes[] = {{1, 1, 1}, {5, 401, 3}, {128, 96, 1000}, {33, 40, 511}, {100, 130, 513}};
  for (const Shape& shape : shapes) {
    for (const Layout la : {Layout::row_major, Layout::transposed}) {
      Problem problem(shape, la, Layout::row_major);
      problem.gemm.accumulate = true;
      const Context at(problem.name());
      check_everywhere([&](Backend& backend) { return problem.run(backend); }, problem.expected(), tolerance(2e-4));
    }
  }
}

TEST(gemm_of_a_packed_weight_equals_the_unpacked_one_in_bits) {
  for (const Shape& shape : kShapes) {
    for (const Layout lb : {Layout::row_major, Layout::transposed}) {
      const Problem problem(shape, Layout::row_major, lb);
      const Context at(problem.name());
      for (const cpu::Isa isa : supported_isas()) {
        const std::vector<real> plain = compute_on(isa, 1, [&](Backend& backend) { return problem.run(backend); });
        for (const int threads : {1, 2}) {
          const std::vector<real> packed = compute_on(isa, threads, [&](Backend& backend) {
            const auto weight =
                backend.pack(problem.b.data(), problem.gemm.ldb, problem.gemm.b_transposed, shape.k, shape.n);
            Problem p = problem;
            p.gemm.b = nullptr, p.gemm.packed = weight.get();
            return p.run(backend);
          });
          CHECK_SAME_BITS(packed.data(), plain.data(), plain.size());
        }
      }
    }
  }
}

TEST(gemm_fuses_bias_activation_and_residual_in_this_order) {
  for (const Shape& shape : {Shape{3, 17, 9}, Shape{25, 401, 300}}) {
    for (const Activation kind : {Activation::none, Activation::gelu_erf, Activation::gelu_tanh}) {
      for (const bool with_residual : {false, true}) {
        Problem problem(shape, Layout::row_major, Layout::transposed);
        problem.gemm.activation = kind;
        problem.gemm.bias = problem.bias.data();
        if (with_residual) problem.gemm.residual = problem.residual.data();
        const Context at(problem.name() + " activation " + std::to_string(static_cast<int>(kind)));
        check_everywhere([&](Backend& backend) { return problem.run(backend); }, problem.expected(),
                         tolerance(kSingle));
      }
    }
  }
}

TEST(gemm_may_write_over_its_residual) {
  for (const Shape& shape : {Shape{5, 40, 20}, Shape{30, 65, 600}}) {
    Problem problem(shape, Layout::row_major, Layout::transposed);
    problem.gemm.ldr = problem.gemm.ldc;
    problem.residual = problem.c;
    problem.gemm.residual = problem.residual.data();
    const std::vector<double> expected = problem.expected();
    const auto in_place = [&](Backend& backend) {
      std::vector<real> c = problem.c;
      Gemm g = problem.gemm;
      g.c = c.data(), g.residual = c.data();
      backend.gemm(g);
      return c;
    };
    check_everywhere(in_place, expected, tolerance(kSingle));
  }
}

TEST(gemm_of_no_rows_or_no_columns_writes_nothing_and_of_no_depth_gives_the_bias) {
  for (const cpu::Isa isa : supported_isas()) {
    const auto backend = cpu::make_cpu_backend(nullptr, isa);
    real x[4] = {1, 2, 3, 4}, c[4] = {5, 6, 7, 8};
    const real bias[2] = {10, 20};
    Gemm g;
    g.a = x, g.lda = 2, g.b = x, g.ldb = 2, g.c = c, g.ldc = 2, g.k = 2;
    g.m = 0, g.n = 2;
    backend->gemm(g);
    g.m = 2, g.n = 0;
    backend->gemm(g);
    for (int i = 0; i < 4; ++i) CHECK_EQ(c[i], 5 + i);
    g.n = 2, g.k = 0, g.bias = bias;
    backend->gemm(g);
    for (int i = 0; i < 4; ++i) CHECK_EQ(c[i], bias[i % 2]);
    g.bias = nullptr, g.accumulate = true;
    backend->gemm(g);
    for (int i = 0; i < 4; ++i) CHECK_EQ(c[i], bias[i % 2]);
  }
}

TEST(gemm_row_does_not_depend_on_the_batch_it_is_computed_in) {
  for (const Layout lb : {Layout::row_major, Layout::transposed}) {
    Problem problem({61, 401, 300}, Layout::row_major, lb);
    problem.gemm.bias = problem.bias.data();
    problem.gemm.activation = Activation::gelu_erf;
    for (const cpu::Isa isa : supported_isas()) {
      const Context at(cpu::isa_name(isa));
      for (const int threads : {1, 2}) {
        ThreadPool pool(threads);
        const auto backend = cpu::make_cpu_backend(&pool, isa);
        const std::vector<real> batch = problem.run(*backend);
        for (const int count : {1, 2, 3, 5, 13}) {
          const int first = 61 - count;
          std::vector<real> alone(static_cast<std::size_t>(count) * 401);
          Gemm g = problem.gemm;
          g.m = count, g.a += first * g.lda, g.c = alone.data(), g.ldc = 401;
          backend->gemm(g);
          for (int i = 0; i < count; ++i)
            CHECK_SAME_BITS(alone.data() + i * 401, batch.data() + (first + i) * problem.gemm.ldc, 401);
        }
        // and a column not on the number of columns
        std::vector<real> narrow(61 * 3);
        Gemm g = problem.gemm;
        g.n = 3, g.c = narrow.data(), g.ldc = 3;
        backend->gemm(g);
        for (int i = 0; i < 61; ++i) CHECK_SAME_BITS(narrow.data() + i * 3, batch.data() + i * problem.gemm.ldc, 3);
      }
    }
  }
}

TEST(gemm_rotates_heads_as_rope_does_afterwards) {
  // Heads of a panel, of half a panel, of two panels, and of no whole number of panels; columns beyond the heads stay.
  for (const int head_dim : {16, 32, 64, 24}) {
    for (const Shape& shape : {Shape{25, 7 * head_dim + 5, 40}, Shape{130, 6 * head_dim, 129}}) {
      Problem problem(shape, Layout::row_major, Layout::transposed);
      problem.gemm.bias = problem.bias.data();
      HeadRotation rotation{5, head_dim, nullptr, real(10000)};
      std::vector<std::int32_t> position(static_cast<std::size_t>(shape.m));
      for (std::size_t i = 0; i < position.size(); ++i) position[i] = static_cast<std::int32_t>(i * 7 % 61);
      rotation.position = position.data();
      const Context at(problem.name() + " head_dim=" + std::to_string(head_dim));
      for (const cpu::Isa isa : supported_isas()) {
        for (const int threads : {1, 2}) {
          const std::vector<real> after = compute_on(isa, threads, [&](Backend& backend) {
            std::vector<real> out = problem.run(backend);
            backend.rope(shape.m, rotation.heads, head_dim, position.data(), rotation.theta, false, out.data(),
                         problem.gemm.ldc);
            return out;
          });
          const std::vector<real> fused = compute_on(isa, threads, [&](Backend& backend) {
            Problem p = problem;
            p.gemm.rotation = &rotation;
            return p.run(backend);
          });
          CHECK_SAME_BITS(fused.data(), after.data(), after.size());
        }
      }
    }
  }
}

TEST(column_sums_are_added_to_the_bias_gradient) {
  for (const Shape& shape : {Shape{1, 1, 0}, Shape{5, 17, 0}, Shape{900, 130, 0}, Shape{0, 8, 0}}) {
    const int ld = shape.n + 3;
    const std::vector<real> dy = random_values(static_cast<std::size_t>(shape.m) * ld, 11);
    const std::vector<real> before = random_values(static_cast<std::size_t>(shape.n), 12);
    std::vector<double> expected = doubles(before);
    for (int i = 0; i < shape.m; ++i)
      for (int j = 0; j < shape.n; ++j)
        expected[static_cast<std::size_t>(j)] += dy[static_cast<std::size_t>(i) * ld + j];
    check_everywhere(
        [&](Backend& backend) {
          std::vector<real> sums = before;
          backend.add_column_sums(shape.m, shape.n, dy.data(), ld, sums.data());
          return sums;
        },
        expected, tolerance(1e-4));
  }
}

}  // namespace wam::test
