#pragma once
#include <cstdint>
#include <vector>

#include "scene/road_map.h"

namespace wam::scene {

struct MotionState {
  double t = 0;  // seconds, 0 is now
  double x = 0, y = 0, heading = 0, vx = 0, vy = 0;
};

enum class Command : std::int32_t { left = 0, straight = 1, right = 2, unknown = 3 };
enum class Light : std::int32_t { none = 0, red = 1, yellow = 2, green = 3, unknown = 4 };

struct Agent {
  double length = 4.5, width = 2.0;
  std::vector<MotionState> history;  // oldest first, last at t = 0
};

/// One moment as the planner is given it. Vectors are reused between calls, so a warm observation allocates nothing.
struct Observation {
  const RoadMap* map = nullptr;
  Agent ego;                 // history of the tracked point
  double center_offset = 0;  // tracked point to box centre along the heading, metres
  Command command = Command::unknown;
  std::vector<Agent> agents;
  int agent_count = 0;                    // agents beyond it are spare storage
  std::vector<int> route;                 // lane indices, the present lane first
  std::vector<std::int32_t> lane_lights;  // Light by lane index, size of map->lanes()
};

/// Fills `out` from the binding's packed form and checks every length and number (throws Error: ERR_SHAPE,
/// ERR_NOT_FINITE, ERR_ARGUMENT). Layout:
///   meta   int32: [command, ego states, agents, route lanes, lights, then states of each agent...]
///   values float64: [center_offset, ego length, ego width, ego states x 6 (t,x,y,heading,vx,vy),
///                    then for each agent: length, width, states x 6]
///   lanes  int32: [route lane indices..., then for each light: lane index, Light]
void unpack_observation(const RoadMap& map, const std::int32_t* meta, std::size_t meta_size, const double* values,
                        std::size_t values_size, const std::int32_t* lanes, std::size_t lanes_size, Observation& out);

/// An observation in the same form.
struct PackedObservation {
  std::vector<std::int32_t> meta, lanes;
  std::vector<double> values;
};

/// What `unpack_observation` reads back, lights in ascending order of lanes. For tests: what training sees of a window
/// must be what a planner is given of it.
PackedObservation pack_observation(const Observation& observation);

}  // namespace wam::scene
