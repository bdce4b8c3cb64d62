#pragma once
#include <cmath>

#include "core/backend.h"

namespace wam::cpu {

struct Decision {
  bool jumps;
  double draw;  // for the inverse CDF
};

/// Whether a row of `s` leaves x_t, from the sums of exp(-beta d) max(0, d(x_t) - d) and of exp(-beta d) over all tokens.
inline Decision decide(const PathStep& s, int row, double rates, double weights) {
  // An infinite weight times no rate at all means staying.
  const double expected_jumps = rates > 0 ? s.step_weight * (rates / weights) : 0;
  if (s.total != nullptr) s.total[row] = static_cast<real>(expected_jumps);
  const double leave = -std::expm1(-expected_jumps), uniform = s.jump[row];
  if (s.draw != nullptr) return {uniform < leave, s.draw[row]};
  const double stay = 1 - leave;
  return {rates > 0 && uniform >= stay, (uniform - stay) / leave};
}

}  // namespace wam::cpu
