#pragma once
// Triplets of a numeric tokenizer: an anchor, a token nearer to it and one farther away.

#include <cstdint>
#include <span>

#include "core/philox.h"

namespace wam::model {

struct Triplet {
  std::int32_t anchor = 0, positive = 0, negative = 0;
  double gap = 0;  // how much farther the negative is, in the unit of the coordinate
};

/// Anchor uniform; offsets log-uniform so that every order of magnitude is met alike; far >= 1.25 near (wamflow-spec
/// section 5 item 2). Rejected draws take the next attempt's counter. `coordinate`: ascending values of at least 3 tokens.
Triplet draw_triplet(const RandomStream& stream, std::uint32_t step, std::uint32_t index,
                     std::span<const double> coordinate);

}  // namespace wam::model
