#pragma once
// Random numbers on the device: philox4x32, unit_uniform and RandomStream of core/philox.h, whose numbers are the same
// everywhere, and kernels that write them to memory.

#include "core/philox.h"
#include "kernels/device.cuh"

namespace wam::WAM_GPU {

struct PhiloxFillParams {
  float* out = nullptr;  // [n] uniforms in [0, 1)
  std::int64_t n = 0;
  std::uint32_t key0 = 0;
  std::uint32_t key1 = 0;
  /// Number i belongs to slot i % slots of sample first_sample + i / slots.
  std::uint32_t step = 0;
  std::uint32_t slots = 1;
  std::uint32_t first_slot = 0;
  std::uint32_t first_sample = 0;
  std::uint32_t use = 0;  // RandomUse
  int word = 0;           // which of the four words of a counter
};

struct RandomConfig {
  static constexpr int kThreads = 256;
};

/// out[i] = word `word` of (step, first_slot + i % slots, first_sample + i / slots, use), as a plan addresses its draws.
/// One number of a counter's four is used, since each slot of each sample owns a counter: 10 rounds, about 70 integer
/// instructions, for 4 bytes written.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) philox_fill(const __grid_constant__ PhiloxFillParams p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * Config::kThreads + threadIdx.x;
  if (i < p.n) {
    const auto sample = static_cast<std::uint32_t>(i / p.slots), slot = static_cast<std::uint32_t>(i % p.slots);
    const Philox4 r = philox4x32({{p.step, p.first_slot + slot, p.first_sample + sample, p.use}}, p.key0, p.key1);
    std::uint32_t word = r.word[0];  // selected, not indexed: an index would put the words in local memory
    if (p.word == 1) word = r.word[1];
    if (p.word == 2) word = r.word[2];
    if (p.word == 3) word = r.word[3];
    p.out[i] = unit_uniform(word);
  }
}

struct PhiloxWordsParams {
  std::int64_t count = 0;
  const std::uint32_t* counter = nullptr;  // [count, 4]
  std::uint32_t key0 = 0;
  std::uint32_t key1 = 0;
  std::uint32_t* word = nullptr;  // [count, 4]
  float* unit = nullptr;          // [count, 4] or null
};

/// The generator itself, for any counters.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) philox_words(const __grid_constant__ PhiloxWordsParams p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * Config::kThreads + threadIdx.x;
  if (i < p.count) {
    const std::uint32_t* c = p.counter + 4 * i;
    const Philox4 r = philox4x32({{c[0], c[1], c[2], c[3]}}, p.key0, p.key1);
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      p.word[4 * i + w] = r.word[w];
      if (p.unit != nullptr) p.unit[4 * i + w] = unit_uniform(r.word[w]);
    }
  }
}

}  // namespace wam::WAM_GPU
