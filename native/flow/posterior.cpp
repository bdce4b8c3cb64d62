#include "flow/posterior.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace wam::flow {
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

void topk_posterior(int rows, int vocab, const real* logits, int k, real* prob) {
  std::vector<double> value, copy;
  for (int row = 0; row < rows; ++row, logits += vocab, prob += vocab) {
    value.assign(logits, logits + vocab);
    cut_softmax(value, k, copy, prob);
  }
}

void gumbel_topk_posterior(int rows, int vocab, const real* logits, const float* uniform, double temperature, int k,
                           real* prob) {
  std::vector<double> value(static_cast<std::size_t>(vocab)), copy;
  for (int row = 0; row < rows; ++row, logits += vocab, uniform += vocab, prob += vocab) {
    for (int y = 0; y < vocab; ++y) {
      const double noise = std::pow(-std::log(static_cast<double>(uniform[y])), temperature);
      const double v = std::exp(static_cast<double>(logits[y])) / noise;
      value[static_cast<std::size_t>(y)] = std::min(v, std::numeric_limits<double>::max());
    }
    cut_softmax(value, k, copy, prob);
  }
}

}  // namespace wam::flow
