// Matrix products with weights in bf16 or int8.
#include <algorithm>
#include <cstddef>

#include "cpu/cpu_backend_impl.h"
#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace wam::cpu {
namespace {

int padded_depth(int k) { return (k + kInt8Block - 1) / kInt8Block * kInt8Block; }

std::size_t product(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

}  // namespace

/// From fp32 panels to those of the backend's precision.
void CpuBackend::narrow(CpuPackedWeight& weight, int k, int panels) {
  if (precision_ == Precision::fp32 || (precision_ == Precision::int8 && k > kInt8MaxDepth)) return;
  const bool int8 = precision_ == Precision::int8;
  const int width = kernels_.panel, padded = padded_depth(k);
  const std::size_t from_size = product(k, width);
  const std::size_t to_size = int8 ? product(padded, width) : from_size * sizeof(std::uint16_t);
  Scratch memory;
  auto* to = memory.get<std::uint8_t>(to_size * static_cast<std::size_t>(panels));
  real* scale = int8 ? weight.scale_memory.get<real>(product(panels, width)) : nullptr;
  parallel_ranges(panels, 1, static_cast<double>(from_size), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t p = begin; p < end; ++p) {
      const real* panel = weight.panels + from_size * static_cast<std::size_t>(p);
      std::uint8_t* out = to + to_size * static_cast<std::size_t>(p);
      if (int8) {
        kernels_.quantise_panel(panel, k, padded, int8_, out, scale + p * width);
      } else {
        kernels_.narrow_panel(panel, k, reinterpret_cast<std::uint16_t*>(out));
      }
    }
  });
  weight.memory = std::move(memory);
  weight.precision = precision_;
  weight.panels = nullptr, weight.narrow = to, weight.scale = scale;
}

/// run(row_begin, row_end, panel_begin, panel_end, worker) for a cut of [0, m) x panels. By rows, in strips of `height`,
/// where there are enough of them; else by columns too, so that each thread reads its own part of the weight.
template <class Work>
void CpuBackend::parallel_tiles(int m, int n, int height, double work, Work&& run) {
  const int panels = (n + kernels_.panel - 1) / kernels_.panel, strips = (m + height - 1) / height;
  constexpr double kTaskWork = 1 << 18;  // as fp32's
  const int wanted = threads() == 1 ? 1 : static_cast<int>(std::min(4.0 * threads(), 1 + work / kTaskWork));
  const int row_parts = strips >= 4 * wanted ? wanted : 1, column_parts = std::min(panels, wanted / row_parts);
  const auto cut = [](int count, int part, int parts) {
    return static_cast<int>(static_cast<std::int64_t>(count) * part / parts);
  };
  parallel(row_parts * column_parts, [&](int task, int worker) {
    const int i = task / column_parts, j = task % column_parts;
    run(std::min(m, cut(strips, i, row_parts) * height), std::min(m, cut(strips, i + 1, row_parts) * height),
        cut(panels, j, column_parts), cut(panels, j + 1, column_parts), worker);
  });
}

void CpuBackend::multiply_int8(const Gemm& g, const CpuPackedWeight& weight) {
  Int8Rows rows;
  rows.kernel = &int8_;
  rows.padded = padded_depth(g.k);
  // An odd number of cache lines: rows a power of two apart would fall into few sets of the cache.
  rows.lda = (rows.padded / kInt8Block | 1) * kInt8Block;
  const std::size_t line = 64 / sizeof(real), m = static_cast<std::size_t>(g.m);
  const std::size_t values = (m + kInt8Strip) * static_cast<std::size_t>(rows.lda) * (int8_.wide ? 2 : 1);
  const std::size_t scales = (m + line - 1) / line * line;
  auto* memory = call_scratch<std::uint8_t>(values + scales * (sizeof(real) + sizeof(std::int32_t)));
  rows.values = memory;
  rows.scale = reinterpret_cast<real*>(memory + values);
  rows.total = reinterpret_cast<std::int32_t*>(memory + values + scales * sizeof(real));
  parallel_ranges(g.m, 1, g.k, [&](std::int64_t begin, std::int64_t end, int worker) {
    Int8Rows part = rows;
    part.row_begin = static_cast<int>(begin), part.row_end = static_cast<int>(end);
    if (g.norm != nullptr) part.row_scratch = worker_scratch<real>(worker, static_cast<std::size_t>(g.k));
    kernels_.quantise_activations(g, part);
  });

  Gemm quantised = g;
  quantised.norm = nullptr;
  const double work = static_cast<double>(g.m) * g.n * g.k / 4;
  parallel_tiles(g.m, g.n, int8_.strip_rows(g.m), work,
                 [&](int row_begin, int row_end, int panel_begin, int panel_end, int) {
                   Int8Task t;
                   t.row_begin = row_begin, t.row_end = row_end, t.panel_begin = panel_begin, t.panel_end = panel_end;
                   t.panels = weight.narrow, t.scale = weight.scale, t.rows = &rows;
                   kernels_.int8_task(quantised, t);
                 });
}

void CpuBackend::multiply_bf16(const Gemm& g, const CpuPackedWeight& weight) {
  const std::size_t width = static_cast<std::size_t>(kernels_.panel);
  parallel_tiles(g.m, g.n, kernels_.strip, static_cast<double>(g.m) * g.n * g.k,
                 [&](int row_begin, int row_end, int panel_begin, int panel_end, int worker) {
                   Bf16Task t;
                   t.row_begin = row_begin, t.row_end = row_end, t.panel_begin = panel_begin, t.panel_end = panel_end;
                   t.panels = reinterpret_cast<const std::uint16_t*>(weight.narrow);
                   t.block = worker_scratch<real>(worker, (kGemmBlock + kBf16Rows) * width);
                   t.sums = t.block + kGemmBlock * width;
                   kernels_.bf16_task(g, t);
                 });
}

}  // namespace wam::cpu
