#pragma once
#include "cpu/flow_kernels.h"

namespace wam::cpu {

/// Inverse CDF in index order over weights summed by blocks (flow_kernels.h): the least index whose running sum exceeds
/// `target`, or reaches it when `kInclusive`. Running sums are double. Never an index of weight 0 unless all are.
/// `weights(block)` points to the weights of one block; it is asked once.
template <bool kInclusive, class Sum, class Weights>
int inverse_cdf(int count, const Sum* block_sum, double target, Weights weights) {
  const auto passed = [target](double sum) { return kInclusive ? sum >= target : sum > target; };
  double running = 0, start = 0;
  int block = 0;
  for (int b = 0; b < sum_blocks(count); ++b) {
    if (!(block_sum[b] > 0)) continue;
    block = b;
    start = running;
    running += static_cast<double>(block_sum[b]);
    if (passed(running)) break;
  }
  // Rounding may let the running sum of the elements end just short of the block's, or of a target close to the total:
  // the last element that has a weight is meant then.
  const real* weight = weights(block);
  const int begin = block * kSumBlock;
  const int size = count - begin < kSumBlock ? count - begin : kSumBlock;
  // Eights of weights first: their sums do not wait for each other.
  constexpr int kEight = 8;
  int eight = 0;
  for (running = start; eight + kEight < size; eight += kEight) {
    const real* w = weight + eight;
    double part[kEight];
    for (int i = 0; i < kEight; ++i) part[i] = w[i] > 0 ? static_cast<double>(w[i]) : 0.0;
    const double sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    if (sum > 0 && passed(running + sum)) break;
    running += sum;
  }
  int last = -1;
  for (int i = eight; i < size; ++i) {
    if (!(weight[i] > 0)) continue;
    last = i;
    running += static_cast<double>(weight[i]);
    if (passed(running)) break;
  }
  // The last eight may be without weights.
  for (int i = eight - 1; last < 0 && i >= 0; --i)
    if (weight[i] > 0) last = i;
  return begin + (last < 0 ? 0 : last);
}

}  // namespace wam::cpu
