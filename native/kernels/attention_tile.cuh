#pragma once
// Tiles of 16-bit values in shared memory and how tensor-core fragments come from them. A row of kWidth values is
// kWidth/8 chunks of 16 bytes; a chunk's place in its row is xor-ed with bits of the row number so that the eight rows
// that one phase of ldmatrix reads at one chunk lie in eight different groups of four banks.

#include "kernels/attention_common.cuh"

namespace wam::WAM_GPU {

constexpr int kMmaThreads = 128, kMmaWarps = kMmaThreads / 32;  // a warp owns 16 rows of the tile that stays

/// Where value 8*chunk of a row of a tile [rows][kWidth] is.
template <int kWidth, class T>
WAM_DEVICE T* chunk_at(T* tile, int row, int chunk) {
  constexpr int kChunks = kWidth / 8;
  static_assert(kWidth % 16 == 0);
  // Rows of 64 values (128 bytes) meet the same bank again in the next row, rows of 32 mod 64 every second, of 16 every
  // fourth.
  constexpr int kMask = kChunks % 8 == 0 ? 7 : kChunks % 4 == 0 ? 3 : 1;
  constexpr int kShift = kChunks % 8 == 0 ? 0 : kChunks % 4 == 0 ? 1 : 2;
  return tile + (row * kChunks + (chunk ^ ((row >> kShift) & kMask))) * 8;
}

/// 16 rows from row0 and 16 columns from 16*step as the a operand of mma_16816.
template <int kWidth, class T>
WAM_DEVICE void load_a(std::uint32_t (&a)[4], const T* tile, int row0, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  ldmatrix_x4(a, chunk_at<kWidth>(tile, row0 + lane % 16, 2 * step + lane / 16));
}

/// b operands of two products a b: rows row0..15 of the tile are the columns of b, [0] rows 0-7 and [1] rows 8-15;
/// columns from 16*step are what is summed over. (The tile is K in q K^T.)
template <int kWidth, class T>
WAM_DEVICE void load_b_of_rows(std::uint32_t (&b)[2][2], const T* tile, int row0, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  std::uint32_t r[4];
  ldmatrix_x4(r, chunk_at<kWidth>(tile, row0 + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
  b[0][0] = r[0], b[0][1] = r[1], b[1][0] = r[2], b[1][1] = r[3];
}

/// b operands of two products a b: rows row0..15 of the tile are summed over; columns from 16*pair are the columns of b,
/// [0] the first eight and [1] the next. (The tile is V in p V.)
template <int kWidth, class T>
WAM_DEVICE void load_b_of_columns(std::uint32_t (&b)[2][2], const T* tile, int row0, int pair) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  std::uint32_t r[4];
  ldmatrix_x4<true>(r, chunk_at<kWidth>(tile, row0 + lane % 16, 2 * pair + lane / 16));
  b[0][0] = r[0], b[0][1] = r[1], b[1][0] = r[2], b[1][1] = r[3];
}

/// Two neighbouring results [16][8] + [16][8] of products as the a operand [16][16] of the next, rounded to T.
template <class T>
WAM_DEVICE void pack_a(std::uint32_t (&a)[4], const float (&left)[4], const float (&right)[4]) {
  a[0] = pack2<T>(left[0], left[1]), a[1] = pack2<T>(left[2], left[3]);
  a[2] = pack2<T>(right[0], right[1]), a[3] = pack2<T>(right[2], right[3]);
}

template <int kTiles>
WAM_DEVICE void clear(float (&x)[kTiles][4]) {
#pragma unroll
  for (int i = 0; i < kTiles; ++i) x[i][0] = x[i][1] = x[i][2] = x[i][3] = 0.0f;
}

/// s[16][8 kTiles] = a . rows of the tile, over its whole width. a: fragments of the 16 rows, all steps.
template <class T, int kWidth, int kTiles>
WAM_DEVICE void multiply_rows(float (&s)[kTiles][4], const std::uint32_t (&a)[kWidth / 16][4], const T* tile) {
  clear(s);
#pragma unroll
  for (int step = 0; step < kWidth / 16; ++step) {
#pragma unroll
    for (int n = 0; n < kTiles; n += 2) {
      std::uint32_t b[2][2];
      load_b_of_rows<kWidth>(b, tile, 8 * n, step);
      mma_16816<T>(s[n], a[step], b[0]);
      mma_16816<T>(s[n + 1], a[step], b[1]);
    }
  }
}

/// Steps of the product below whose fragments may be on their way together; more would spill beside dk and dv of width 128.
inline constexpr int kStepsAtOnce = kArch < 800 ? 2 : 4;

/// The same with a [16][kWidth] read from its tile, rows from row0.
template <class T, int kWidth, int kTiles>
WAM_DEVICE void multiply_rows(float (&s)[kTiles][4], const T* a_tile, int row0, const T* tile) {
  clear(s);
#pragma unroll kStepsAtOnce
  for (int step = 0; step < kWidth / 16; ++step) {
    std::uint32_t a[4];
    load_a<kWidth>(a, a_tile, row0, step);
#pragma unroll
    for (int n = 0; n < kTiles; n += 2) {
      std::uint32_t b[2][2];
      load_b_of_rows<kWidth>(b, tile, 8 * n, step);
      mma_16816<T>(s[n], a, b[0]);
      mma_16816<T>(s[n + 1], a, b[1]);
    }
  }
}

/// sum[16][kWidth] += round(w)[16][8 kTiles] . tile[8 kTiles][kWidth].
template <class T, int kWidth, int kTiles>
WAM_DEVICE void add_weighted_rows(float (&sum)[kWidth / 8][4], const float (&w)[kTiles][4], const T* tile) {
#pragma unroll
  for (int n = 0; n < kTiles; n += 2) {
    std::uint32_t a[4];
    pack_a<T>(a, w[n], w[n + 1]);
#pragma unroll
    for (int c = 0; c < kWidth / 8; c += 2) {
      std::uint32_t b[2][2];
      load_b_of_columns<kWidth>(b, tile, 8 * n, c / 2);
      mma_16816<T>(sum[c], a, b[0]);
      mma_16816<T>(sum[c + 1], a, b[1]);
    }
  }
}

/// Rows of one head of q, k, v or dout in global memory.
template <class T>
struct HeadRows {
  const void* base;
  int ld;  // in values
  int dim;
  bool half, vector;  // AttentionParams::half_storage, vector

  WAM_DEVICE HeadRows(const void* x, int ld_of_x, int head, const AttentionParams& p)
      : ld(ld_of_x), dim(p.head_dim), half(p.half_storage), vector(p.vector) {
    const std::ptrdiff_t column = row_offset(head, p.head_dim);
    base = half ? static_cast<const void*>(static_cast<const T*>(x) + column)
                : static_cast<const void*>(static_cast<const float*>(x) + column);
  }
};

/// Eight floats as a chunk; the first at a multiple of 16 bytes when `vector`.
template <class T>
WAM_DEVICE uint4 load_chunk(const float* x, bool vector) {
  float4 low, high;
  if (vector) {
    low = reinterpret_cast<const float4*>(x)[0], high = reinterpret_cast<const float4*>(x)[1];
  } else {
    low = make_float4(x[0], x[1], x[2], x[3]), high = make_float4(x[4], x[5], x[6], x[7]);
  }
  return make_uint4(pack2<T>(low.x, low.y), pack2<T>(low.z, low.w), pack2<T>(high.x, high.y), pack2<T>(high.z, high.w));
}

/// Brings `count` rows (row(r) of x) into a tile [kRows][kWidth], zeros elsewhere: 16-bit values by an asynchronous copy
/// that the caller commits and waits for, floats rounded on the way and stored when this returns.
template <class T, int kRows, int kWidth, class Row>
WAM_DEVICE void load_tile(T* tile, const HeadRows<T>& x, int count, const Row& row) {
  constexpr int kChunks = kWidth / 8, kTotal = kRows * kChunks;
  if (x.half) {
    const T* const base = static_cast<const T*>(x.base);
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < kTotal; i += kMmaThreads) {
      const int r = i / kChunks, c = i % kChunks;
      const bool valid = r < count && 8 * c < x.dim;
      cp_async16(chunk_at<kWidth>(tile, r, c), valid ? base + row_offset(row(r), x.ld) + 8 * c : base, valid);
    }
  } else {
    const float* const base = static_cast<const float*>(x.base);
#pragma unroll 2  // 64 bytes a thread on their way, 24 KiB of a multiprocessor with three blocks
    for (int i = static_cast<int>(threadIdx.x); i < kTotal; i += kMmaThreads) {
      const int r = i / kChunks, c = i % kChunks;
      uint4 chunk = make_uint4(0, 0, 0, 0);
      if (r < count && 8 * c < x.dim) chunk = load_chunk<T>(base + row_offset(row(r), x.ld) + 8 * c, x.vector);
      *reinterpret_cast<uint4*>(chunk_at<kWidth>(tile, r, c)) = chunk;
    }
  }
}

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

}  // namespace wam::WAM_GPU
