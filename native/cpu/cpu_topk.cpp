// The released sampler's posterior, and random words by counter: plain loops, for parity with foreign weights and
// between backends. A plan uses neither.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "cpu/cpu_backend_impl.h"

namespace wam::cpu {
namespace {

/// Softmax of the values that reach the k-th largest of them. `copy` is overwritten.
void cut_softmax(const std::vector<double>& value, int k, std::vector<double>& copy, real* prob) {
  const auto vocab = value.size();
  const std::size_t kept = std::clamp<std::size_t>(static_cast<std::size_t>(k), 1, vocab);
  copy = value;
  std::nth_element(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(kept) - 1, copy.end(), std::greater<>());
  const double cut = copy[kept - 1];
  const double highest = *std::max_element(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(kept));
  double total = 0;
  for (std::size_t y = 0; y < vocab; ++y) {
    copy[y] = value[y] >= cut ? std::exp(value[y] - highest) : 0;
    total += copy[y];
  }
  for (std::size_t y = 0; y < vocab; ++y) prob[y] = static_cast<real>(copy[y] / total);
}

}  // namespace

void CpuBackend::topk_posterior(int rows, int vocab, const real* logits, const float* uniform, double temperature,
                                int k, real* prob) {
  std::vector<double> value(static_cast<std::size_t>(vocab)), copy;
  for (int row = 0; row < rows; ++row, logits += vocab, prob += vocab) {
    for (int y = 0; y < vocab; ++y) {
      double v = static_cast<double>(logits[y]);
      if (uniform != nullptr) {
        v = std::exp(v) / std::pow(-std::log(static_cast<double>(uniform[y])), temperature);
        v = std::min(v, std::numeric_limits<double>::max());
      }
      value[static_cast<std::size_t>(y)] = v;
    }
    if (uniform != nullptr) uniform += vocab;
    cut_softmax(value, k, copy, prob);
  }
}

void CpuBackend::philox(std::int64_t count, const std::uint32_t* counter, std::uint32_t key0, std::uint32_t key1,
                        std::uint32_t* word, float* unit) {
  for (std::int64_t i = 0; i < count; ++i, counter += 4, word += 4) {
    const Philox4 r = philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, key0, key1);
    for (int w = 0; w < 4; ++w) {
      word[w] = r.word[w];
      if (unit != nullptr) unit[4 * i + w] = unit_uniform(r.word[w]);
    }
  }
}

}  // namespace wam::cpu
