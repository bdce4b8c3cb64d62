#pragma once
#include <vector>

#include "scene/dataset.h"

namespace wam::scene {

/// The lane of every valid step of a track (by step - track.start), -1 where no lane is near: the cheapest sequence by
/// lateral offset and heading, where keeping the lane or going to a successor is free and other changes cost.
std::vector<int> match_lanes(const RoadMap& map, const Track& track);

/// Lanes of steps [from, to] in order without repetition, as route_lanes of the scenario format.
std::vector<int> route_of(const std::vector<int>& lane_of_step, int from, int to);

}  // namespace wam::scene
