#pragma once
// Matrix products in float without tensor cores. gemm_params.cuh says in which order a value is summed.
//
// A block makes a kM x kN tile of c. Tiles of a and b, kK deep, lie in shared memory as [p][i]: then a thread reads its
// rows and columns of one p as float4s, 4 loads for 64 multiply-adds in the large shape (a warp covers 4 x 8 threads,
// so that the loads of a are broadcasts and those of b 128 bytes on end). Copies are asynchronous, kStages - 1 tiles
// ahead: 16 bytes at a time for an operand whose neighbours in memory are neighbours in i, 4 bytes at a time, 8 along
// p by 4 along i a warp (whole sectors, no bank met twice), for one that has to be turned. The norm of a's rows is
// applied in place by the thread that copied the value, between its arrival and the barrier.

#include "kernels/gemm_epilogue.cuh"
#include "kernels/gemm_norm.cuh"
#include "kernels/gemm_params.cuh"

namespace wam::WAM_GPU {

template <int kM_, int kN_, int kK_, int kRows_, int kCols_, int kStages_, int kBlocks_>
struct GemmFloatConfig {
  static constexpr int kM = kM_, kN = kN_, kK = kK_;
  static constexpr int kRows = kRows_, kCols = kCols_;  // of a thread
  static constexpr int kStages = kStages_;
  static constexpr int kBlocks = kBlocks_;  // that one multiprocessor should hold
  static constexpr int kThreads = kM / kRows * (kN / kCols);
  static constexpr int kRowGroup = kRows < 4 ? kRows : 4, kRowGroups = kRows / kRowGroup;
  static constexpr int kColGroup = kCols / 2;  // two halves: gates and ups
  static constexpr int kPad = 4;               // floats: turns [p] to other banks, keeps 16-byte alignment
  static constexpr int kALd = kM + kPad, kBLd = kN + kPad, kStageLd = kN + kPad;
  static constexpr int kStageFloats = kK * (kALd + kBLd);
  static constexpr int kFinishFloats = kM / kRowGroups * kStageLd;
  static constexpr int kStatistics = 2 * kM;
  static constexpr int kFloats =
      kStatistics + (kStages * kStageFloats > kFinishFloats ? kStages * kStageFloats : kFinishFloats);
  static constexpr int kSharedBytes = kFloats * static_cast<int>(sizeof(float));
  static constexpr int kChunk = 256;  // of k, as on the CPU
  static_assert(kThreads % 32 == 0 && kChunk % kK == 0 && kK % 8 == 0 && kM % 32 == 0 && kN % 32 == 0);
  static_assert(kColGroup == 2 || kColGroup == 4);
};
// Rows a thread: 8x8 reads 4 float4 for 64 multiply-adds, 4x8 3 for 32, 2x4 3 float2 for 8. The small shape exists for
// products that would otherwise fill few multiprocessors (24 rows x 256 columns: 8 blocks of it).
using GemmFloatLarge = GemmFloatConfig<128, 128, 16, 8, 8, 2, 2>;
using GemmFloatMedium = GemmFloatConfig<64, 64, 16, 4, 8, 3, 3>;
using GemmFloatSmall = GemmFloatConfig<32, 32, 32, 2, 4, 4, 2>;

/// v[at..at+kGroup) from p, which is aligned to the group.
template <int kCount, int kGroup>
WAM_DEVICE void gemm_load_values(float (&v)[kCount], int at, const float* p) {
  if constexpr (kGroup == 4) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    v[at] = x.x, v[at + 1] = x.y, v[at + 2] = x.z, v[at + 3] = x.w;
  } else {
    const float2 x = *reinterpret_cast<const float2*>(p);
    v[at] = x.x, v[at + 1] = x.y;
  }
}

/// Position (i, p) of copy number `e` of an operand that has to be turned.
template <int kExtent>
WAM_DEVICE int2 gemm_turned_position(int e) {
  const int rest = e / 8;
  return make_int2(rest % kExtent, rest / kExtent * 8 + e % 8);
}

/// Starts copying tile[p][i] = operand(slots.index(i), k0 + p), zeros where there is nothing.
template <int kExtent, int kK, int kLd, int kThreads, class Slots>
WAM_DEVICE void gemm_copy_tile(const GemmOperand& x, const Slots& slots, int k0, int k_end, float* tile) {
  const int thread = static_cast<int>(threadIdx.x);
  if (x.along_k) {
#pragma unroll 4
    for (int c = 0; c < kExtent * kK / kThreads; ++c) {
      const int2 at = gemm_turned_position<kExtent>(thread + c * kThreads);
      const bool valid = slots.valid(at.x) && k0 + at.y < k_end;
      cp_async4(tile + at.y * kLd + at.x, valid ? x.data + slots.index(at.x) * x.ld + k0 + at.y : x.data, valid);
    }
    return;
  }
  constexpr int kFours = kExtent / 4;
#pragma unroll
  for (int c = 0; c < kFours * kK / kThreads; ++c) {
    const int e = thread + c * kThreads, i = e % kFours * 4, p = e / kFours;
    const int count = k0 + p < k_end ? slots.valid_from(i) : 0;
    const float* from = count > 0 ? x.data + (k0 + p) * x.ld + slots.index(i) : x.data;
    float* to = tile + p * kLd + i;
    if (x.wide && (count >= 4 || count <= 0)) {
      cp_async16(to, from, count > 0);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) cp_async4(to + j, j < count ? from + j : x.data, j < count);
    }
  }
}

/// Normalises what this thread copied of a tile of a.
template <class Config>
WAM_DEVICE void gemm_normalise_tile(const GemmNorm& norm, const float2* statistics, int k0, int k_end, float* tile) {
#pragma unroll 4
  for (int c = 0; c < Config::kM * Config::kK / Config::kThreads; ++c) {
    const int2 at = gemm_turned_position<Config::kM>(static_cast<int>(threadIdx.x) + c * Config::kThreads);
    const int p = k0 + at.y;
    if (p >= k_end) continue;  // zeros, and stay so
    float& x = tile[at.y * Config::kALd + at.x];
    x = gemm_normalise(x, statistics[at.x], norm.weight[p], norm.bias != nullptr ? norm.bias[p] : 0.0f,
                       norm.bias != nullptr);
  }
}

/// A thread's accumulators and their places.
template <class Config>
struct GemmFloatTile {
  float sum[Config::kRows][Config::kCols];
  int row, column;  // of the first group, within the tile

  WAM_DEVICE void clear() {
#pragma unroll
    for (int r = 0; r < Config::kRows; ++r) {
#pragma unroll
      for (int c = 0; c < Config::kCols; ++c) sum[r][c] = 0.0f;
    }
  }
  WAM_DEVICE int row_of(int r) const {
    return r / Config::kRowGroup * (Config::kM / Config::kRowGroups) + row + r % Config::kRowGroup;
  }
  /// Adds one tile of depth kK.
  WAM_DEVICE void multiply(const float* a, const float* b) {
#pragma unroll
    for (int p = 0; p < Config::kK; ++p) {
      float x[Config::kRows], y[Config::kCols];
#pragma unroll
      for (int g = 0; g < Config::kRowGroups; ++g)
        gemm_load_values<Config::kRows, Config::kRowGroup>(x, g * Config::kRowGroup,
                                                           a + p * Config::kALd + row_of(g * Config::kRowGroup));
#pragma unroll
      for (int h = 0; h < 2; ++h)
        gemm_load_values<Config::kCols, Config::kColGroup>(y, h * Config::kColGroup,
                                                           b + p * Config::kBLd + h * (Config::kN / 2) + column);
#pragma unroll
      for (int r = 0; r < Config::kRows; ++r) {
#pragma unroll
        for (int c = 0; c < Config::kCols; ++c) sum[r][c] = fmaf(x[r], y[c], sum[r][c]);
      }
    }
  }
  /// Rows of group g into shared memory.
  WAM_DEVICE void stage(float* staged, int g) const {
#pragma unroll
    for (int i = 0; i < Config::kRowGroup; ++i) {
#pragma unroll
      for (int h = 0; h < 2; ++h)
        put(staged + (row + i) * Config::kStageLd + h * (Config::kN / 2) + column, g * Config::kRowGroup + i, h, false);
    }
  }
  /// memory (row 0 of the tile) = or += the sums of rows below `rows`.
  WAM_DEVICE void store(float* memory, int ld, int rows, bool add) const {
#pragma unroll
    for (int r = 0; r < Config::kRows; ++r) {
      if (row_of(r) >= rows) continue;
#pragma unroll
      for (int h = 0; h < 2; ++h)
        put(memory + static_cast<std::int64_t>(row_of(r)) * ld + h * (Config::kN / 2) + column, r, h, add);
    }
  }
  /// sums = memory + sums.
  WAM_DEVICE void add_from(const float* memory, int ld, int rows) {
#pragma unroll
    for (int r = 0; r < Config::kRows; ++r) {
      if (row_of(r) >= rows) continue;
      float y[Config::kCols];
#pragma unroll
      for (int h = 0; h < 2; ++h)
        gemm_load_values<Config::kCols, Config::kColGroup>(
            y, h * Config::kColGroup,
            memory + static_cast<std::int64_t>(row_of(r)) * ld + h * (Config::kN / 2) + column);
#pragma unroll
      for (int c = 0; c < Config::kCols; ++c) sum[r][c] = y[c] + sum[r][c];
    }
  }

 private:
  WAM_DEVICE void put(float* to, int r, int h, bool add) const {
    const float* x = sum[r] + h * Config::kColGroup;
    if constexpr (Config::kColGroup == 4) {
      float4* p = reinterpret_cast<float4*>(to);
      const float4 old = add ? *p : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      *p = make_float4(old.x + x[0], old.y + x[1], old.z + x[2], old.w + x[3]);
    } else {
      float2* p = reinterpret_cast<float2*>(to);
      const float2 old = add ? *p : make_float2(0.0f, 0.0f);
      *p = make_float2(old.x + x[0], old.y + x[1]);
    }
  }
};

/// Grid: row tiles (neighbouring blocks share columns of b, the larger operand in a model), column tiles, blocks of
/// chunks.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kBlocks) gemm_fp32(const __grid_constant__ GemmParams p) {
  constexpr int kM = Config::kM, kN = Config::kN, kK = Config::kK, kStages = Config::kStages;
  WAM_SHARED(base);
  float2* statistics = reinterpret_cast<float2*>(base);
  float* stages = reinterpret_cast<float*>(base) + Config::kStatistics;
  const int row0 = static_cast<int>(blockIdx.x) * kM, column_tile = static_cast<int>(blockIdx.y);
  const GemmRows rows(row0, p.m);
  const GemmColumns columns(column_tile, kN, p.n, p.epilogue.gated);

  const int chunk_begin = static_cast<int>(blockIdx.z) * p.sums.chunks_per_block;
  const int k_begin = chunk_begin * Config::kChunk;
  const int k_end = min(p.k, k_begin + p.sums.chunks_per_block * Config::kChunk);
  const int tiles = (k_end - k_begin + kK - 1) / kK;

  const auto copy = [&](int tile) {
    if (tile < tiles) {
      float* a = stages + tile % kStages * Config::kStageFloats;
      gemm_copy_tile<kM, kK, Config::kALd, Config::kThreads>(p.a, rows, k_begin + tile * kK, k_end, a);
      gemm_copy_tile<kN, kK, Config::kBLd, Config::kThreads>(p.b, columns, k_begin + tile * kK, k_end,
                                                             a + kK * Config::kALd);
    }
    cp_async_commit();
  };
#pragma unroll 1
  for (int s = 0; s < kStages - 1; ++s) copy(s);
  if (p.norm.on) {
    gemm_block_statistics<kM, Config::kThreads>(p.a, p.norm, row0, p.m, p.k, statistics);
    __syncthreads();
  }

  // A warp is 4 rows of 8 threads.
  constexpr int kWarpColumns = kN / Config::kCols / 8;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  GemmFloatTile<Config> out;
  out.row = (warp / kWarpColumns * 4 + lane / 8) * Config::kRowGroup;
  out.column = (warp % kWarpColumns * 8 + lane % 8) * Config::kColGroup;
  out.clear();

  const bool split = p.sums.stride != 0;
  float* sums =
      p.sums.memory + static_cast<std::int64_t>(row0) * p.sums.ld + column_tile * kN + chunk_begin * p.sums.stride;
  int left = Config::kChunk / kK;  // tiles of the chunk
  bool total = false;              // whether `sums` holds earlier chunks of this block
#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile) {
    float* a = stages + tile % kStages * Config::kStageFloats;
    cp_async_wait<kStages - 2>();
    if (p.norm.on) gemm_normalise_tile<Config>(p.norm, statistics, k_begin + tile * kK, k_end, a);
    // Behind this barrier the tile is whole, and the one before it is read by nobody any more: its place is free.
    __syncthreads();
    copy(tile + kStages - 1);
    out.multiply(a, a + kK * Config::kALd);
    if (--left == 0 && tile + 1 < tiles) {
      out.store(sums, p.sums.ld, rows.count, total && !split);
      out.clear();
      sums += p.sums.stride;
      left = Config::kChunk / kK;
      total = true;
    }
  }

  if (split) {
    out.store(sums, p.sums.ld, rows.count, false);
  } else {
    if (total) out.add_from(sums, p.sums.ld, rows.count);
    constexpr int kGroupRows = kM / Config::kRowGroups;
#pragma unroll
    for (int g = 0; g < Config::kRowGroups; ++g) {
      __syncthreads();
      out.stage(stages, g);
      __syncthreads();
      gemm_finish_rows<Config::kThreads, kN>(p.epilogue, p.m, p.n, stages, Config::kStageLd, kGroupRows, kGroupRows, 0,
                                             row0 + g * kGroupRows, column_tile);
    }
  }
}

}  // namespace wam::WAM_GPU
