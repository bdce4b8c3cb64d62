#pragma once
// Rows of a token table by id, and the gradient of the table.

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"
#include "kernels/vector_access.cuh"

namespace wam::WAM_GPU {

struct EmbeddingConfig {
  static constexpr int kThreads = 128;
};

struct EmbeddingParams {
  int rows = 0;
  int cols = 0;
  int ldo = 0;
  bool wide = false;                 // every row of table and out is 16-byte aligned
  bool add = false;                  // out += instead of out =
  const float* table = nullptr;      // [vocab, cols]
  const std::int32_t* id = nullptr;  // [rows]
  float* out = nullptr;              // [rows, cols]
};

/// Four columns a thread: 8 bytes moved an element.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) embedding_gather(const __grid_constant__ EmbeddingParams p) {
  const auto [row, column] = matrix_place<Config>(p.cols);
  if (row < p.rows) {
    float* out = p.out + static_cast<std::int64_t>(row) * p.ldo;
    float4 v = load_four(p.table + static_cast<std::int64_t>(p.id[row]) * p.cols, column, p.cols, p.wide);
    if (p.add) {
      const float4 old = load_four(out, column, p.cols, p.wide);
      v = make_float4(old.x + v.x, old.y + v.y, old.z + v.z, old.w + v.w);
    }
    store_four(out, column, p.cols, p.wide, v);
  }
}

struct EmbeddingBackwardParams {
  int rows = 0;
  int cols = 0;
  int ldo = 0;
  bool wide = false;                 // every row of dout and dtable is 16-byte aligned
  const std::int32_t* id = nullptr;  // [rows]
  const float* dout = nullptr;       // [rows, cols]
  float* dtable = nullptr;           // [vocab, cols], added to
};

/// dtable[id[r]] += dout[r] in row order, the CPU's bits. A block owns the first row of an id and adds all rows of that
/// id, which it finds among the later rows with ballots; blocks of other rows end after a look at the ids before them.
/// That compares each row with each: 4096 rows take 65,536 steps of a block, which a device that holds 1000 blocks goes
/// through in some microseconds; nothing grows with the vocabulary. 1024 columns a block.
struct EmbeddingBackwardConfig {
  static constexpr int kThreads = 256, kWarps = kThreads / 32;
  static constexpr int kCols = 4 * kThreads;
  static constexpr int kBatch = 8;  // rows in flight: an id that many rows share costs a memory latency every 8 rows
  static constexpr int kSharedBytes = (kWarps + kThreads) * static_cast<int>(sizeof(int));
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    embedding_scatter(const __grid_constant__ EmbeddingBackwardParams p) {
  WAM_SHARED(base);
  int* count = reinterpret_cast<int*>(base);  // [kWarps] matches of each warp
  int* match = count + Config::kWarps;        // [kThreads] rows, ascending
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int own = static_cast<int>(blockIdx.x);
  const int id = p.id[own];

  bool seen = false;
  for (int r = thread; r < own; r += Config::kThreads) seen |= p.id[r] == id;
  if (!__syncthreads_or(seen)) {  // the same in all threads
    const int column = static_cast<int>(blockIdx.y) * Config::kCols + 4 * thread;
    float* to = p.dtable + static_cast<std::int64_t>(id) * p.cols;
    float4 total = load_four(to, column, p.cols, p.wide);
    for (int begin = own; begin < p.rows; begin += Config::kThreads) {
      const int r = begin + thread;
      const bool same = r < p.rows && p.id[r] == id;
      const unsigned found = __ballot_sync(kAllLanes, same);
      if (lane == 0) count[warp] = __popc(found);
      __syncthreads();
      int before = 0, matches = 0;
#pragma unroll
      for (int w = 0; w < Config::kWarps; ++w) {
        before += w < warp ? count[w] : 0;
        matches += count[w];
      }
      if (same) match[before + __popc(found & ((1u << lane) - 1u))] = r;
      __syncthreads();  // the next rows' counts may be written now, and their matches after the next barrier
      for (int m = 0; m < matches; m += Config::kBatch) {
        float4 v[Config::kBatch];
#pragma unroll
        for (int b = 0; b < Config::kBatch; ++b) {
          const bool there = m + b < matches;
          const std::int64_t row = there ? match[m + b] : own;
          v[b] = load_four(p.dout + row * p.ldo, column, there ? p.cols : 0, p.wide);
        }
#pragma unroll
        for (int b = 0; b < Config::kBatch; ++b) {
          if (m + b < matches) total.x += v[b].x, total.y += v[b].y, total.z += v[b].z, total.w += v[b].w;
        }
      }
    }
    store_four(to, column, p.cols, p.wide, total);
  }
}

/// The same sum in no particular order, with atomics: one pass over dout, whatever the number of rows.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    embedding_scatter_atomic(const __grid_constant__ EmbeddingBackwardParams p) {
  const unsigned index = blockIdx.x * Config::kThreads + threadIdx.x;
  const auto row = static_cast<int>(index / static_cast<unsigned>(p.cols));
  const auto column = static_cast<int>(index % static_cast<unsigned>(p.cols));
  if (row < p.rows) {
    atomicAdd(p.dtable + static_cast<std::int64_t>(p.id[row]) * p.cols + column,
              p.dout[static_cast<std::int64_t>(row) * p.ldo + column]);
  }
}

}  // namespace wam::WAM_GPU
