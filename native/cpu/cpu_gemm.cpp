// Matrix products: packing, and the cut into tasks.
#include <algorithm>

#include "cpu/cpu_backend_impl.h"
#include "cpu/kernels.h"

namespace wam::cpu {
namespace {

class CpuPackedWeight final : public PackedWeight {
 public:
  Scratch memory;
  const real* panels = nullptr;
};

std::ptrdiff_t panel_size(int k, int panel) { return static_cast<std::ptrdiff_t>(k) * panel; }

}  // namespace

std::unique_ptr<PackedWeight> CpuBackend::pack(const real* b, int ldb, bool b_transposed, int k, int n) {
  const int width = kernels_.panel, count = (n + width - 1) / width;
  auto packed = std::make_unique<CpuPackedWeight>();
  real* panels = packed->memory.get<real>(static_cast<std::size_t>(panel_size(k, width)) * count);
  parallel_ranges(count, 1, panel_size(k, width), [&](std::int64_t begin, std::int64_t end, int) {
    for (int p = static_cast<int>(begin); p < end; ++p) {
      const real* from = b_transposed ? b + static_cast<std::ptrdiff_t>(p) * width * ldb : b + p * width;
      kernels_.pack_panel(from, ldb, b_transposed, k, std::min(width, n - p * width), panels + panel_size(k, width) * p);
    }
  });
  packed->panels = panels;
  return packed;
}

void CpuBackend::gemm(const Gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const int width = kernels_.panel, panels = (g.n + width - 1) / width, strips = (g.m + kernels_.strip - 1) / kernels_.strip;
  GemmTask whole;
  whole.row_end = g.m, whole.panel_end = panels;
  if (g.packed != nullptr) {
    whole.panels = static_cast<const CpuPackedWeight*>(g.packed)->panels;
  } else {
    // With two strips or fewer, packing a row-major b costs more than reading it with long strides: only the last,
    // incomplete panel is packed then.
    whole.b_direct = !g.b_transposed && strips <= 2;
    whole.panels_begin = whole.b_direct ? g.n / width : 0;
    real* memory = call_scratch<real>(static_cast<std::size_t>(panel_size(g.k, width)) * (panels - whole.panels_begin));
    parallel_ranges(panels - whole.panels_begin, 1, panel_size(g.k, width),
                    [&](std::int64_t begin, std::int64_t end, int) {
                      for (int i = static_cast<int>(begin); i < end; ++i) {
                        const int p = whole.panels_begin + i;
                        const real* from =
                            g.b_transposed ? g.b + static_cast<std::ptrdiff_t>(p) * width * g.ldb : g.b + p * width;
                        kernels_.pack_panel(from, g.ldb, g.b_transposed, g.k, std::min(width, g.n - p * width),
                                            memory + panel_size(g.k, width) * i);
                      }
                    });
    whole.panels = memory;
  }

  // About four tasks a thread, none below 2^18 multiply-adds (some microseconds): by rows where there are strips enough,
  // since a row task packs its rows of a once, else by columns as well.
  constexpr double kTaskWork = 1 << 18;
  const double work = static_cast<double>(g.m) * g.n * std::max(g.k, 1);
  const int wanted = threads() == 1 ? 1 : static_cast<int>(std::min(4.0 * threads(), 1 + work / kTaskWork));
  const int row_parts = std::min(strips, wanted);
  const int column_parts = std::min(panels, std::max(1, wanted / row_parts));
  const auto strip_begin = [&](int part) {
    return std::min<std::int64_t>(g.m, static_cast<std::int64_t>(strips) * part / row_parts * kernels_.strip);
  };
  parallel(row_parts * column_parts, [&](int task, int worker) {
    const int row = task / column_parts, column = task % column_parts;
    GemmTask t = whole;
    t.row_begin = static_cast<int>(strip_begin(row)), t.row_end = static_cast<int>(strip_begin(row + 1));
    t.panel_begin = static_cast<int>(static_cast<std::int64_t>(panels) * column / column_parts);
    t.panel_end = static_cast<int>(static_cast<std::int64_t>(panels) * (column + 1) / column_parts);
    if (g.a_transposed) {
      const int task_strips = (t.row_end - t.row_begin + kernels_.strip - 1) / kernels_.strip;
      const int depth = g.accumulate ? std::min(g.k, kGemmBlock) : g.k;
      t.a_scratch = worker_scratch<real>(worker, static_cast<std::size_t>(task_strips) * kernels_.strip * depth);
    }
    kernels_.gemm_task(g, t);
  });
}

void CpuBackend::add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) {
  parallel_ranges(cols, 16, rows, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.add_column_sums(rows, static_cast<int>(begin), static_cast<int>(end), dy, ld, dbias);
  });
}

}  // namespace wam::cpu
