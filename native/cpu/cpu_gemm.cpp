// Matrix products: packing, and the cut into tasks.
#include <algorithm>

#include "cpu/cpu_backend_impl.h"
#include "cpu/gemm_cut.h"
#include "cpu/kernels.h"
#include "cpu/packed_weight.h"

namespace wam::cpu {
namespace {

constexpr std::size_t kLanes = 16;  // of the kernels' vector
// Part of a that is multiplied with all panels before the next: about half of a second-level cache of 1 or 2 MiB.
constexpr std::size_t kBlockBytes = 768 << 10;
constexpr int kWideRow = 1024;
constexpr int kDeepest = 2048, kAccumulateDepth = 512;

/// Values of k that are summed before the next of their rows: few enough that a panel of them stays near.
int depth_of(const Gemm& g) {
  if (g.accumulate) return kAccumulateDepth;
  // An unfinished sum waits in c, which must not be the residual then; gates have nowhere to wait.
  if (g.k <= kDeepest || g.gated || g.residual == g.c) return std::max(g.k, 1);
  const int parts = (g.k + kDeepest - 1) / kDeepest;
  return (g.k + parts * kGemmBlock - 1) / (parts * kGemmBlock) * kGemmBlock;
}

std::size_t panel_size(int k, int width) { return static_cast<std::size_t>(k) * static_cast<std::size_t>(width); }

}  // namespace

std::unique_ptr<PackedWeight> CpuBackend::pack(const real* b, int ldb, bool b_transposed, int k, int n, bool exact) {
  const int panels = (n + kernels_.panel - 1) / kernels_.panel;
  auto packed = std::make_unique<CpuPackedWeight>();
  const std::size_t count = panel_size(k, kernels_.panel) * static_cast<std::size_t>(panels);
  packed->precision = precision_ == Precision::int8 && (exact || k > kInt8MaxDepth) ? Precision::fp32 : precision_;
  if (packed->precision == Precision::fp32) {
    packed->panels = static_cast<real*>(weight_memory_.take(count * sizeof(real), &packed->memory));
    pack_panels(b, ldb, b_transposed, k, n, packed->panels);
  } else {
    Scratch wide;
    pack_panels(b, ldb, b_transposed, k, n, wide.get<real>(count));
    narrow(wide.get<real>(count), k, panels, *packed);
  }
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
  if (g.gated && g.n % kernels_.panel != 0) {
    multiply_then_gate(plain);
    return;
  }
  const HeadRotation* rotation = g.rotation;
  if (rotation != nullptr && !quantises && panels_of_heads(*rotation) > 0) {
    prepare_rotations(rotation->head_dim, rotation->theta,
                      *std::max_element(rotation->position, rotation->position + g.m) + 1);
    multiply(plain);
    return;
  }
  plain.rotation = nullptr;
  multiply(plain);
  if (rotation != nullptr)
    rope(g.m, rotation->heads, rotation->head_dim, rotation->position, rotation->theta, false, g.c, g.ldc);
}

/// The least number of panels that hold whole heads; 0 when none does.
int CpuBackend::panels_of_heads(const HeadRotation& rotation) const {
  if (kernels_.panel % rotation.head_dim == 0) return 1;
  return rotation.head_dim % kernels_.panel == 0 ? rotation.head_dim / kernels_.panel : 0;
}

/// A gated product whose halves do not begin with a panel each.
void CpuBackend::multiply_then_gate(const Gemm& g) {
  const int wide = 2 * g.n;
  real* both = gated_scratch_.get<real>(static_cast<std::size_t>(g.m) * static_cast<std::size_t>(wide));
  Gemm plain = g;
  plain.gated = false;
  plain.residual = nullptr;
  plain.n = wide;
  plain.c = both;
  plain.ldc = wide;
  multiply(plain);
  for (std::int64_t i = 0; i < g.m; ++i) {
    real* row = g.c + i * g.ldc;
    swiglu(1, g.n, both + i * wide, wide, both + i * wide + g.n, wide, row);
    if (g.residual != nullptr) axpy(g.n, 1, g.residual + i * g.ldr, row);
  }
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
  const auto* packed = static_cast<const CpuPackedWeight*>(g.packed);
  if (packed != nullptr && packed->precision == Precision::int8) return multiply_int8(g, *packed);
  const int width = kernels_.panel, height = kernels_.strip;
  const int columns = g.gated ? 2 * g.n : g.n;  // of b
  const int panels = (g.n + width - 1) / width, strips = (g.m + height - 1) / height;

  GemmTask whole;
  whole.depth = depth_of(g);
  whole.block_rows = std::max(2 * height, static_cast<int>(kBlockBytes / sizeof(real)) / whole.depth / height * height);
  // Rows far apart fall into the same few sets of the first-level cache.
  whole.pack_a = g.a_transposed || (whole.depth > kGemmBlock && strips > 2 && panels > 2 && g.lda > kWideRow);
  whole.reads_on = packed != nullptr;

  // None of the tasks is below 2^18 multiply-adds, some microseconds.
  constexpr double kTaskWork = 1 << 18;
  const int unit = g.rotation != nullptr ? panels_of_heads(*g.rotation) : 1;
  const GemmCut cut(strips, (panels + unit - 1) / unit,
                    static_cast<double>(g.m) * columns * std::max(g.k, 1) / kTaskWork, threads());
  if (g.rotation != nullptr) whole.cos = cos_.data(), whole.sin = sin_.data();

  if (packed != nullptr) {
    whole.panels = packed->panels;
    if (packed->precision == Precision::bf16) whole.bf16_panels = reinterpret_cast<std::uint16_t*>(packed->narrow);
  } else {
    const bool read_again = cut.by_rows() || g.m > whole.block_rows;
    if (!g.accumulate && read_again) {
      real* memory =
          call_scratch<real>(panel_size(g.k, width) * static_cast<std::size_t>((columns + width - 1) / width));
      pack_panels(g.b, g.ldb, g.b_transposed, g.k, columns, memory);
      whole.panels = memory;
    }
  }
  const auto depth = static_cast<std::size_t>(std::min(whole.depth, std::max(g.k, 1)));
  const auto block_rows = static_cast<std::size_t>(std::min(whole.block_rows, g.m) + height);
  const std::size_t b_size = packed == nullptr && whole.panels == nullptr ? depth * static_cast<std::size_t>(width) : 0;
  const std::size_t gate_size = g.gated ? block_rows * static_cast<std::size_t>(width) : 0;
  // Strips are cut evenly, so a block may have one more than its rows need.
  const std::size_t a_size = whole.pack_a ? (block_rows + static_cast<std::size_t>(height)) * depth + kLanes : 0;
  parallel(cut.tasks(), [&](int task, int worker) {
    GemmTask t = whole;
    const GemmCut::Part part = cut.part(task);
    t.row_begin = std::min(g.m, part.strip_begin * height), t.row_end = std::min(g.m, part.strip_end * height);
    t.panel_begin = part.column_begin * unit, t.panel_end = std::min(panels, part.column_end * unit);
    t.reads_on = whole.reads_on && t.panel_end == panels;
    t.b_scratch = worker_scratch<real>(worker, b_size + gate_size + a_size);
    t.gate_scratch = t.b_scratch + b_size;
    t.a_scratch = t.gate_scratch + gate_size;
    kernels_.gemm_task(g, t);
  });
}

void CpuBackend::add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) {
  parallel_ranges(cols, 16, rows, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.add_column_sums(rows, static_cast<int>(begin), static_cast<int>(end), dy, ld, dbias);
  });
}

}  // namespace wam::cpu
