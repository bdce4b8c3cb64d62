#pragma once
// What one row of logits decides: x_1 by any rule, its log probability, the margin. What all draws from a row share is
// worked out once.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

#include "core/backend.h"
#include "cpu/flow_kernels.h"
#include "cpu/inverse_cdf.h"

namespace wam::cpu {

class PosteriorRows {
 public:
  /// Scratch in reals.
  static std::size_t scratch_size(int vocab, int top_k) {
    return static_cast<std::size_t>(2 * sum_blocks(vocab) + kSumBlock + (cuts(vocab, top_k) ? vocab : 0));
  }

  PosteriorRows(const FlowKernels& kernels, int vocab, DecodeRule rule, real temperature, int top_k, real* scratch)
      : kernels_(kernels),
        vocab_(vocab),
        top_k_(rule == DecodeRule::sample && cuts(vocab, top_k) ? top_k : 0),
        rule_(rule == DecodeRule::sample && !(temperature > 0) ? DecodeRule::argmax : rule),
        inverse_temperature_(rule_ == DecodeRule::sample ? std::min(1 / temperature, std::numeric_limits<real>::max())
                                                         : real{1}),
        block_sum_(scratch),
        plain_block_sum_(block_sum_ + sum_blocks(vocab)),
        weight_(plain_block_sum_ + sum_blocks(vocab)),
        copy_(weight_ + kSumBlock) {}

  void open(const real* logits) {
    logits_ = logits;
    highest_ = kernels_.row_max(vocab_, logits);
    log_total_known_ = false;
    if (rule_ == DecodeRule::argmax) {
      token_ = kernels_.first_equal(vocab_, logits, highest_);
      return;
    }
    cut_ = top_k_ > 0 ? kth_largest() : kLowest;
    total_ = kernels_.logit_sums(vocab_, logits, highest_, inverse_temperature_, cut_, block_sum_);
    if (inverse_temperature_ == 1 && cut_ == kLowest) set_log_total(total_);
    if (rule_ == DecodeRule::median) token_ = pick<true>(0.5 * total_);
  }

  /// `uniform` is asked for by `sample` alone.
  std::int32_t token(const float* uniform) {
    return rule_ == DecodeRule::sample ? pick<false>(*uniform * total_) : token_;
  }

  /// Of softmax(logits).
  real log_probability(std::int32_t token) {
    if (!log_total_known_) set_log_total(kernels_.logit_sums(vocab_, logits_, highest_, 1, kLowest, plain_block_sum_));
    return static_cast<real>(static_cast<double>(logits_[token]) - static_cast<double>(highest_) - log_total_);
  }

  real margin() const { return kernels_.top_two_gap(vocab_, logits_); }

 private:
  static constexpr real kLowest = -std::numeric_limits<real>::infinity();
  static bool cuts(int vocab, int top_k) { return top_k > 0 && top_k < vocab; }

  void set_log_total(double total) {
    log_total_ = std::log(total);
    log_total_known_ = true;
  }
  /// Everything below it is cut.
  real kth_largest() {
    // NaN has no place in an order; it carries no weight either.
    std::transform(logits_, logits_ + vocab_, copy_, [](real v) { return v == v ? v : kLowest; });
    std::nth_element(copy_, copy_ + top_k_ - 1, copy_ + vocab_, std::greater<real>());
    return copy_[top_k_ - 1];
  }
  template <bool kInclusive>
  std::int32_t pick(double target) {
    return inverse_cdf<kInclusive>(vocab_, block_sum_, target, [this](int block) {
      const int first = block * kSumBlock;
      kernels_.logit_weights(std::min(kSumBlock, vocab_ - first), logits_ + first, highest_, inverse_temperature_, cut_,
                             weight_);
      return weight_;
    });
  }

  const FlowKernels& kernels_;
  const int vocab_, top_k_;
  const DecodeRule rule_;
  const real inverse_temperature_;
  real *block_sum_, *plain_block_sum_, *weight_, *copy_;
  // Of the row at hand.
  const real* logits_ = nullptr;
  real highest_ = 0, cut_ = 0;
  double total_ = 0, log_total_ = 0;
  bool log_total_known_ = false;
  std::int32_t token_ = 0;
};

}  // namespace wam::cpu
