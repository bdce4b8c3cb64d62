#pragma once
// What the kernels of a matrix product share: operands, the cut of k, and how a block's columns lie in b.
//
// The order of summation, the same for every tile shape, layout and number of blocks: k is cut into chunks of
// `GemmSums::chunk`; each is one chain of multiply-adds from zero in ascending k (with tensor cores: of 16 values at a
// time); the chunks' sums are added in ascending order. Who adds them - one block that goes through all chunks, or
// gemm_finish after a block for each - changes nothing, so a row's bits depend on neither m nor the device.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

/// A matrix with an index i (row of a, column of b) and the summation index p.
struct GemmOperand {
  const float* data = nullptr;
  std::int64_t ld = 0;
  bool along_k = false;  // element (i, p) at data[i*ld + p], else data[p*ld + i]
  bool wide = false;     // 16-byte access to four neighbours starting at a multiple of four is allowed
};

/// Normalisation of a's rows while they are loaded.
struct GemmNorm {
  bool on = false;
  float eps = 0;
  const float* weight = nullptr;      // [k]
  const float* bias = nullptr;        // [k], layer norm; null: root mean square
  const float* statistics = nullptr;  // [m, 2] mean (0 for root mean square) and 1/deviation; null: blocks compute them
};

/// Chunk sums in memory, [m, ld] each; column c of column tile t at t*tile + c.
struct GemmSums {
  float* memory = nullptr;  // null when there is one chunk
  int ld = 0;
  std::int64_t stride = 0;  // between chunks' sums; 0: a running total
  int chunk = 0;            // values of k, a multiple of every tile's depth
  int chunks_per_block = 0;
};

/// c = activation(x + bias) + residual, or with gates c = silu(gate) up + residual.
struct GemmEpilogue {
  float* c = nullptr;
  std::int64_t ldc = 0;
  const float* bias = nullptr;      // [n] or null
  const float* residual = nullptr;  // [m, n] or null; may be c
  std::int64_t ldr = 0;
  int activation = 0;  // of Activation: 0 none, 1 gelu_erf, 2 gelu_tanh
  bool gated = false;
  bool wide = false;  // 16-byte access to c, residual and bias at columns that are multiples of four
};

struct GemmParams {
  int m = 0;
  int n = 0;  // columns of c; b has 2n when gated
  int k = 0;
  GemmOperand a;
  GemmOperand b;
  const uint4* packed = nullptr;  // 16-bit b of gemm_pack_half, instead of b
  int packed_chunks = 0;          // its k / 8, rounded up
  GemmNorm norm;
  GemmSums sums;
  GemmEpilogue epilogue;
};

/// Which rows of a matrix a block has: slot c is row origin + c, of `count` that exist.
struct GemmRows {
  int origin;
  int count;

  WAM_DEVICE GemmRows(int origin_, int extent) : origin(origin_), count(extent - origin_) {}
  WAM_DEVICE int index(int c) const { return origin + c; }
  WAM_DEVICE bool valid(int c) const { return c < count; }
  /// How many slots from c on exist; may be negative.
  WAM_DEVICE int valid_from(int c) const { return count - c; }
};

/// Which columns of b a block has: two halves of the slots, so that a thread that owns slot c of the first and of the
/// second owns gate and up of one output. Without gates the second half follows the first.
struct GemmColumns {
  int half;       // slots in a half
  int origin[2];  // of each half
  int count[2];   // that exist

  WAM_DEVICE GemmColumns(int tile, int slots, int n, bool gated) : half(slots / 2) {
    origin[0] = tile * (gated ? half : slots);
    origin[1] = origin[0] + (gated ? n : half);
    count[0] = n - origin[0];
    count[1] = gated ? count[0] : count[0] - half;
  }
  WAM_DEVICE int index(int c) const { return c < half ? origin[0] + c : origin[1] + c - half; }
  WAM_DEVICE bool valid(int c) const { return valid_from(c) > 0; }
  WAM_DEVICE int valid_from(int c) const { return c < half ? count[0] - c : count[1] - (c - half); }
};

}  // namespace wam::WAM_GPU
