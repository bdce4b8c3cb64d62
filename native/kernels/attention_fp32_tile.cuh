#pragma once
// Tiles of floats in shared memory and the two products of attention on them. 128 threads stand as 8 groups of 16: a
// thread works on rows group + 8r of the tile that its block owns. Strides are the width plus 4 floats, so that eight
// neighbouring rows start in eight different groups of four banks.
//
// Every sum is taken by one thread in ascending order, so a row's bits depend on nothing but the row and its keys.

#include "kernels/attention_common.cuh"

namespace wam::WAM_GPU {

constexpr int kFp32Threads = 128, kRowGroups = 8, kColumnThreads = 16;

WAM_DEVICE int row_group() { return static_cast<int>(threadIdx.x) / kColumnThreads; }
WAM_DEVICE int column_thread() { return static_cast<int>(threadIdx.x) % kColumnThreads; }

/// Values of a row of kWidth that one thread sums: kVector neighbours each 64 (or, in rows of 32, each 32) columns.
template <int kWidth>
struct OutputColumns {
  static constexpr int kVector = kWidth == 32 ? 2 : 4;
  static constexpr int kCount = kWidth / kColumnThreads;
  static WAM_DEVICE int column(int i) {
    return i / kVector * kVector * kColumnThreads + column_thread() * kVector + i % kVector;
  }
};

/// Queues copies of `count` rows (row(r) of x, columns [0, dim)) into a tile [kRows][kWidth + 4], zeros elsewhere.
template <int kRows, int kWidth, class Row>
WAM_DEVICE void copy_rows(float* tile, const float* x, std::ptrdiff_t ld, int dim, bool vector, int count,
                          const Row& row) {
  constexpr int kStride = kWidth + 4;
  if (vector) {
    constexpr int kChunks = kWidth / 4;
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kChunks; i += kFp32Threads) {
      const int r = i / kChunks, c = i % kChunks * 4;
      const bool valid = r < count && c < dim;
      cp_async16(tile + r * kStride + c, valid ? x + row_offset(row(r), ld) + c : x, valid);
    }
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kWidth; i += kFp32Threads) {
      const int r = i / kWidth, c = i % kWidth;
      const bool valid = r < count && c < dim;
      cp_async4(tile + r * kStride + c, valid ? x + row_offset(row(r), ld) + c : x, valid);
    }
  }
}

/// s[r][c] = (row group + 8r of `rows`) . (row column_thread + 16c of `columns`) over the first `dim` values.
template <int kStride, int kRowsOfThread, int kColumnsOfThread>
WAM_DEVICE void dot_rows(float (&s)[kRowsOfThread][kColumnsOfThread], const float* rows, const float* columns,
                         int dim) {
  const float* row = rows + row_group() * kStride;
  const float* column = columns + column_thread() * kStride;
#pragma unroll
  for (int r = 0; r < kRowsOfThread; ++r) {
#pragma unroll
    for (int c = 0; c < kColumnsOfThread; ++c) s[r][c] = 0.0f;
  }
#pragma unroll 2
  for (int d = 0; d < dim; d += 4) {
    float4 y[kColumnsOfThread];
#pragma unroll
    for (int c = 0; c < kColumnsOfThread; ++c)
      y[c] = *reinterpret_cast<const float4*>(column + c * kColumnThreads * kStride + d);
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r) {
      const float4 x = *reinterpret_cast<const float4*>(row + r * kRowGroups * kStride + d);
#pragma unroll
      for (int c = 0; c < kColumnsOfThread; ++c)
        s[r][c] = fmaf(x.w, y[c].w, fmaf(x.z, y[c].z, fmaf(x.y, y[c].y, fmaf(x.x, y[c].x, s[r][c]))));
    }
  }
}

/// Columns of this thread of one row of a tile.
template <int kWidth>
WAM_DEVICE void load_columns(float (&v)[kWidth / kColumnThreads], const float* row) {
  using Columns = OutputColumns<kWidth>;
#pragma unroll
  for (int i = 0; i < Columns::kCount; i += Columns::kVector) {
    if constexpr (Columns::kVector == 4) {
      const float4 x = *reinterpret_cast<const float4*>(row + Columns::column(i));
      v[i] = x.x, v[i + 1] = x.y, v[i + 2] = x.z, v[i + 3] = x.w;
    } else {
      const float2 x = *reinterpret_cast<const float2*>(row + Columns::column(i));
      v[i] = x.x, v[i + 1] = x.y;
    }
  }
}

/// sum[r][columns of this thread] += sum over j of weights[group + 8r][j] values[j], weights [rows][kCount + 4].
template <int kWidth, int kCount, int kRowsOfThread>
WAM_DEVICE void add_weighted_rows(float (&sum)[kRowsOfThread][kWidth / kColumnThreads], const float* weights,
                                  const float* values) {
  constexpr int kColumns = kWidth / kColumnThreads, kValueStride = kWidth + 4, kWeightStride = kCount + 4;
  const float* weight = weights + row_group() * kWeightStride;
#pragma unroll 1
  for (int j = 0; j < kCount; j += 4) {
    float v[4][kColumns];
#pragma unroll
    for (int i = 0; i < 4; ++i) load_columns<kWidth>(v[i], values + (j + i) * kValueStride);
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r) {
      const float4 w = *reinterpret_cast<const float4*>(weight + r * kRowGroups * kWeightStride + j);
#pragma unroll
      for (int c = 0; c < kColumns; ++c)
        sum[r][c] = fmaf(w.w, v[3][c], fmaf(w.z, v[2][c], fmaf(w.y, v[1][c], fmaf(w.x, v[0][c], sum[r][c]))));
    }
  }
}

}  // namespace wam::WAM_GPU
