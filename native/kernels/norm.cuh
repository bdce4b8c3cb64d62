#pragma once
// Layer norm and root-mean-square norm of rows, and their backward passes.
//
// All are bound by memory: 8 bytes moved for about 8 flops an element forward. A row is read once, into registers, and
// the mean, the variance about it and the result are computed there. Up to 1024 columns a warp takes a row (no barrier;
// mini: 256 columns, 2 float4 a lane), beyond that a block of 512 threads does (vla: 2048 columns, 1 float4 a thread).

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

/// kCentred: layer norm, else root mean square. A thread holds kVectors times four columns.
template <int kRowThreads_, int kRows_, int kVectors_, bool kCentred_>
struct NormConfig {
  static constexpr int kRowThreads = kRowThreads_, kRows = kRows_, kVectors = kVectors_;
  static constexpr bool kCentred = kCentred_;
  static constexpr int kThreads = kRowThreads * kRows;
  static constexpr int kMaxCols = kRowThreads * kVectors * 4;
  static constexpr int kSharedBytes = kRowThreads > 32 ? static_cast<int>(sizeof(float)) * kReduceScratch<kRowThreads>
                                                       : 0;
  static_assert(kRowThreads == 32 || kRows == 1, "a row that several warps share has the block to itself");
};
template <bool kCentred>
using NarrowNorm = NormConfig<32, 4, 8, kCentred>;
template <bool kCentred>
using WideNorm = NormConfig<512, 1, 4, kCentred>;

struct NormParams {
  int rows = 0;
  int cols = 0;       // at most Config::kMaxCols
  bool wide = false;  // every row of every matrix, and the weights, are 16-byte aligned
  float eps = 0;
  const float* x = nullptr;       // [rows, cols]
  const float* weight = nullptr;  // [cols]
  const float* bias = nullptr;    // [cols], layer norm only
  float* y = nullptr;             // [rows, cols], may be x
  float* mean = nullptr;          // [rows] or null, layer norm only
  float* rstd = nullptr;          // [rows] or null
};

struct NormBackwardParams {
  int rows = 0;
  int cols = 0;
  bool wide = false;
  bool add_dx = false;            // dx += instead of dx =
  const float* x = nullptr;       // [rows, cols]
  const float* weight = nullptr;  // [cols]
  const float* mean = nullptr;    // [rows] as the forward pass saved them
  const float* rstd = nullptr;
  const float* dy = nullptr;  // [rows, cols]
  float* dx = nullptr;        // [rows, cols], may be dy or x
};

template <class Config>
WAM_DEVICE float row_sum(float value, float* scratch) {
  if constexpr (Config::kRowThreads == 32) {
    return warp_sum(value);
  } else {
    return block_sum<Config::kRowThreads>(value, scratch);
  }
}

/// The thread's columns of a row, zeros beyond `cols`.
template <class Config>
WAM_DEVICE void load_columns(float (&v)[Config::kVectors][4], const float* row, int cols, bool wide, int thread) {
#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) {
    const float4 f = load_four(row, (k * Config::kRowThreads + thread) * 4, cols, wide);
    v[k][0] = f.x, v[k][1] = f.y, v[k][2] = f.z, v[k][3] = f.w;
  }
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) norm_forward(const __grid_constant__ NormParams p) {
  WAM_SHARED(base);
  float* scratch = reinterpret_cast<float*>(base);
  const int thread = static_cast<int>(threadIdx.x) % Config::kRowThreads;
  const int row = static_cast<int>(blockIdx.x) * Config::kRows + static_cast<int>(threadIdx.x) / Config::kRowThreads;
  // A warp beyond the last row takes part with no columns.
  const int cols = row < p.rows ? p.cols : 0;
  const std::int64_t at = static_cast<std::int64_t>(row) * p.cols;
  const float inverse = 1.0f / static_cast<float>(p.cols);

  float x[Config::kVectors][4];
  load_columns<Config>(x, p.x + at, cols, p.wide, thread);
  float mean = 0.0f;
  if constexpr (Config::kCentred) {
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < Config::kVectors; ++k) sum += (x[k][0] + x[k][1]) + (x[k][2] + x[k][3]);
    mean = row_sum<Config>(sum, scratch) * inverse;
    // The variance is summed about the mean in a second pass over the registers: nothing cancels.
#pragma unroll
    for (int k = 0; k < Config::kVectors; ++k) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int column = (k * Config::kRowThreads + thread) * 4 + j;
        x[k][j] = column < cols ? x[k][j] - mean : 0.0f;
      }
    }
  }
  float square = 0.0f;
#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) {
#pragma unroll
    for (int j = 0; j < 4; ++j) square = fmaf(x[k][j], x[k][j], square);
  }
  const float rstd = 1.0f / sqrtf(row_sum<Config>(square, scratch) * inverse + p.eps);

#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) {
    const int column = (k * Config::kRowThreads + thread) * 4;
    if (column < cols) {
      const float4 w = load_four(p.weight, column, cols, p.wide);
      float4 y = make_float4(x[k][0] * rstd, x[k][1] * rstd, x[k][2] * rstd, x[k][3] * rstd);
      if constexpr (Config::kCentred) {
        const float4 b = load_four(p.bias, column, cols, p.wide);
        y = make_float4(fmaf(y.x, w.x, b.x), fmaf(y.y, w.y, b.y), fmaf(y.z, w.z, b.z), fmaf(y.w, w.w, b.w));
      } else {
        y = make_float4(y.x * w.x, y.y * w.y, y.z * w.z, y.w * w.w);
      }
      store_four(p.y + at, column, cols, p.wide, y);
    }
  }
  if (thread == 0 && cols > 0) {
    if (Config::kCentred && p.mean != nullptr) p.mean[row] = mean;
    if (p.rstd != nullptr) p.rstd[row] = rstd;
  }
}

/// With h = (x - mean) rstd and e = dy weight: dx = rstd (e - mean(e) - h mean(e h)); root mean square: h = x rstd,
/// without mean(e).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) norm_backward_rows(const __grid_constant__ NormBackwardParams p) {
  WAM_SHARED(base);
  float* scratch = reinterpret_cast<float*>(base);
  const int thread = static_cast<int>(threadIdx.x) % Config::kRowThreads;
  const int row = static_cast<int>(blockIdx.x) * Config::kRows + static_cast<int>(threadIdx.x) / Config::kRowThreads;
  const int cols = row < p.rows ? p.cols : 0;
  const std::int64_t at = static_cast<std::int64_t>(row) * p.cols;
  const float inverse = 1.0f / static_cast<float>(p.cols);
  const float rstd = cols > 0 ? p.rstd[row] : 0.0f;
  float mean = 0.0f;
  if constexpr (Config::kCentred) mean = cols > 0 ? p.mean[row] : 0.0f;

  float h[Config::kVectors][4], e[Config::kVectors][4];
  load_columns<Config>(h, p.x + at, cols, p.wide, thread);
  load_columns<Config>(e, p.dy + at, cols, p.wide, thread);
  float sum_e = 0.0f, sum_eh = 0.0f;
#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) {
    const float4 w = load_four(p.weight, (k * Config::kRowThreads + thread) * 4, cols, p.wide);
    const float weight[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      h[k][j] = (h[k][j] - mean) * rstd;  // beyond the last column e is 0 and h any number
      e[k][j] *= weight[j];
      sum_e += e[k][j];
      sum_eh = fmaf(e[k][j], h[k][j], sum_eh);
    }
  }
  float mean_e = 0.0f;
  if constexpr (Config::kCentred) mean_e = row_sum<Config>(sum_e, scratch) * inverse;
  const float mean_eh = row_sum<Config>(sum_eh, scratch) * inverse;

#pragma unroll
  for (int k = 0; k < Config::kVectors; ++k) {
    const int column = (k * Config::kRowThreads + thread) * 4;
    if (column < cols) {
      float d[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) d[j] = fmaf(-h[k][j], mean_eh, e[k][j] - mean_e) * rstd;
      if (p.add_dx) {
        const float4 old = load_four(p.dx + at, column, cols, p.wide);
        d[0] += old.x, d[1] += old.y, d[2] += old.z, d[3] += old.w;
      }
      store_four(p.dx + at, column, cols, p.wide, make_float4(d[0], d[1], d[2], d[3]));
    }
  }
}

/// Gradients of weight and bias are sums over rows. Blocks of 32 columns by 8 warps sum kChunkRows rows each, in a fixed
/// order, into `partial`; norm_add_partials then adds the chunks up in row order. No atomics: the same bits every time.
template <bool kCentred_>
struct NormColumnsConfig {
  static constexpr bool kCentred = kCentred_;
  static constexpr int kWarps = 8, kThreads = 32 * kWarps, kCols = 32, kChunkRows = 128;
  static constexpr int kSums = kCentred ? 2 : 1;  // dweight, dbias
  static constexpr int kSharedBytes = kSums * kThreads * static_cast<int>(sizeof(float));
};

struct NormColumnsParams {
  int rows = 0;
  int cols = 0;
  const float* x = nullptr;  // [rows, cols]
  const float* dy = nullptr;
  const float* mean = nullptr;  // [rows]
  const float* rstd = nullptr;
  float* partial = nullptr;  // [kSums, chunks, cols], chunks = gridDim.y
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) norm_backward_columns(const __grid_constant__ NormColumnsParams p) {
  WAM_SHARED(base);
  float* sums = reinterpret_cast<float*>(base);  // [kSums, kWarps, 32]
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int column = static_cast<int>(blockIdx.x) * Config::kCols + lane;
  const int begin = static_cast<int>(blockIdx.y) * Config::kChunkRows;
  const int end = min(p.rows, begin + Config::kChunkRows);

  float dweight = 0.0f, dbias = 0.0f;
  if (column < p.cols) {
#pragma unroll 4
    for (int row = begin + warp; row < end; row += Config::kWarps) {
      const std::int64_t at = static_cast<std::int64_t>(row) * p.cols + column;
      const float d = p.dy[at];
      float h = p.x[at];
      if constexpr (Config::kCentred) h -= p.mean[row];
      dweight = fmaf(d, h * p.rstd[row], dweight);
      dbias += d;
    }
  }
  sums[threadIdx.x] = dweight;
  if constexpr (Config::kCentred) sums[Config::kThreads + threadIdx.x] = dbias;
  __syncthreads();
  if (warp < Config::kSums && column < p.cols) {
    float total = 0.0f;
#pragma unroll
    for (int w = 0; w < Config::kWarps; ++w) total += sums[warp * Config::kThreads + w * 32 + lane];
    p.partial[(static_cast<std::int64_t>(warp) * gridDim.y + blockIdx.y) * p.cols + column] = total;
  }
}

struct NormPartialsConfig {
  static constexpr int kThreads = 128;
};

struct NormPartialsParams {
  int chunks = 0;
  int cols = 0;
  const float* partial = nullptr;  // [gridDim.y, chunks, cols]
  float* dweight = nullptr;        // [cols] for blockIdx.y = 0 and 1
  float* dbias = nullptr;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) norm_add_partials(const __grid_constant__ NormPartialsParams p) {
  const int column = static_cast<int>(blockIdx.x) * Config::kThreads + static_cast<int>(threadIdx.x);
  if (column < p.cols) {
    const float* partial = p.partial + static_cast<std::int64_t>(blockIdx.y) * p.chunks * p.cols + column;
    float total = 0.0f;
    for (int c = 0; c < p.chunks; ++c) total += partial[static_cast<std::int64_t>(c) * p.cols];
    float* out = blockIdx.y == 0 ? p.dweight : p.dbias;
    out[column] += total;
  }
}

}  // namespace wam::WAM_GPU
