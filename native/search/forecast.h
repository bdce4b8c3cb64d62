#pragma once
// Where the others will be, by what is seen of them now: constant speed and yaw rate.

#include <span>
#include <vector>

#include "search/box.h"
#include "search/ego_frame.h"

namespace wam::search {

/// 0, 0.1 .. 4.9 s: a plan of 4 s and the time that time to collision looks ahead.
inline constexpr int kForecastStates = 50;

/// One road user in the ego's frame.
struct Forecast {
  Box at[kForecastStates];
  double speed = 0;   // m/s
  double radius = 0;  // of the circle around a box
};

class Forecasts {
 public:
  /// Those within `reach` metres of the ego whose box does not overlap `ego`. Storage is reused.
  void build(const scene::Observation& observation, const EgoFrame& frame, const Box& ego, double reach);
  std::span<const Forecast> all() const { return {items_.data(), count_}; }

 private:
  std::vector<Forecast> items_;
  std::size_t count_ = 0;
};

}  // namespace wam::search
