// Norms, rotary embedding, elementwise maps: the cut into ranges. Costs are relative to one load and store an element.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_backend_impl.h"
#include "cpu/kernels.h"

namespace wam::cpu {

void CpuBackend::layer_norm(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y,
                            real* mean, real* rstd) {
  parallel_ranges(rows, 1, cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.layer_norm(static_cast<int>(r1 - r0), cols, x + r0 * cols, weight, bias, eps, y + r0 * cols,
                        mean ? mean + r0 : nullptr, rstd ? rstd + r0 : nullptr);
  });
}

void CpuBackend::layer_norm_backward(int rows, int cols, const real* x, const real* weight, const real* mean,
                                     const real* rstd, const real* dy, real* dx, bool add_dx, real* dweight,
                                     real* dbias) {
  // Columns first: dx may be dy or x.
  parallel_ranges(cols, 16, rows, [&](std::int64_t c0, std::int64_t c1, int) {
    kernels_.layer_norm_backward_columns(rows, cols, static_cast<int>(c0), static_cast<int>(c1), x, mean, rstd, dy,
                                         dweight, dbias);
  });
  parallel_ranges(rows, 1, cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.layer_norm_backward_rows(static_cast<int>(r1 - r0), cols, x + r0 * cols, weight, mean + r0, rstd + r0,
                                      dy + r0 * cols, dx + r0 * cols, add_dx);
  });
}

void CpuBackend::rms_norm(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd) {
  parallel_ranges(rows, 1, cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.rms_norm(static_cast<int>(r1 - r0), cols, x + r0 * cols, weight, eps, y + r0 * cols,
                      rstd ? rstd + r0 : nullptr);
  });
}

void CpuBackend::rms_norm_backward(int rows, int cols, const real* x, const real* weight, const real* rstd,
                                   const real* dy, real* dx, bool add_dx, real* dweight) {
  parallel_ranges(cols, 16, rows, [&](std::int64_t c0, std::int64_t c1, int) {
    kernels_.rms_norm_backward_columns(rows, cols, static_cast<int>(c0), static_cast<int>(c1), x, rstd, dy, dweight);
  });
  parallel_ranges(rows, 1, cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.rms_norm_backward_rows(static_cast<int>(r1 - r0), cols, x + r0 * cols, weight, rstd + r0, dy + r0 * cols,
                                    dx + r0 * cols, add_dx);
  });
}

/// Makes the tables reach positions [0, positions). They grow by doubling and are kept while head_dim and theta stay.
void CpuBackend::prepare_rotations(int head_dim, real theta, int positions) {
  const bool same = head_dim == rotation_dim_ && theta == rotation_theta_;
  if (same && positions <= rotation_positions_) return;
  const int half = head_dim / 2;
  const int count = std::max(positions, same ? 2 * rotation_positions_ : 256);
  cos_.resize(static_cast<std::size_t>(count) * half);
  sin_.resize(static_cast<std::size_t>(count) * half);
  for (int i = 0; i < half; ++i) {
    const double frequency = std::pow(static_cast<double>(theta), -2.0 * i / head_dim);
    for (int p = 0; p < count; ++p) {
      const std::size_t at = static_cast<std::size_t>(p) * half + i;
      cos_[at] = static_cast<real>(std::cos(p * frequency));
      sin_[at] = static_cast<real>(std::sin(p * frequency));
    }
  }
  rotation_dim_ = head_dim, rotation_theta_ = theta, rotation_positions_ = count;
}

void CpuBackend::rope(int rows, int heads, int head_dim, const std::int32_t* position, real theta, bool inverse,
                      real* x, int ldx) {
  if (rows <= 0) return;
  prepare_rotations(head_dim, theta, *std::max_element(position, position + rows) + 1);
  parallel_ranges(rows, 1, heads * head_dim, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.rope(static_cast<int>(r1 - r0), heads, head_dim, position + r0, cos_.data(), sin_.data(), inverse,
                  x + r0 * ldx, ldx);
  });
}

void CpuBackend::activation(Activation kind, std::int64_t n, const real* x, real* y) {
  parallel_ranges(n, 64, 4, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.activation(kind, end - begin, x + begin, y + begin);
  });
}

void CpuBackend::activation_backward(Activation kind, std::int64_t n, const real* x, const real* dy, real* dx) {
  parallel_ranges(n, 64, 4, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.activation_backward(kind, end - begin, x + begin, dy + begin, dx + begin);
  });
}

void CpuBackend::swiglu(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y) {
  parallel_ranges(rows, 1, 4.0 * cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.swiglu(static_cast<int>(r1 - r0), cols, gate + r0 * ldg, ldg, up + r0 * ldu, ldu, y + r0 * cols);
  });
}

void CpuBackend::swiglu_backward(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                                 real* dgate, int lddg, real* dup, int lddu) {
  parallel_ranges(rows, 1, 4.0 * cols, [&](std::int64_t r0, std::int64_t r1, int) {
    kernels_.swiglu_backward(static_cast<int>(r1 - r0), cols, gate + r0 * ldg, ldg, up + r0 * ldu, ldu, dy + r0 * cols,
                             dgate + r0 * lddg, lddg, dup + r0 * lddu, lddu);
  });
}

void CpuBackend::axpy(std::int64_t n, real alpha, const real* x, real* y) {
  parallel_ranges(n, 64, 1, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.axpy(end - begin, alpha, x + begin, y + begin);
  });
}

void CpuBackend::fill(std::int64_t n, real value, real* y) {
  parallel_ranges(n, 64, 0.5,
                  [&](std::int64_t begin, std::int64_t end, int) { kernels_.fill(end - begin, value, y + begin); });
}

void CpuBackend::dropout(std::int64_t n, real p, const RandomStream& stream, std::uint32_t site, const real* x,
                         real* y) {
  parallel_ranges(n, 64, 8, [&](std::int64_t begin, std::int64_t end, int) {
    kernels_.dropout(begin, end - begin, p, stream.key0(), stream.key1(), site, x + begin, y + begin);
  });
}

}  // namespace wam::cpu
