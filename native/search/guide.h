#pragma once
// The way that the route takes: progress along it, the next red light on it, and how far a driver would get who keeps to
// the speed limit and the distance to the vehicle ahead.

#include <limits>
#include <span>

#include "scene/route.h"
#include "search/forecast.h"

namespace wam::search {

class Guide {
 public:
  /// `half_length`: of the ego, `speed`: its speed now. Storage is reused.
  void build(const scene::Observation& observation, const EgoFrame& frame, std::span<const Forecast> others,
             double half_length, double speed, int states);

  /// No lane is near the ego: there is no progress to measure.
  bool empty() const { return route_.paths == 0; }
  /// Metres driven along the route when the box centre goes from where it is now to (x, y) in the ego's frame.
  double progress(double x, double y) const;
  /// The same of a driver who follows IDM, after the states of `build`.
  double reference_progress() const { return reference_; }
  /// Progress at which the front of the ego is at the stop line of a red light; infinite when there is none.
  double red_light() const { return red_light_; }

 private:
  const scene::RoutePath& target() const { return route_.path[route_.paths - 1]; }

  EgoFrame const* frame_ = nullptr;
  scene::Route route_;
  double start_ = 0, reference_ = 0;
  double red_light_ = std::numeric_limits<double>::infinity();
};

}  // namespace wam::search
