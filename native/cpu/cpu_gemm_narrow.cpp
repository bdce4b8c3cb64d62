// Weights in bf16 or int8, and products with int8 weights; those with bf16 weights are fp32 products (cpu_gemm.cpp).
#include <algorithm>
#include <cstddef>

#include "cpu/cpu_backend_impl.h"
#include "cpu/gemm_cut.h"
#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace wam::cpu {
namespace {

int padded_depth(int k) { return (k + kInt8Block - 1) / kInt8Block * kInt8Block; }

std::size_t product(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

}  // namespace

/// From `count` fp32 panels to those of weight.precision.
void CpuBackend::narrow(const real* panels, int k, int count, CpuPackedWeight& weight) {
  const bool int8 = weight.precision == Precision::int8;
  const int width = kernels_.panel, padded = padded_depth(k);
  const std::size_t from_size = product(k, width);
  const std::size_t to_size = int8 ? product(padded, width) : from_size * sizeof(std::uint16_t);
  weight.narrow =
      static_cast<std::uint8_t*>(weight_memory_.take(to_size * static_cast<std::size_t>(count), &weight.memory));
  if (int8)
    weight.scale = static_cast<real*>(weight_memory_.take(product(count, width) * sizeof(real), &weight.scale_memory));
  parallel_ranges(count, 1, static_cast<double>(from_size), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t p = begin; p < end; ++p) {
      const real* panel = panels + from_size * static_cast<std::size_t>(p);
      std::uint8_t* out = weight.narrow + to_size * static_cast<std::size_t>(p);
      if (int8) {
        kernels_.quantise_panel(panel, k, padded, int8_, out, weight.scale + p * width);
      } else {
        kernels_.narrow_panel(panel, k, reinterpret_cast<std::uint16_t*>(out));
      }
    }
  });
}

void CpuBackend::multiply_int8(const Gemm& g, const CpuPackedWeight& weight) {
  Int8Rows rows;
  rows.kernel = &int8_;
  rows.padded = padded_depth(g.k);
  // An odd number of cache lines: rows a power of two apart would fall into few sets of the cache.
  rows.lda = (rows.padded / kInt8Block | 1) * kInt8Block;
  constexpr std::size_t kLine = 64;
  const std::size_t values = (static_cast<std::size_t>(g.m) + kInt8Strip) * static_cast<std::size_t>(rows.lda) *
                             (int8_.wide ? sizeof(std::int16_t) : sizeof(std::int8_t));
  const std::size_t scales = (static_cast<std::size_t>(g.m) * sizeof(real) + kLine - 1) / kLine * kLine;
  auto* memory = call_scratch<std::uint8_t>(values + 2 * scales);
  rows.values = memory;
  rows.scale = reinterpret_cast<real*>(memory + values);
  rows.total = reinterpret_cast<std::int32_t*>(memory + values + scales);
  parallel_ranges(g.m, 1, g.k, [&](std::int64_t begin, std::int64_t end, int worker) {
    Int8Rows part = rows;
    part.row_begin = static_cast<int>(begin), part.row_end = static_cast<int>(end);
    if (g.norm != nullptr) part.row_scratch = worker_scratch<real>(worker, static_cast<std::size_t>(g.k));
    kernels_.quantise_activations(g, part);
  });

  // A multiply-add is several times cheaper than in fp32.
  constexpr double kTaskWork = 1 << 20;
  const int height = int8_.strip_rows(g.m), strips = (g.m + height - 1) / height;
  const int panels = (g.n + kernels_.panel - 1) / kernels_.panel;
  const double work = static_cast<double>(g.m) * (g.gated ? 2 * g.n : g.n) * g.k;
  const GemmCut cut(strips, panels, work / kTaskWork, threads());
  parallel(cut.tasks(), [&](int task, int) {
    const GemmCut::Part part = cut.part(task);
    Int8Task t;
    t.row_begin = std::min(g.m, part.strip_begin * height), t.row_end = std::min(g.m, part.strip_end * height);
    t.panel_begin = part.column_begin, t.panel_end = part.column_end;
    t.panels = weight.narrow, t.scale = weight.scale, t.rows = &rows;
    kernels_.int8_task(g, t);
  });
}

}  // namespace wam::cpu
