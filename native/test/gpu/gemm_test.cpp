// Matrix products of the GPU backend in float: against float64, and bit for bit against the order of summation that
// kernels/gemm_params.cuh promises. Column sums.
#include "cuda/gemm_plan.h"
#include "test/gpu/gemm_problem.h"

namespace wam::test {
namespace {

using gpu::Precision;

// With one multiprocessor the plan takes the shape with the fewest padded values, with many the smallest, and cuts k.
constexpr int kOne = 1, kMany = 64;

int shape_of(const GemmCase& g, int multiprocessors) {
  const int columns = g.gated ? 2 * g.n : g.n;
  return simt::plan_gemm(simt::kGemmFloatShapes, g.m, columns, g.k, simt::kGemmFloatChunk, multiprocessors).shape;
}
int blocks_of_k(const GemmCase& g, int multiprocessors) {
  return simt::plan_gemm(simt::kGemmFloatShapes, g.m, g.gated ? 2 * g.n : g.n, g.k, simt::kGemmFloatChunk,
                         multiprocessors)
      .blocks_of_k;
}

/// Everything at once that a form allows, so that each buffer is met unaligned and with gaps.
std::vector<GemmCase> forms(GemmCase base) {
  std::vector<GemmCase> all;
  for (const bool at : {false, true}) {
    for (int form = 0; form < 4; ++form) {  // b: plain, transposed, packed from either
      GemmCase g = base;
      g.a_transposed = at, g.b_transposed = form % 2 == 1, g.packed = form >= 2;
      all.push_back(g);
    }
  }
  return all;
}

/// The worst error in units of 2^-24 of the magnitudes added up; at most `limit`.
double check_float(const GemmProblem& p, const std::vector<float>& c, double limit) {
  std::vector<double> size;
  const std::vector<double> expected = p.expected<float>(&size);
  double worst = 0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    const double off = std::abs(c[i] - expected[i]);
    if (size[i] == 0) {  // between the rows
      if (off != 0) worst = HUGE_VAL;
    } else {
      worst = std::max(worst, std::isnan(off) ? HUGE_VAL : off / size[i] * 0x1p24);
    }
  }
  CHECK_NEAR(worst, 0, limit);
  return worst;
}

TEST(gemm_float_agrees_with_float64_in_every_form_and_shape) {
  double worst = 0;
  bool met[3] = {};
  bool cut = false;
  for (const int processors : {kOne, kMany}) {
    const auto backend = gemm_backend(Precision::fp32, processors);
    for (const GemmCase& size : {GemmCase{.m = 1, .n = 1, .k = 1},
                                 {.m = 7, .n = 33, .k = 31},
                                 {.m = 24, .n = 100, .k = 257},
                                 {.m = 33, .n = 31, .k = 33},
                                 {.m = 65, .n = 130, .k = 100},
                                 {.m = 129, .n = 65, .k = 300},
                                 {.m = 64, .n = 64, .k = 64},
                                 {.m = 250, .n = 254, .k = 50},
                                 {.m = 5, .n = 40, .k = 1100},
                                 {.m = 3, .n = 2, .k = 0}}) {
      met[shape_of(size, processors)] = true;
      cut = cut || blocks_of_k(size, processors) > 1;
      int turn = 0;
      for (GemmCase g : forms(size)) {
        const int ragged = (turn + turn / 4 + processors) % 2;  // both ways in every form, once with each number
        g.gap = 3 * ragged, g.offset = ragged;
        g.bias = turn % 2 == 0, g.residual = turn % 3 == 1, g.residual_is_c = turn % 3 == 2;
        g.activation = static_cast<Activation>(turn++ % 3);
        const Context at(g.text() + ", " + std::to_string(processors) + " multiprocessors");
        const GemmProblem p(g);
        worst = std::max(worst, check_float(p, p.run(*backend), 6));
        check_no_reports();
      }
    }
  }
  CHECK(met[0] && met[1] && met[2] && cut);
  std::printf("  float: worst error %.2f x 2^-24 of the summed magnitudes\n", worst);
}

TEST(gemm_float_norm_gates_and_accumulation) {
  double worst = 0;
  for (const int processors : {kOne, kMany}) {
    const auto backend = gemm_backend(Precision::fp32, processors);
    std::vector<GemmCase> cases;
    for (const GemmCase& size : {GemmCase{.m = 7, .n = 37, .k = 100},
                                 {.m = 65, .n = 68, .k = 257},
                                 {.m = 130, .n = 64, .k = 33},
                                 {.m = 24, .n = 20, .k = 601}}) {
      for (const int form : {0, 1, 2, 3}) {
        const int ragged = (form + processors) % 2;
        GemmCase g = size;
        g.gap = 3 * ragged, g.offset = ragged, g.b_transposed = form % 2 == 1, g.packed = form >= 2;
        g.norm = true, g.centred = form == 1 || form == 2, g.bias = true;
        cases.push_back(g);
        g.bias = false, g.gated = true, g.residual = form == 3, g.norm = form % 2 == 0;
        cases.push_back(g);
        g.gated = g.norm = g.residual = g.centred = false;
        g.accumulate = true, g.a_transposed = form != 1;
        cases.push_back(g);
      }
    }
    for (const GemmCase& g : cases) {
      const Context at(g.text() + ", " + std::to_string(processors) + " multiprocessors");
      const GemmProblem p(g);
      worst = std::max(worst, check_float(p, p.run(*backend), 8));
      check_no_reports();
    }
  }
  std::printf("  float, norm and gates: worst error %.2f x 2^-24 of the summed magnitudes\n", worst);
}

/// The promised order: chunks of 256 from zero, each a chain of fused multiply-adds, added in ascending order.
TEST(gemm_float_sums_in_the_promised_order_whatever_the_shape) {
  for (const GemmCase& g :
       {GemmCase{.m = 250, .n = 254, .k = 300}, {.m = 70, .n = 65, .k = 520}, {.m = 33, .n = 31, .k = 1030}}) {
    const Context at(g.text());
    const GemmProblem p(g);
    std::vector<float> expected = p.c.values;
    for (int i = 0; i < g.m; ++i) {
      for (int j = 0; j < g.n; ++j) {
        float total = 0;
        for (int begin = 0; begin < g.k; begin += simt::kGemmFloatChunk) {
          float sum = 0;
          for (int q = begin; q < std::min(g.k, begin + simt::kGemmFloatChunk); ++q)
            sum = std::fma(p.a(i, q), p.b(q, j), sum);
          total = begin == 0 ? sum : total + sum;
        }
        expected[p.c.at(i, j)] = total;
      }
    }
    for (const int processors : {1, 8, 64, 500}) {
      const Context shape("shape " + std::to_string(shape_of(g, processors)) + ", k in " +
                          std::to_string(blocks_of_k(g, processors)));
      const std::vector<float> c = p.run(*gemm_backend(Precision::fp32, processors));
      CHECK_SAME_BITS(c.data(), expected.data(), c.size());
    }
  }
  check_no_reports();
}

TEST(gemm_float_is_the_same_under_every_schedule) {
  // At least three tiles along k in each shape, ragged ends, both ways of summing chunks.
  const GemmCase cases[] = {
      {.m = 250, .n = 125, .k = 70, .gap = 1, .bias = true, .norm = true, .gated = true},
      {.m = 60, .n = 125, .k = 70, .a_transposed = true, .b_transposed = true, .offset = 1, .accumulate = true},
      {.m = 33,
       .n = 36,
       .k = 521,
       .packed = true,
       .residual_is_c = true,
       .activation = Activation::gelu_erf,
       .norm = true,
       .centred = true},
      {.m = 129, .n = 130, .k = 290, .a_transposed = true, .residual = true}};
  for (GemmCase g : cases) {
    if (g.gated) g.bias = false;
    for (const int processors : {kOne, kMany}) {
      const Context at(g.text() + ", " + std::to_string(processors) + " multiprocessors");
      const GemmProblem p(g);
      const auto backend = gemm_backend(Precision::fp32, processors);
      const std::vector<float> c = same_under_each_schedule([&] { return p.run(*backend); });
      check_float(p, c, 8);
    }
  }
}

TEST(gemm_float_rows_do_not_depend_on_the_batch) {
  for (GemmCase g : {GemmCase{.m = 130, .n = 70, .k = 300, .bias = true, .activation = Activation::gelu_tanh},
                     {.m = 130, .n = 36, .k = 700, .packed = true, .norm = true, .centred = true},
                     {.m = 130, .n = 40, .k = 300, .norm = true, .gated = true}}) {
    const Context at(g.text());
    const GemmProblem p(g);
    const auto backend = gemm_backend(Precision::fp32, 8);
    const std::vector<float> all = p.run(*backend);
    for (const int first : {0, 31, 97}) {
      for (const int rows : {1, 33}) {
        const std::vector<float> part = p.run(*backend, first, rows);
        const std::size_t from = p.c.at(first, 0), count = static_cast<std::size_t>(rows * p.c.ld);
        CHECK_SAME_BITS(part.data() + from, all.data() + from, count);
      }
    }
  }
  check_no_reports();
}

TEST(gemm_replays) {
  const auto backend = gemm_backend(Precision::fp32, kMany);
  constexpr int kM = 24, kN = 40, kK = 600;
  DeviceArray<float> a(*backend, normal_values(kM * kK, 1)), b(*backend, normal_values(kN * kK, 2)),
      c(*backend, kM * kN);
  DeviceArray<float> weight(*backend, normal_values(kK, 3));
  const RowNorm norm = {.weight = weight.data(), .bias = nullptr, .eps = 1e-6f};
  Gemm g;
  g.m = kM, g.n = kN, g.k = kK, g.a = a.data(), g.lda = kK, g.b = b.data(), g.ldb = kK, g.b_transposed = true;
  g.c = c.data(), g.ldc = kN, g.norm = &norm;
  std::vector<float> results[3];
  for (std::vector<float>& r : results) {
    backend->replay(1, [&] { backend->gemm(g); });
    r = c.get();
    c.set(std::vector<float>(kM * kN));
  }
  CHECK_SAME_BITS(results[1].data(), results[0].data(), results[0].size());
  CHECK_SAME_BITS(results[2].data(), results[0].data(), results[0].size());
  // The memory behind the pointers is read anew.
  a.set(normal_values(kM * kK, 4));
  backend->replay(1, [] {});
  CHECK(c.get() != results[0]);
  check_no_reports();
}

TEST(column_sums_add_runs_of_64_rows_in_order) {
  const auto backend = gemm_backend(Precision::fp32, 8);
  for (const int rows : {1, 63, 64, 65, 300, 1100, 2100}) {
    for (const int cols : {1, 31, 33, 100}) {
      const Context at(std::to_string(rows) + " x " + std::to_string(cols));
      const int ld = cols + 3;
      const std::vector<float> x = normal_values(static_cast<std::size_t>(1 + (rows - 1) * ld + cols), 1);
      const std::vector<float> before = normal_values(static_cast<std::size_t>(cols), 2);
      std::vector<float> expected = before;
      std::vector<double> exact(before.begin(), before.end());
      for (int j = 0; j < cols; ++j) {
        for (int begin = 0; begin < rows; begin += 64) {
          float sum = 0;
          for (int i = begin; i < std::min(rows, begin + 64); ++i) {
            const float v = x[static_cast<std::size_t>(1 + i * ld + j)];
            sum += v, exact[static_cast<std::size_t>(j)] += v;
          }
          expected[static_cast<std::size_t>(j)] += sum;
        }
      }
      const std::vector<float> sums = same_under_each_schedule([&] {
        DeviceArray<float> dx(*backend, x), ds(*backend, before);
        backend->add_column_sums(rows, cols, dx.data() + 1, ld, ds.data());
        return ds.get();
      });
      CHECK_SAME_BITS(sums.data(), expected.data(), sums.size());
      CHECK_ALL_NEAR(sums.data(), exact.data(), cols, 1e-6 * std::sqrt(rows));
    }
  }
}

}  // namespace
}  // namespace wam::test
