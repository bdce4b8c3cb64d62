#pragma once
// Matrix products on tensor cores: operands rounded to 16 bits, sums in float. gemm_params.cuh says in which order.
//
// Activations stay float in memory and are rounded on the way into shared memory: a thread loads 8 values along k a
// tile ahead into registers, normalises them if asked, and stores them as one 16-byte unit. Packed weights are copied
// asynchronously, kStages - 1 tiles ahead; a plain float b (training) goes the way of a. In shared memory a tile is
// [i/8][k/8][8] units, so the 8 rows of an ldmatrix are 128 bytes on end and never share a bank. The place of a unit
// within its eight is turned by its position in k, because a warp that stores whole rows would meet a bank four to
// eight times otherwise.

#include "kernels/gemm_epilogue.cuh"
#include "kernels/gemm_norm.cuh"
#include "kernels/gemm_params.cuh"

namespace wam::WAM_GPU {

template <class T_, bool kPacked_, int kM_, int kN_, int kK_, int kWarpsM_, int kWarpsN_, int kStages_, int kBlocks_>
struct GemmMmaConfig {
  using T = T_;
  static constexpr bool kPacked = kPacked_;
  static constexpr int kM = kM_, kN = kN_, kK = kK_;
  static constexpr int kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kBlocks = kBlocks_;  // that one multiprocessor should hold
  static constexpr int kChunks = kK / 8;    // units along k
  static constexpr int kRowTiles = kM / kWarpsM / 16, kColTiles = kN / kWarpsN / 8;  // of a warp, 16 x 8 each
  static constexpr int kAStages = 2, kBStages = kPacked ? kStages_ : 2;
  static constexpr int kAUnits = kM * kChunks, kBUnits = kN * kChunks;
  static constexpr int kALoads = kAUnits / kThreads, kBLoads = kBUnits / kThreads;
  static constexpr int kPassTiles = kRowTiles < 2 ? kRowTiles : 2, kPasses = kRowTiles / kPassTiles;
  static constexpr int kStageLd = kN + 8;  // floats: pairs of a quarter-warp's four rows in different banks
  static constexpr int kFinishBytes = kM / kPasses * kStageLd * 4;
  static constexpr int kTileBytes = 16 * (kAStages * kAUnits + kBStages * kBUnits);
  static constexpr int kStatisticsBytes = 8 * kM;
  static constexpr int kSharedBytes = kStatisticsBytes + (kTileBytes > kFinishBytes ? kTileBytes : kFinishBytes);
  static_assert(kK % 16 == 0 && kChunks <= 8 && kColTiles % 2 == 0);
  static_assert(kAUnits % kThreads == 0 && kBUnits % kThreads == 0 && kThreads % kChunks == 0);
};
// Large: 128 x 128 reads 24 KiB (a in float, b packed) for 512 cycles of tensor cores at 1024 multiply-adds a cycle.
// Small: up to 32 rows (the action tokens of a plan) read every weight once; 3 tiles of 8 KiB ahead a block.
template <class T, bool kPacked>
using GemmMmaLarge = GemmMmaConfig<T, kPacked, 128, 128, 32, 2, 4, 4, 1>;
template <class T, bool kPacked>
using GemmMmaSmall = GemmMmaConfig<T, kPacked, 32, 64, 64, 1, 4, 4, kPacked ? 4 : 3>;

/// Where unit (i, chunk of k) of a tile lies.
template <int kChunks>
WAM_DEVICE int gemm_unit(int i, int chunk) {
  return (i / 8 * kChunks + chunk) * 8 + ((i ^ chunk * (8 / kChunks)) & 7);
}

/// The units of a float operand that a thread brings: from memory to registers, then rounded into shared memory.
template <class Config, int kExtent, int kLoads>
struct GemmUnits {
  float values[kLoads][8];

  // Along k: neighbouring threads take neighbouring chunks of a row; else neighbouring i, whose loads are coalesced.
  WAM_DEVICE static int2 position(bool along_k, int c) {
    const int e = static_cast<int>(threadIdx.x) + c * Config::kThreads;
    return along_k ? make_int2(e / Config::kChunks, e % Config::kChunks) : make_int2(e % kExtent, e / kExtent);
  }
  template <class Slots>
  WAM_DEVICE void load(const GemmOperand& x, const Slots& slots, int k0, int k_end) {
#pragma unroll
    for (int c = 0; c < kLoads; ++c) {
      const int2 at = position(x.along_k, c);
      const int p = k0 + at.y * 8, count = slots.valid(at.x) ? k_end - p : 0;
      const float* from =
          count > 0 ? (x.along_k ? x.data + slots.index(at.x) * x.ld + p : x.data + p * x.ld + slots.index(at.x))
                    : x.data;
      if (x.along_k && x.wide && count >= 8) {
        const float4 low = reinterpret_cast<const float4*>(from)[0], high = reinterpret_cast<const float4*>(from)[1];
        values[c][0] = low.x, values[c][1] = low.y, values[c][2] = low.z, values[c][3] = low.w;
        values[c][4] = high.x, values[c][5] = high.y, values[c][6] = high.z, values[c][7] = high.w;
      } else {
        const std::int64_t step = x.along_k ? 1 : x.ld;
#pragma unroll
        for (int j = 0; j < 8; ++j) values[c][j] = j < count ? from[j * step] : 0.0f;
      }
    }
  }
  /// Normalises; all units of a thread are of the same chunk of k.
  WAM_DEVICE void normalise(const GemmNorm& norm, const float2* statistics, int k0, int k_end) {
    const int p = k0 + position(true, 0).y * 8;
    const bool centred = norm.bias != nullptr;
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      if (p + j >= k_end) continue;
      const float weight = norm.weight[p + j], bias = centred ? norm.bias[p + j] : 0.0f;
#pragma unroll
      for (int c = 0; c < kLoads; ++c)
        values[c][j] = gemm_normalise(values[c][j], statistics[position(true, c).x], weight, bias, centred);
    }
  }
  WAM_DEVICE void store(bool along_k, uint4* tile) const {
    using T = typename Config::T;
#pragma unroll
    for (int c = 0; c < kLoads; ++c) {
      const int2 at = position(along_k, c);
      const float* v = values[c];
      tile[gemm_unit<Config::kChunks>(at.x, at.y)] =
          make_uint4(pack2<T>(v[0], v[1]), pack2<T>(v[2], v[3]), pack2<T>(v[4], v[5]), pack2<T>(v[6], v[7]));
    }
  }
};

/// Starts copying a tile of a packed b; `unit0` is the tile's first chunk of k. Units lie as in memory, not turned.
template <class Config>
WAM_DEVICE void gemm_copy_packed(const GemmParams& p, const GemmColumns& slots, int unit0, uint4* tile) {
#pragma unroll
  for (int c = 0; c < Config::kBLoads; ++c) {
    const int e = static_cast<int>(threadIdx.x) + c * Config::kThreads;
    const int column = e / (8 * Config::kChunks) * 8 + e % 8, chunk = unit0 + e / 8 % Config::kChunks;
    const bool valid = slots.valid(column) && chunk < p.packed_chunks;
    const int j = slots.index(column);
    const std::int64_t at = (static_cast<std::int64_t>(j / 8) * p.packed_chunks + chunk) * 8 + j % 8;
    cp_async16(tile + e, valid ? p.packed + at : p.packed, valid);
  }
}

/// A warp's accumulators and their places.
template <class Config>
struct GemmMmaTile {
  float sum[Config::kRowTiles][Config::kColTiles][4];
  int row, column;  // of the warp; columns are two runs, kN / 2 apart

  WAM_DEVICE void clear() {
#pragma unroll
    for (int i = 0; i < Config::kRowTiles; ++i) {
#pragma unroll
      for (int j = 0; j < Config::kColTiles; ++j) {
#pragma unroll
        for (int r = 0; r < 4; ++r) sum[i][j][r] = 0.0f;
      }
    }
  }
  WAM_DEVICE int column_of(int j) const {
    constexpr int kHalfTiles = Config::kColTiles / 2;
    return j / kHalfTiles * (Config::kN / 2) + column + j % kHalfTiles * 8;
  }
  WAM_DEVICE void multiply(const uint4* a, const uint4* b) {
    constexpr int kChunks = Config::kChunks;
    const int lane = static_cast<int>(threadIdx.x) % 32, matrix = lane / 8, r = lane % 8;
#pragma unroll
    for (int step = 0; step < Config::kK / 16; ++step) {
      unsigned x[Config::kRowTiles][4], y[Config::kColTiles][2];
#pragma unroll
      for (int i = 0; i < Config::kRowTiles; ++i)
        ldmatrix_x4(x[i], a + gemm_unit<kChunks>(row + i * 16 + matrix % 2 * 8 + r, 2 * step + matrix / 2));
#pragma unroll
      for (int j = 0; j < Config::kColTiles; j += 2) {
        const int c = (matrix < 2 ? column_of(j) : column_of(j + 1)) + r, chunk = 2 * step + matrix % 2;
        unsigned four[4];
        ldmatrix_x4(four, b + (Config::kPacked ? (c / 8 * kChunks + chunk) * 8 + r : gemm_unit<kChunks>(c, chunk)));
        y[j][0] = four[0], y[j][1] = four[1], y[j + 1][0] = four[2], y[j + 1][1] = four[3];
      }
#pragma unroll
      for (int i = 0; i < Config::kRowTiles; ++i) {
#pragma unroll
        for (int j = 0; j < Config::kColTiles; ++j) mma_16816<typename Config::T>(sum[i][j], x[i], y[j]);
      }
    }
  }

  // Register pair `half` of a 16 x 8 tile is row lane/4 + 8 half, columns 2(lane%4) and +1.
  WAM_DEVICE static int lane_row() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  WAM_DEVICE static int lane_column() { return static_cast<int>(threadIdx.x) % 4 * 2; }

  /// Row tiles [first, first + kPassTiles) of each warp into shared memory, the warps' rows one after the other.
  WAM_DEVICE void stage(float* staged, int first) const {
    const int top = row / (Config::kRowTiles * 16) * (Config::kPassTiles * 16) + lane_row();
#pragma unroll
    for (int i = 0; i < Config::kPassTiles; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float* to = staged + (top + i * 16 + half * 8) * Config::kStageLd + lane_column();
#pragma unroll
        for (int j = 0; j < Config::kColTiles; ++j) {
          const float* x = sum[first + i][j] + 2 * half;
          *reinterpret_cast<float2*>(to + column_of(j)) = make_float2(x[0], x[1]);
        }
      }
    }
  }
  /// memory (row 0 of the tile) = or += the sums of rows below `rows`.
  WAM_DEVICE void store(float* memory, int ld, int rows, bool add) const {
#pragma unroll
    for (int i = 0; i < Config::kRowTiles; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row + i * 16 + half * 8 + lane_row();
        if (r >= rows) continue;
        float* to = memory + static_cast<std::int64_t>(r) * ld + lane_column();
#pragma unroll
        for (int j = 0; j < Config::kColTiles; ++j) {
          float2* p = reinterpret_cast<float2*>(to + column_of(j));
          const float2 old = add ? *p : make_float2(0.0f, 0.0f);
          *p = make_float2(old.x + sum[i][j][2 * half], old.y + sum[i][j][2 * half + 1]);
        }
      }
    }
  }
  /// sums = memory + sums.
  WAM_DEVICE void add_from(const float* memory, int ld, int rows) {
#pragma unroll
    for (int i = 0; i < Config::kRowTiles; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = row + i * 16 + half * 8 + lane_row();
        if (r >= rows) continue;
        const float* from = memory + static_cast<std::int64_t>(r) * ld + lane_column();
#pragma unroll
        for (int j = 0; j < Config::kColTiles; ++j) {
          const float2 old = *reinterpret_cast<const float2*>(from + column_of(j));
          sum[i][j][2 * half] = old.x + sum[i][j][2 * half];
          sum[i][j][2 * half + 1] = old.y + sum[i][j][2 * half + 1];
        }
      }
    }
  }
};

template <class Config>
WAM_DEVICE void gemm_mma_body(const GemmParams& p) {
  constexpr int kM = Config::kM, kN = Config::kN, kK = Config::kK, kChunks = Config::kChunks;
  constexpr int kBStages = Config::kBStages;
  WAM_SHARED(base);
  float2* statistics = reinterpret_cast<float2*>(base);
  uint4* a_tiles = reinterpret_cast<uint4*>(base + Config::kStatisticsBytes);
  uint4* b_tiles = a_tiles + Config::kAStages * Config::kAUnits;
  const int row0 = static_cast<int>(blockIdx.x) * kM, column_tile = static_cast<int>(blockIdx.y);
  const GemmRows rows(row0, p.m);
  const GemmColumns columns(column_tile, kN, p.n, p.epilogue.gated);

  const int chunk_begin = static_cast<int>(blockIdx.z) * p.sums.chunks_per_block;
  const int k_begin = chunk_begin * p.sums.chunk;
  const int k_end = static_cast<int>(
      min(static_cast<std::int64_t>(p.k), k_begin + static_cast<std::int64_t>(p.sums.chunks_per_block) * p.sums.chunk));
  const int tiles = (k_end - k_begin + kK - 1) / kK;

  GemmUnits<Config, kM, Config::kALoads> a;
  [[maybe_unused]] GemmUnits<Config, kN, Config::kPacked ? 1 : Config::kBLoads> b;
  const auto copy = [&](int tile) {
    if constexpr (Config::kPacked) {
      if (tile < tiles)
        gemm_copy_packed<Config>(p, columns, k_begin / 8 + tile * kChunks, b_tiles + tile % kBStages * Config::kBUnits);
      cp_async_commit();
    }
  };
  const auto load = [&](int tile) {
    if (tile >= tiles) return;
    a.load(p.a, rows, k_begin + tile * kK, k_end);
    if constexpr (!Config::kPacked) b.load(p.b, columns, k_begin + tile * kK, k_end);
  };
  const auto store = [&](int tile) {
    if (tile >= tiles) return;
    if (p.norm.on) a.normalise(p.norm, statistics, k_begin + tile * kK, k_end);
    a.store(p.a.along_k, a_tiles + tile % Config::kAStages * Config::kAUnits);
    if constexpr (!Config::kPacked) b.store(p.b.along_k, b_tiles + tile % kBStages * Config::kBUnits);
  };
#pragma unroll 1
  for (int s = 0; s < kBStages - 1; ++s) copy(s);
  load(0);
  if (p.norm.on) {
    gemm_block_statistics<kM, Config::kThreads>(p.a, p.norm, row0, p.m, p.k, statistics);
    __syncthreads();
  }
  store(0);

  const int warp = static_cast<int>(threadIdx.x) / 32;
  GemmMmaTile<Config> out;
  out.row = warp / Config::kWarpsN * (kM / Config::kWarpsM);
  out.column = warp % Config::kWarpsN * (kN / 2 / Config::kWarpsN);
  out.clear();

  const bool split = p.sums.stride != 0;
  float* sums =
      p.sums.memory + static_cast<std::int64_t>(row0) * p.sums.ld + column_tile * kN + chunk_begin * p.sums.stride;
  int left = p.sums.chunk / kK;  // tiles of the chunk
  bool total = false;            // whether `sums` holds earlier chunks of this block
#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile) {
    if constexpr (Config::kPacked) cp_async_wait<kBStages - 2>();
    // Behind this barrier the tile is whole, and the one before it is read by nobody any more: its place is free.
    __syncthreads();
    copy(tile + kBStages - 1);
    load(tile + 1);
    out.multiply(a_tiles + tile % Config::kAStages * Config::kAUnits, b_tiles + tile % kBStages * Config::kBUnits);
    store(tile + 1);
    if (--left == 0 && tile + 1 < tiles) {
      out.store(sums, p.sums.ld, rows.count, total && !split);
      out.clear();
      sums += p.sums.stride;
      left = p.sums.chunk / kK;
      total = true;
    }
  }

  if (split) {
    out.store(sums, p.sums.ld, rows.count, false);
  } else {
    if (total) out.add_from(sums, p.sums.ld, rows.count);
    float* staged = reinterpret_cast<float*>(a_tiles);
    constexpr int kStrip = Config::kPassTiles * 16;
#pragma unroll
    for (int pass = 0; pass < Config::kPasses; ++pass) {
      __syncthreads();
      out.stage(staged, pass * Config::kPassTiles);
      __syncthreads();
      gemm_finish_rows<Config::kThreads, kN>(p.epilogue, p.m, p.n, staged, Config::kStageLd, kM / Config::kPasses,
                                             kStrip, kM / Config::kWarpsM, row0 + pass * kStrip, column_tile);
    }
  }
}

/// Grid as gemm_fp32.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks) gemm_mma(const __grid_constant__ GemmParams p) {
  if constexpr (has_mma<typename Config::T>()) gemm_mma_body<Config>(p);
}

}  // namespace wam::WAM_GPU
