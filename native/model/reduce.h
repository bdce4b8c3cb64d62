#pragma once
#include "model/planner.h"

namespace wam::model {

/// One plan from samples [count, waypoints, 3]. medoid: the sample with the least summed waypoint distance to the
/// others (the least index of a tie). mean: of positions and of heading vectors.
void reduce_samples(Reduce reduce, int count, int waypoints, const float* samples, float* out);

}  // namespace wam::model
