#include "align/advantage.h"

#include <cmath>

#include "core/error.h"

namespace wam::align {

double pdm_reward(const PdmParts& p, const PdmWeights& w) {
  const double total = w.progress + w.ttc + w.lane + w.comfort;
  for (const double weight : {w.progress, w.ttc, w.lane, w.comfort})
    if (!(weight >= 0)) throw Error("ERR_RANGE", "weights of the reward: expected numbers from 0");
  if (!(total > 0) || !std::isfinite(total))
    throw Error("ERR_RANGE", "weights of the reward: expected a finite sum above 0");
  const double multiplier = p.collision * p.drivable * p.direction * p.light;
  return multiplier * (w.progress * p.progress + w.ttc * p.ttc + w.lane * p.lane + w.comfort * p.comfort) / total;
}

void group_advantages(const double* reward, int group, AdvantageKind kind, double* out) {
  if (group < 1) return;
  // Relative to one of them: equal rewards give exactly 0.
  const double base = reward[0];
  double sum = 0;
  for (int i = 0; i < group; ++i) sum += reward[i] - base;
  const double mean = sum / group;
  double squares = 0;
  for (int i = 0; i < group; ++i) {
    const double off = reward[i] - base - mean;
    squares += off * off;
    out[i] = off;
  }
  double scale = 1;
  if (kind == AdvantageKind::standardised) scale = 1 / (std::sqrt(squares / group) + 1e-8);
  // R - (sum - R) / (G - 1) is (R - mean) G / (G - 1).
  if (kind == AdvantageKind::leave_one_out && group > 1) scale = static_cast<double>(group) / (group - 1);
  for (int i = 0; i < group; ++i) out[i] *= scale;
}

}  // namespace wam::align
