#include "sim/score.h"

#include <algorithm>

namespace wam::sim {

double multiplier(Version version, const Verdict& v) {
  const double product = v.collision * v.drivable;
  return version == Version::v1 ? product : product * v.light * v.direction;
}

void ego_progress(Version version, std::span<const Verdict> verdicts, std::span<double> out) {
  constexpr double kLeast = 5;  // metres: below, progress tells nothing
  double most = 0;
  for (const Verdict& v : verdicts) most = std::max(most, v.progress * multiplier(version, v));
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const double m = multiplier(version, verdicts[i]);
    if (version == Version::v1) {
      // Version 1 multiplies first, so that a half score halves the progress as well.
      out[i] = most > kLeast ? verdicts[i].progress * m / most : (m > 0 ? 1 : 0);
    } else {
      out[i] = most > kLeast ? std::clamp(verdicts[i].progress / most, 0.0, 1.0) : 1;
    }
  }
}

double pdm_score(Version version, const Verdict& v, double progress) {
  const double m = multiplier(version, v);
  if (version == Version::v1) return m * (5 * progress + 5 * v.ttc + 2 * v.comfort) / 12;
  return m * (5 * progress + 5 * v.ttc + 2 * v.lane + 2 * v.comfort) / 14;
}

}  // namespace wam::sim
