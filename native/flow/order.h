#pragma once
// How well distances between rows of a token table follow the order of the tokens' values.

#include <cstdint>

#include "core/real.h"

namespace wam::flow {

struct OrderCount {
  std::int64_t violations = 0, pairs = 0;
};

/// Anchors i = 0, stride, 2 stride, ... and every token j > i: a violation when j is no farther from i than j-1 is, by
/// Euclidean distance of L2-normalised rows. A table that orders its tokens has none. table [vocab, dim].
OrderCount count_order_violations(int vocab, int dim, const real* table, int stride);

}  // namespace wam::flow
