// Matrix products: packing, and the cut into tasks.
#include <algorithm>

#include "cpu/cpu_backend_impl.h"
#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace wam::cpu {
namespace {

constexpr std::size_t kLanes = 16;  // of the kernels' vector

std::size_t panel_size(int k, int width) { return static_cast<std::size_t>(k) * static_cast<std::size_t>(width); }

}  // namespace

std::unique_ptr<PackedWeight> CpuBackend::pack(const real* b, int ldb, bool b_transposed, int k, int n) {
  const int panels = (n + kernels_.panel - 1) / kernels_.panel;
  auto packed = std::make_unique<CpuPackedWeight>();
  packed->panels = packed->memory.get<real>(panel_size(k, kernels_.panel) * static_cast<std::size_t>(panels));
  pack_panels(b, ldb, b_transposed, k, n, packed->panels);
  narrow(*packed, k, panels);
  return packed;
}

void CpuBackend::pack_panels(const real* b, int ldb, bool b_transposed, int k, int n, real* panels) {
  const int width = kernels_.panel;
  const std::size_t size = panel_size(k, width);
  parallel_ranges((n + width - 1) / width, 1, static_cast<double>(size),
                  [&](std::int64_t begin, std::int64_t end, int) {
                    for (std::int64_t p = begin; p < end; ++p) {
                      const std::int64_t j = p * width;
                      kernels_.pack_panel(b + (b_transposed ? j * ldb : j), ldb, b_transposed, k,
                                          static_cast<int>(std::min<std::int64_t>(width, n - j)),
                                          panels + size * static_cast<std::size_t>(p));
                    }
                  });
}

void CpuBackend::gemm(const Gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  Gemm plain = g;
  const auto* packed = static_cast<const CpuPackedWeight*>(g.packed);
  const bool quantises = packed != nullptr && packed->precision == Precision::int8;  // and normalises as it does
  if (g.norm != nullptr && !quantises) {
    plain.a = normalised(g);
    plain.lda = g.k;
    plain.norm = nullptr;
  }
  if (g.gated) {
    const int wide = 2 * g.n;
    real* both = gated_scratch_.get<real>(static_cast<std::size_t>(g.m) * static_cast<std::size_t>(wide));
    plain.gated = false;
    plain.n = wide;
    plain.c = both;
    plain.ldc = wide;
    multiply(plain);
    if (g.ldc == g.n) {
      swiglu(g.m, g.n, both, wide, both + g.n, wide, g.c);
    } else {
      for (std::int64_t i = 0; i < g.m; ++i)
        swiglu(1, g.n, both + i * wide, wide, both + i * wide + g.n, wide, g.c + i * g.ldc);
    }
    return;
  }
  multiply(plain);
}

/// The normalised rows of g.a, [m, k] in scratch.
const real* CpuBackend::normalised(const Gemm& g) {
  real* rows = norm_scratch_.get<real>(static_cast<std::size_t>(g.m) * static_cast<std::size_t>(g.k));
  const auto run = [&](int count, const real* x, real* y) {
    if (g.norm->bias != nullptr) {
      layer_norm(count, g.k, x, g.norm->weight, g.norm->bias, g.norm->eps, y, nullptr, nullptr);
    } else {
      rms_norm(count, g.k, x, g.norm->weight, g.norm->eps, y, nullptr);
    }
  };
  if (g.lda == g.k) {
    run(g.m, g.a, rows);
  } else {
    for (std::int64_t i = 0; i < g.m; ++i) run(1, g.a + i * g.lda, rows + i * g.k);
  }
  return rows;
}

void CpuBackend::multiply(const Gemm& g) {
  if (const auto* packed = static_cast<const CpuPackedWeight*>(g.packed); packed != nullptr) {
    if (packed->precision == Precision::int8) return multiply_int8(g, *packed);
    if (packed->precision == Precision::bf16) return multiply_bf16(g, *packed);
  }
  const int width = kernels_.panel, panels = (g.n + width - 1) / width;
  const int height = kernels_.strip, strips = (g.m + height - 1) / height;

  // About four tasks a thread, none below 2^18 multiply-adds (some microseconds). By rows where there are strips
  // enough, else by columns as well; when accumulating (k is long, m and n are short) by columns first, since each task
  // packs its own part of b block by block.
  constexpr double kTaskWork = 1 << 18;
  const double work = static_cast<double>(g.m) * g.n * std::max(g.k, 1);
  const int wanted = threads() == 1 ? 1 : static_cast<int>(std::min(4.0 * threads(), 1 + work / kTaskWork));
  int row_parts = std::min(strips, wanted), column_parts = std::min(panels, std::max(1, wanted / row_parts));
  if (g.accumulate) {
    column_parts = std::min(panels, wanted);
    row_parts = std::min(strips, std::max(1, wanted / column_parts));
  }

  GemmTask whole;
  if (g.packed != nullptr) {
    whole.panels = static_cast<const CpuPackedWeight*>(g.packed)->panels;
  } else {
    // With two strips or fewer, packing a row-major b costs more than reading it with long strides.
    whole.b_direct = !g.b_transposed && strips <= 2;
    if (!whole.b_direct && !g.accumulate && row_parts > 1) {
      real* memory = call_scratch<real>(panel_size(g.k, width) * static_cast<std::size_t>(panels));
      pack_panels(g.b, g.ldb, g.b_transposed, g.k, g.n, memory);
      whole.panels = memory;
    }
  }
  const std::size_t depth = static_cast<std::size_t>(g.accumulate ? std::min(g.k, kGemmBlock) : g.k);
  const std::size_t b_size = whole.panels == nullptr ? depth * static_cast<std::size_t>(width) : 0;
  const auto row = [&](int part) {
    return std::min(g.m, static_cast<int>(static_cast<std::int64_t>(strips) * part / row_parts) * height);
  };
  const auto panel = [&](int part) {
    return static_cast<int>(static_cast<std::int64_t>(panels) * part / column_parts);
  };
  parallel(row_parts * column_parts, [&](int task, int worker) {
    const int i = task / column_parts, j = task % column_parts;
    GemmTask t = whole;
    t.row_begin = row(i), t.row_end = row(i + 1), t.panel_begin = panel(j), t.panel_end = panel(j + 1);
    const std::size_t task_strips = static_cast<std::size_t>((t.row_end - t.row_begin + height - 1) / height);
    const std::size_t a_size = g.a_transposed ? task_strips * static_cast<std::size_t>(height) * depth + kLanes : 0;
    t.b_scratch = worker_scratch<real>(worker, b_size + a_size);
    t.a_scratch = t.b_scratch + b_size;
    kernels_.gemm_task(g, t);
  });
}

void CpuBackend::add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) {
  parallel_ranges(cols, 16, rows, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.add_column_sums(rows, static_cast<int>(begin), static_cast<int>(end), dy, ld, dbias);
  });
}

}  // namespace wam::cpu
