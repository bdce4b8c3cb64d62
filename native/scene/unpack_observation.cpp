#include <cmath>
#include <string>

#include "core/error.h"
#include "scene/observation.h"

namespace wam::scene {
namespace {

constexpr std::size_t kStateNumbers = 6;    // t, x, y, heading, vx, vy
constexpr std::size_t kHeaderIntegers = 5;  // command, ego states, agents, route lanes, lights

[[noreturn]] void refuse(const char* code, const std::string& message) {
  throw Error(code, "packed observation: " + message);
}

/// Takes from an array front to back and never past its end.
template <class T>
class Reader {
 public:
  Reader(const T* data, std::size_t size, const char* name) : next_(data), left_(size), name_(name) {}
  const T* take(std::size_t count) {
    if (count > left_) refuse("ERR_SHAPE", std::string(name_) + " is too short");
    const T* taken = next_;
    next_ += count;
    left_ -= count;
    return taken;
  }
  void finish() const {
    if (left_ != 0) refuse("ERR_SHAPE", std::string(name_) + " is too long by " + std::to_string(left_));
  }

 private:
  const T* next_;
  std::size_t left_;
  const char* name_;
};

/// `count` states; their times ascend and end at the present.
void read_agent(Reader<double>& values, std::int32_t count, Agent& agent, const char* whose) {
  if (count < 1) refuse("ERR_SHAPE", std::string(whose) + " has no state");
  const double* size = values.take(2);
  const double* state = values.take(static_cast<std::size_t>(count) * kStateNumbers);
  if (!(size[0] > 0) || !(size[1] > 0)) refuse("ERR_ARGUMENT", std::string(whose) + " has no size");
  agent.length = size[0];
  agent.width = size[1];
  agent.history.resize(static_cast<std::size_t>(count));
  double before = -HUGE_VAL;
  for (MotionState& s : agent.history) {
    s = {state[0], state[1], state[2], state[3], state[4], state[5]};
    state += kStateNumbers;
    if (!(s.t > before)) refuse("ERR_ARGUMENT", std::string(whose) + ": times do not ascend");
    before = s.t;
  }
  if (std::abs(before) > 1e-6) refuse("ERR_ARGUMENT", std::string(whose) + ": the last state is not the present");
}

int lane_index(std::int32_t lane, const RoadMap& map) {
  if (lane < 0 || static_cast<std::size_t>(lane) >= map.lanes().size()) {
    refuse("ERR_ARGUMENT",
           "lane index " + std::to_string(lane) + " of a map with " + std::to_string(map.lanes().size()) + " lanes");
  }
  return lane;
}

std::int32_t code(std::int32_t value, std::int32_t last, const char* what) {
  if (value < 0 || value > last) refuse("ERR_ARGUMENT", std::string(what) + " code " + std::to_string(value));
  return value;
}

}  // namespace

void unpack_observation(const RoadMap& map, const std::int32_t* meta, std::size_t meta_size, const double* values,
                        std::size_t values_size, const std::int32_t* lanes, std::size_t lanes_size, Observation& out) {
  for (std::size_t i = 0; i < values_size; ++i) {
    if (!std::isfinite(values[i])) refuse("ERR_NOT_FINITE", "values[" + std::to_string(i) + "] is not finite");
  }
  Reader<std::int32_t> integers(meta, meta_size, "meta");
  Reader<double> numbers(values, values_size, "values");
  Reader<std::int32_t> places(lanes, lanes_size, "lanes");

  const std::int32_t* header = integers.take(kHeaderIntegers);
  const std::int32_t agents = header[2], route = header[3], lights = header[4];
  if (agents < 0 || route < 0 || lights < 0) refuse("ERR_SHAPE", "a negative count");
  const std::int32_t* agent_states = integers.take(static_cast<std::size_t>(agents));
  integers.finish();

  out.map = &map;
  out.command = static_cast<Command>(code(header[0], static_cast<std::int32_t>(Command::unknown), "command"));
  out.center_offset = *numbers.take(1);
  read_agent(numbers, header[1], out.ego, "the ego");
  if (out.agents.size() < static_cast<std::size_t>(agents)) out.agents.resize(static_cast<std::size_t>(agents));
  for (std::int32_t i = 0; i < agents; ++i) {
    read_agent(numbers, agent_states[i], out.agents[static_cast<std::size_t>(i)], "an agent");
  }
  out.agent_count = agents;
  numbers.finish();

  const std::int32_t* route_lanes = places.take(static_cast<std::size_t>(route));  // before memory is asked for
  out.route.resize(static_cast<std::size_t>(route));
  for (std::size_t i = 0; i < out.route.size(); ++i) out.route[i] = lane_index(route_lanes[i], map);
  out.lane_lights.assign(map.lanes().size(), static_cast<std::int32_t>(Light::none));
  const std::int32_t* light = places.take(2 * static_cast<std::size_t>(lights));
  for (std::int32_t i = 0; i < lights; ++i, light += 2) {
    out.lane_lights[static_cast<std::size_t>(lane_index(light[0], map))] =
        code(light[1], static_cast<std::int32_t>(Light::unknown), "light");
  }
  places.finish();
}

}  // namespace wam::scene
