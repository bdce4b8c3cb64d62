#pragma once
// Value grids: what number a numeric token stands for. Encoding picks the token whose VALUE is nearest (of two equally
// near ones the lower), so the round trip error is least; values beyond the ends become the end token and are reported.

#include <vector>

namespace wam::flow {

/// value(token) = min + step * token. The paper's grid: -100 to 100 in steps of 0.01, 20,001 tokens.
class LinearGrid {
 public:
  LinearGrid(double min, double step, int count);
  int count() const { return count_; }
  double min() const { return min_; }
  double step() const { return step_; }
  double max() const { return decode(count_ - 1); }
  /// In [-1, 1], equally spaced: the coordinate that the metric path and the numeric features take.
  double coordinate(int token) const { return -1 + 2.0 * token / (count_ - 1); }
  double decode(int token) const { return min_ + step_ * token; }
  /// `clipped` (may be null) is set to whether `value` lies more than half a step outside the grid. NaN throws.
  int encode(double value, bool* clipped) const;

 private:
  double min_, step_;
  int count_;
};

/// value(token) = scale * sinh(u asinh(compand)) / compand, u = -1 .. 1 equally spaced; the scale belongs to the slot
/// (metres for x and y, radians for heading). Steps are finest around 0: by sqrt(1 + compand^2) against the ends.
/// compand 0 is the linear grid scale * u.
class CompandedGrid {
 public:
  CompandedGrid(int count, double compand);
  int count() const { return static_cast<int>(unit_.size()); }
  double compand() const { return compand_; }
  double coordinate(int token) const { return -1 + 2.0 * token / (count() - 1); }  // u
  double decode(int token, double scale) const { return scale * unit_[static_cast<std::size_t>(token)]; }
  /// Value at any coordinate u, and the coordinate of any value; beyond the ends the same curve goes on.
  double value_at(double u, double scale) const;
  double coordinate_of(double value, double scale) const;
  /// `clipped` (may be null) is set to whether `value` lies outside by more than half of the last step. NaN throws.
  int encode(double value, double scale, bool* clipped) const;

 private:
  double compand_;
  std::vector<double> unit_;  // [count] value at scale 1
};

}  // namespace wam::flow
