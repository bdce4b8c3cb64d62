#pragma once
// One sequence to learn from, and which rows the network runs for it.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/real.h"
#include "vla/vla_runner.h"

namespace wam::vla {

/// Chains of the sampler, [copies, counted rows] each: what the network read, what was drawn, and how good that was.
struct Policy {
  std::vector<std::int32_t> states, chosen;
  std::vector<real> advantage, log_probability;  // the latter when it was drawn
  real clip = static_cast<real>(0.2), temperature = 1;
};

struct VlaExample {
  std::vector<std::int32_t> x_t;      // [tokens] what the network reads
  std::vector<std::int32_t> x_1;      // [tokens] what it is to say
  std::vector<std::uint8_t> image;    // [tokens] rows of images
  std::vector<std::uint8_t> counted;  // [tokens] rows that count in the loss
  std::vector<real> weights;          // [tokens] of counted rows; empty: 1 each
  std::vector<float> pixels;
  int images = 0;
  Mask mask = Mask::full;
  int prefix_rows = 0;
  /// Tokens that the counted rows may be: the softmax is over these alone, and noise is of them. Empty: all.
  TokenRange range;
  /// Not empty: counted rows read x_t ~ p_t(.|x_1) in place of `x_t`. Under Mask::prefix there is a copy of the rows behind
  /// the prefix for each time, all on one prefix; under other masks there is one time.
  std::vector<double> times;
  std::uint64_t seed = 0;  // of the noise
  /// Not empty: learnt from by the policy objective, in place of `x_1` and `times`. A copy for each chain.
  Policy policy;

  int tokens() const { return static_cast<int>(x_t.size()); }
  int counted_rows() const { return static_cast<int>(std::count_if(counted.begin(), counted.end(), is_set)); }
  int copies() const {
    if (!policy.chosen.empty()) return static_cast<int>(policy.chosen.size()) / std::max(counted_rows(), 1);
    return times.empty() ? 1 : static_cast<int>(times.size());
  }
  static bool is_set(std::uint8_t mark) { return mark != 0; }
  /// Rows before those that are copied.
  int prefix() const { return mask == Mask::prefix ? prefix_rows : tokens(); }
  int rows() const { return prefix() + copies() * (tokens() - prefix()); }
  /// Row of a token in a copy.
  int row(int token, int copy) const { return token < prefix() ? token : token + copy * (tokens() - prefix()); }
  /// The row whose hidden state predicts a token of a copy: that of the token before.
  int predictor(int token, int copy) const { return row(token - 1, copy); }
};

struct ExampleLimits {
  int rows = 0, images = 0, copies = 1;
};

/// Throws Error: ERR_RANGE, ERR_SHAPE for an example that does not fit.
void check_example(const VlaExample& example, const VlaConfig& config, const ExampleLimits& limits);

}  // namespace wam::vla
