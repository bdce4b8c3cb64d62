#include "flow/grid.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace wam::flow {
namespace {

void check_count(int count) {
  if (count < 2) throw Error("ERR_CONFIG", "a value grid needs at least 2 tokens, received " + std::to_string(count));
}

void check_value(double value) {
  if (std::isnan(value)) throw Error("ERR_NOT_FINITE", "NaN has no numeric token");
}

}  // namespace

LinearGrid::LinearGrid(double min, double step, int count) : min_(min), step_(step), count_(count) {
  check_count(count);
  if (!std::isfinite(min) || !std::isfinite(step) || step <= 0) {
    throw Error("ERR_CONFIG", "a linear grid needs a finite min and a positive step, received min " +
                                  std::to_string(min) + ", step " + std::to_string(step));
  }
}

int LinearGrid::encode(double value, bool* clipped) const {
  check_value(value);
  const double last = count_ - 1;
  const double position = (value - min_) / step_;
  if (clipped != nullptr) *clipped = position < -0.5 || position > last + 0.5;
  if (position <= 0) return 0;
  if (position >= last) return count_ - 1;
  // The quotient may be off by an ulp; comparing values keeps "nearest" exact around midpoints.
  const int low = std::min(static_cast<int>(position), count_ - 2);
  return value - decode(low) <= decode(low + 1) - value ? low : low + 1;
}

CompandedGrid::CompandedGrid(int count, double compand) : compand_(compand) {
  check_count(count);
  if (!std::isfinite(compand) || compand < 0) {
    throw Error("ERR_CONFIG", "compand must be finite and not negative, received " + std::to_string(compand));
  }
  unit_.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    unit_[static_cast<std::size_t>(i)] = value_at(coordinate(i), 1);
  }
}

double CompandedGrid::value_at(double u, double scale) const {
  return scale * (compand_ > 0 ? std::sinh(u * std::asinh(compand_)) / compand_ : u);
}

double CompandedGrid::coordinate_of(double value, double scale) const {
  const double v = value / scale;
  return compand_ > 0 ? std::asinh(compand_ * v) / std::asinh(compand_) : v;
}

int CompandedGrid::encode(double value, double scale, bool* clipped) const {
  check_value(value);
  const double v = value / scale;
  const int last = count() - 1;
  const double margin = 0.5 * (unit_[static_cast<std::size_t>(last)] - unit_[static_cast<std::size_t>(last - 1)]);
  if (clipped != nullptr) *clipped = std::fabs(v) > unit_[static_cast<std::size_t>(last)] + margin;
  const auto above = std::lower_bound(unit_.begin(), unit_.end(), v);
  if (above == unit_.begin()) return 0;
  if (above == unit_.end()) return last;
  const int high = static_cast<int>(above - unit_.begin());
  return v - *(above - 1) <= *above - v ? high - 1 : high;
}

}  // namespace wam::flow
