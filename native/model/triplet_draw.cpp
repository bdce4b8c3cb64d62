#include "model/triplet_draw.h"

#include <algorithm>
#include <cmath>

namespace wam::model {

Triplet draw_triplet(const RandomStream& stream, std::uint32_t step, std::uint32_t index,
                     std::span<const double> coordinate) {
  const int vocab = static_cast<int>(coordinate.size());
  const double log_range = std::log(static_cast<double>(vocab - 1));
  const auto value = [&](int token) { return coordinate[static_cast<std::size_t>(token)]; };
  for (std::uint32_t attempt = 0;; ++attempt) {
    const Philox4 r = stream.at(step, index, attempt, RandomUse::triplet);
    const int a = std::min(static_cast<int>(unit_uniform(r.word[0]) * static_cast<float>(vocab)), vocab - 1);
    const int near = static_cast<int>(std::lround(std::exp(unit_uniform(r.word[1]) * log_range)));
    const int far = static_cast<int>(std::lround(std::exp(unit_uniform(r.word[2]) * log_range)));
    if (far < 1.25 * near) continue;
    const int p = a + ((r.word[3] & 1) != 0 ? near : -near);
    const int n = a + ((r.word[3] & 2) != 0 ? far : -far);
    if (p < 0 || p >= vocab || n < 0 || n >= vocab) continue;
    const double gap = std::abs(value(n) - value(a)) - std::abs(value(p) - value(a));
    if (gap > 0) return {a, p, n, gap};
  }
}

}  // namespace wam::model
