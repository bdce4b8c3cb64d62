#pragma once
// Distances of the metric's general form: rows of a table [vocab, dim] scaled to length 1, d(i,j) = (|z_i - z_j|^2)^2.
// Differences are taken first, then squared: 2 - 2cos loses all digits between near tokens, and with it tensor cores
// and the matrix product. One reading of the table serves 32 rows: at 122,401 x 2048 (1 GB) 24 rows cost 2 operations
// on each of 6e9 pairs of numbers, a third of the time that memory takes on a large device.

#include <cfloat>

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

struct TableNormParams {
  int vocab = 0;
  int dim = 0;
  const float* table = nullptr;  // [vocab, dim]
  float2* inverse = nullptr;     // [vocab] 1/max(|row|, 1e-12) as a float and what it leaves over
};
struct TableNormConfig {
  static constexpr int kThreads = 256;
  static constexpr int kRows = kThreads / 32;
};

/// grid (ceil(vocab / kRows)): a warp a row. Four squares are summed in float, the rest in double, close to its
/// precision.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) table_norms(const __grid_constant__ TableNormParams p) {
  const int row = static_cast<int>(blockIdx.x) * Config::kRows + static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32, dim = row < p.vocab ? p.dim : 0;
  const float* x = p.table + static_cast<std::int64_t>(row) * p.dim;
  double square = 0;
  for (int group = lane / 16 * 64; group < dim; group += 128) {
    float squares = 0;
#pragma unroll
    for (int v = 0; v < 64; v += 16) {
      const int i = group + v + lane % 16;
      const float value = i < dim ? x[i] : 0.0f;
      squares = fmaf(value, value, squares);
    }
    square += static_cast<double>(squares);
  }
  square = warp_sum(square);
  if (!(square < 1e37)) {  // the square of a norm above 1e19 does not fit float; the same in every lane
    square = 0;
    for (int i = lane; i < dim; i += 32) {
      const double value = static_cast<double>(x[i]);
      square += value * value;
    }
    square = warp_sum(square);
  }
  if (lane == 0 && row < p.vocab) {
    const double norm = sqrt(square), inverse = 1 / (norm < 1e-12 ? 1e-12 : norm);
    const float high = static_cast<float>(inverse);
    p.inverse[row] = make_float2(high, static_cast<float>(inverse - static_cast<double>(high)));
  }
}

struct TableDistanceParams {
  int rows = 0;
  int vocab = 0;
  int dim = 0;
  const float* table = nullptr;       // [vocab, dim]
  const float2* inverse = nullptr;    // [vocab], of table_norms
  const std::int32_t* x_1 = nullptr;  // [rows]
  float* distance = nullptr;          // [rows, vocab]
};

/// A block measures 64 tokens against 32 rows, a thread 4 x 4 of them, over 16 dimensions a stage. Sums are those of
/// the CPU backend: over 16 dimensions, these over 256, and these in turn, an error of a few ulp for any width.
struct TableDistanceConfig {
  static constexpr int kThreads = 128;
  static constexpr int kTokens = 64, kRows = 32;
  static constexpr int kDims = 16, kGroupDims = 256;
  static constexpr int kLdToken = kTokens + 4,
                       kLdRow = kRows + 4;  // 16-byte aligned; stores of a column meet 2 to a bank
  static constexpr int kStageFloats = kDims * (kLdToken + kLdRow);
  // Two stages, the inverse norms of tokens and rows, the rows' tokens.
  static constexpr int kNormOffset = 2 * kStageFloats * 4;
  static constexpr int kIdOffset = kNormOffset + (kTokens + kRows) * 8;
  static constexpr int kSharedBytes = kIdOffset + kRows * 4;
  static constexpr int kTokenLoads = kTokens * kDims / kThreads, kRowLoads = kRows * kDims / kThreads;
};

/// grid (ceil(vocab / kTokens), ceil(rows / kRows)).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) table_distances(const __grid_constant__ TableDistanceParams p) {
  constexpr int kDims = Config::kDims, kStep = Config::kThreads / kDims;  // table rows loaded by one pass of the block
  WAM_SHARED(shared);
  auto* stage = reinterpret_cast<float*>(shared);
  auto* norm = reinterpret_cast<float2*>(shared + Config::kNormOffset);  // tokens, then rows
  auto* id = reinterpret_cast<int*>(shared + Config::kIdOffset);
  const int thread = static_cast<int>(threadIdx.x);
  const int token0 = static_cast<int>(blockIdx.x) * Config::kTokens,
            row0 = static_cast<int>(blockIdx.y) * Config::kRows;

  if (thread < Config::kRows) {
    // Rows whose token is given may have any x_1; they are measured all the same.
    const int wanted = row0 + thread < p.rows ? p.x_1[row0 + thread] : 0;
    id[thread] = min(max(wanted, 0), p.vocab - 1);
  }
  __syncthreads();
  if (thread < Config::kTokens + Config::kRows) {
    const int token = thread < Config::kTokens ? min(token0 + thread, p.vocab - 1) : id[thread - Config::kTokens];
    norm[thread] = p.inverse[token];
  }
  __syncthreads();

  // Loads: dimension thread % 16 of table rows thread / 16, + 8, + 16, ...: 64 bytes of a row at a time.
  const int load_dim = thread % kDims, load_row = thread / kDims;
  float token_value[Config::kTokenLoads], row_value[Config::kRowLoads];
  const auto load = [&](int begin) {
    const int dim = begin + load_dim;
#pragma unroll
    for (int j = 0; j < Config::kTokenLoads; ++j) {
      const int token = token0 + load_row + j * kStep;
      token_value[j] = dim < p.dim && token < p.vocab ? p.table[static_cast<std::int64_t>(token) * p.dim + dim] : 0.0f;
    }
#pragma unroll
    for (int j = 0; j < Config::kRowLoads; ++j) {
      const int token = id[load_row + j * kStep];
      row_value[j] = dim < p.dim ? p.table[static_cast<std::int64_t>(token) * p.dim + dim] : 0.0f;
    }
  };
  const auto scaled = [](float value, float2 inverse) { return fmaf(value, inverse.x, __fmul_rn(value, inverse.y)); };

  const int tx = thread % 16 * 4, ty = thread / 16 * 4;
  float sum[4][4] = {}, group[4][4] = {};
  load(0);
  for (int begin = 0, at = 0; begin < p.dim; begin += kDims, at ^= 1) {
    float* tokens = stage + at * Config::kStageFloats;
    float* rows = tokens + kDims * Config::kLdToken;
#pragma unroll
    for (int j = 0; j < Config::kTokenLoads; ++j) {
      const int r = load_row + j * kStep;
      tokens[load_dim * Config::kLdToken + r] = scaled(token_value[j], norm[r]);
    }
#pragma unroll
    for (int j = 0; j < Config::kRowLoads; ++j) {
      const int r = load_row + j * kStep;
      rows[load_dim * Config::kLdRow + r] = scaled(row_value[j], norm[Config::kTokens + r]);
    }
    // One barrier a stage: what is written next was last read before the barrier in between.
    __syncthreads();
    load(begin + kDims);
    float part[4][4] = {};
#pragma unroll
    for (int d = 0; d < kDims; ++d) {
      const float4 t = *reinterpret_cast<const float4*>(tokens + d * Config::kLdToken + tx);
      const float4 q = *reinterpret_cast<const float4*>(rows + d * Config::kLdRow + ty);
      const float token[4] = {t.x, t.y, t.z, t.w}, query[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const float difference = token[j] - query[i];
          part[i][j] = fmaf(difference, difference, part[i][j]);
        }
      }
    }
    const bool ends = (begin + kDims) % Config::kGroupDims == 0 || begin + kDims >= p.dim;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        group[i][j] += part[i][j];
        if (ends) sum[i][j] += group[i][j], group[i][j] = 0;
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = row0 + ty + i;
    if (row >= p.rows) continue;
    float* out = p.distance + static_cast<std::int64_t>(row) * p.vocab;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int token = token0 + tx + j;
      if (token < p.vocab) out[token] = __fmul_rn(sum[i][j], sum[i][j]);
    }
  }
}

}  // namespace wam::WAM_GPU
