#pragma once
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based generator.
// Every random number of a plan or of a training run is a pure function of (key, counter), so results depend neither
// on thread count nor on evaluation order, and a run can resume from its step number alone.

#include <cstdint>

#include "core/host_device.h"

namespace wam {

struct Philox4 {
  std::uint32_t word[4];
};

WAM_HOST_DEVICE inline Philox4 philox4x32(Philox4 counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ull * counter.word[0];
    const std::uint64_t p1 = 0xCD9E8D57ull * counter.word[2];
    const auto hi0 = static_cast<std::uint32_t>(p0 >> 32), lo0 = static_cast<std::uint32_t>(p0);
    const auto hi1 = static_cast<std::uint32_t>(p1 >> 32), lo1 = static_cast<std::uint32_t>(p1);
    counter = {{hi1 ^ counter.word[1] ^ key0, lo1, hi0 ^ counter.word[3] ^ key1, lo0}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// [0, 1) with 24 bits, exact in float32; the same map on every backend.
WAM_HOST_DEVICE inline float unit_uniform(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// What a random number is for: the fourth counter word, so that no two purposes ever share a stream.
enum class RandomUse : std::uint32_t {
  initial_token = 1,   // x0 of the sampler
  posterior_draw = 2,  // x1 ~ posterior
  jump = 3,            // word 0: jump or stay, word 1: destination
  renoise = 4,
  train_sample = 16,  // which window
  train_time = 17,
  train_noise = 18,
  train_augment = 19,
  train_dropout = 20,
  align_order = 24,  // in which order scenes come
  align_plan = 25,   // seed of the plans of a scene
  align_time = 26,   // of a one-shot estimate
  initial_weight = 32,
  triplet = 33,
};

/// A stream addressed by (step, position, sample, use).
class RandomStream {
 public:
  WAM_HOST_DEVICE explicit RandomStream(std::uint64_t seed)
      : key0_(static_cast<std::uint32_t>(seed)), key1_(static_cast<std::uint32_t>(seed >> 32)) {}
  WAM_HOST_DEVICE Philox4 at(std::uint32_t step, std::uint32_t position, std::uint32_t sample, RandomUse use) const {
    return philox4x32({{step, position, sample, static_cast<std::uint32_t>(use)}}, key0_, key1_);
  }
  WAM_HOST_DEVICE std::uint32_t key0() const { return key0_; }
  WAM_HOST_DEVICE std::uint32_t key1() const { return key1_; }

 private:
  std::uint32_t key0_, key1_;
};

}  // namespace wam
