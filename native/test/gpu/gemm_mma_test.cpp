// Matrix products of the GPU backend on tensor cores, against float64.
#include "cuda/gemm_plan.h"
#include "test/gpu/gemm_problem.h"

namespace wam::test {
namespace {

using gpu::Precision;

constexpr int kOne = 1, kMany = 64;

simt::GemmPlan plan_of(const GemmCase& g, int multiprocessors) {
  const int columns = g.gated ? 2 * g.n : g.n;
  return simt::plan_gemm(simt::kGemmMmaShapes, g.m, columns, g.k, simt::gemm_mma_chunk(columns, g.k), multiprocessors);
}

struct Errors {
  double ours = 0, plain = 0, beside_plain = 0;
};

/// Against float64: at most twice the error of operands rounded to T and summed exactly. Without a norm (whose own
/// rounding may turn a value the other way) ours is that result but for the float sums.
template <class T>
Errors check_half(const GemmProblem& p, const std::vector<float>& c) {
  std::vector<double> size;
  const std::vector<double> exact = p.expected<float>(&size), plain = p.expected<T>();
  Errors e;
  bool gaps = true;
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (size[i] == 0) {
      gaps = gaps && c[i] == exact[i];
      continue;
    }
    e.ours = std::max(e.ours, std::isnan(c[i]) ? HUGE_VAL : std::abs(c[i] - exact[i]));
    e.plain = std::max(e.plain, std::abs(plain[i] - exact[i]));
    e.beside_plain = std::max(e.beside_plain, std::abs(c[i] - plain[i]) / size[i] * 0x1p24);
  }
  CHECK(gaps);
  CHECK(e.ours <= 2 * e.plain + 1e-6);
  if (!p.g.norm) CHECK_NEAR(e.beside_plain, 0, 8);
  return e;
}

template <class T>
void check_forms(Precision precision, const char* name) {
  double worst_ratio = 0, worst_beside = 0;
  bool met[2] = {};
  bool cut = false, whole = false;
  for (const int processors : {kOne, kMany}) {
    const auto backend = gemm_backend(precision, processors);
    for (const GemmCase& size : {GemmCase{.m = 1, .n = 1, .k = 1},
                                 {.m = 7, .n = 33, .k = 31},
                                 {.m = 24, .n = 100, .k = 257},
                                 {.m = 33, .n = 31, .k = 33},
                                 {.m = 65, .n = 130, .k = 100},
                                 {.m = 129, .n = 65, .k = 330},
                                 {.m = 5, .n = 40, .k = 600},
                                 {.m = 3, .n = 2, .k = 0}}) {
      for (int turn = 0; turn < 24; ++turn) {
        GemmCase g = size;
        const int form = turn % 4, kind = turn / 4;
        g.b_transposed = form % 2 == 1, g.packed = form >= 2;
        g.gap = kind % 2 * 3, g.offset = kind % 2;
        if (kind < 2) {
          g.a_transposed = form != 2, g.bias = true, g.residual_is_c = kind == 0, g.residual = kind == 1;
          g.activation = static_cast<Activation>(form % 3);
        } else if (kind < 4) {
          g.norm = true, g.centred = form % 2 == 0, g.gated = form != 1, g.bias = !g.gated;
          if (g.k == 0) continue;
        } else {
          g.a_transposed = true, g.accumulate = true;
          if (g.packed) continue;
        }
        const simt::GemmPlan plan = plan_of(g, processors);
        met[plan.shape] = true, cut = cut || plan.blocks_of_k > 1,
        whole = whole || (plan.chunks > 1 && plan.blocks_of_k == 1);
        const Context at(std::string(name) + ", " + g.text() + ", " + std::to_string(processors) + " multiprocessors");
        const GemmProblem p(g);
        const Errors e = check_half<T>(p, p.run(*backend));
        if (e.plain > 1e-6) worst_ratio = std::max(worst_ratio, e.ours / e.plain);
        if (!g.norm) worst_beside = std::max(worst_beside, e.beside_plain);
        check_no_reports();
      }
    }
  }
  CHECK(met[0] && met[1] && cut && whole);
  std::printf("  %s: worst error %.3f x that of plain rounding, sums off by %.2f x 2^-24 of the magnitudes\n", name,
              worst_ratio, worst_beside);
}

TEST(gemm_bf16_in_every_form_and_shape) { check_forms<simt::bf16>(Precision::bf16, "bf16"); }
TEST(gemm_f16_in_every_form_and_shape) { check_forms<simt::f16>(Precision::f16, "f16"); }

TEST(gemm_tensor_cores_are_the_same_under_every_schedule) {
  const GemmCase cases[] = {
      {.m = 130, .n = 129, .k = 130, .gap = 1, .norm = true, .gated = true},
      {.m = 60, .n = 70, .k = 330, .packed = true, .residual_is_c = true, .norm = true, .centred = true},
      {.m = 129, .n = 130, .k = 290, .a_transposed = true, .offset = 1, .accumulate = true}};
  for (const Precision precision : {Precision::bf16, Precision::f16}) {
    for (const GemmCase& g : cases) {
      for (const int processors : {kOne, kMany}) {
        const Context at(g.text() + ", " + std::to_string(processors) + " multiprocessors");
        const GemmProblem p(g);
        const auto backend = gemm_backend(precision, processors);
        const std::vector<float> c = same_under_each_schedule([&] { return p.run(*backend); });
        precision == Precision::bf16 ? check_half<simt::bf16>(p, c) : check_half<simt::f16>(p, c);
      }
    }
  }
}

TEST(gemm_tensor_core_bits_depend_on_neither_batch_nor_shape) {
  for (const GemmCase& g : {GemmCase{.m = 130, .n = 70, .k = 330, .bias = true, .activation = Activation::gelu_tanh},
                            {.m = 130, .n = 36, .k = 700, .packed = true, .norm = true, .centred = true},
                            {.m = 130, .n = 44, .k = 300, .packed = true, .norm = true, .gated = true}}) {
    const Context at(g.text());
    const GemmProblem p(g);
    const std::vector<float> all = p.run(*gemm_backend(Precision::f16, kOne));
    for (const int processors : {kOne, 8, kMany}) {
      const auto backend = gemm_backend(Precision::f16, processors);
      const std::vector<float> again = p.run(*backend);
      CHECK_SAME_BITS(again.data(), all.data(), all.size());
      for (const int first : {0, 31, 97}) {
        for (const int rows : {1, 33}) {
          const std::vector<float> part = p.run(*backend, first, rows);
          const std::size_t from = p.c.at(first, 0), count = static_cast<std::size_t>(rows * p.c.ld);
          CHECK_SAME_BITS(part.data() + from, all.data() + from, count);
        }
      }
    }
  }
  check_no_reports();
}

}  // namespace
}  // namespace wam::test
