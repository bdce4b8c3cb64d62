#pragma once
// What a cached step does between the projection and attention, in one pass: queries are rotated in place, keys are
// rotated and values copied into the cache, rounded to its type. Apart, that is a rotation of q, one of k and two
// converting copies: 4 launches, and k moved twice. One layer of a step of the vision-language model (32 rows, 16 heads
// of 128, bf16 cache) moves 32 * 2048 * (8 + 6 + 6) bytes = 1.3 MB, 0.4 us of an H100's memory: the launch is the cost.

#include "kernels/device.cuh"
#include "kernels/rope.cuh"

namespace wam::WAM_GPU {

template <class T>
struct KvCacheConfig {
  using Element = T;  // of the cache: float, bf16 or f16
  static constexpr int kThreads = 128;
  static constexpr int kHeads = 4;  // of a thread
};

struct KvCacheParams {
  int rows = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int ldq = 0;
  int ldk = 0;
  int ldv = 0;
  int ld_cache = 0;
  const std::int32_t* position = nullptr;   // [rows] for the rotation
  const std::int32_t* cache_row = nullptr;  // [rows] where a row's key and value go, all different; negative: nowhere
  float* q = nullptr;                       // [rows, heads * head_dim], rotated in place
  const float* k = nullptr;                 // [rows, kv_heads * head_dim]
  const float* v = nullptr;
  void* key_cache = nullptr;  // Element [cache rows, kv_heads * head_dim]
  void* value_cache = nullptr;
  std::uint64_t turns[kMaxRotationPairs] = {};  // as RopeParams
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) write_kv_cache(const __grid_constant__ KvCacheParams p) {
  using T = typename Config::Element;
  // The heads of q, k and v in one list, kHeads of them and one pair of columns a thread.
  const int half = p.head_dim / 2, heads = p.heads + 2 * p.kv_heads;
  const int groups = (heads + Config::kHeads - 1) / Config::kHeads;
  const unsigned index = blockIdx.x * Config::kThreads + threadIdx.x;
  const auto row = static_cast<int>(index / static_cast<unsigned>(groups * half));
  const auto within = static_cast<int>(index % static_cast<unsigned>(groups * half));
  const int pair = within % half, first = within / half * Config::kHeads;
  if (row < p.rows) {
    const Rotation t = rotation(p.turns[pair], p.position[row]);
    const std::int64_t cache = static_cast<std::int64_t>(p.cache_row[row]) * p.ld_cache + pair;
    const bool stored = p.cache_row[row] >= 0;
#pragma unroll
    for (int n = 0; n < Config::kHeads; ++n) {
      const int h = first + n;
      if (h < p.heads) {
        float* q = p.q + static_cast<std::int64_t>(row) * p.ldq + h * p.head_dim + pair;
        const float2 y = rotate(t, q[0], q[half]);
        q[0] = y.x, q[half] = y.y;
      } else if (h < p.heads + p.kv_heads && stored) {
        const int column = (h - p.heads) * p.head_dim;
        const float* k = p.k + static_cast<std::int64_t>(row) * p.ldk + column + pair;
        const float2 y = rotate(t, k[0], k[half]);
        T* to = static_cast<T*>(p.key_cache) + cache + column;
        to[0] = from_float<T>(y.x), to[half] = from_float<T>(y.y);
      } else if (h < heads && stored) {
        const int column = (h - p.heads - p.kv_heads) * p.head_dim;
        const float* v = p.v + static_cast<std::int64_t>(row) * p.ldv + column + pair;
        T* to = static_cast<T*>(p.value_cache) + cache + column;
        to[0] = from_float<T>(v[0]), to[half] = from_float<T>(v[half]);
      }
    }
  }
}

}  // namespace wam::WAM_GPU
