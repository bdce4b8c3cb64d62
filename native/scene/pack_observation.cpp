#include "scene/observation.h"

namespace wam::scene {

PackedObservation pack_observation(const Observation& o) {
  PackedObservation packed;
  const auto add_agent = [&](const Agent& agent) {
    packed.values.insert(packed.values.end(), {agent.length, agent.width});
    for (const MotionState& s : agent.history) {
      packed.values.insert(packed.values.end(), {s.t, s.x, s.y, s.heading, s.vx, s.vy});
    }
    return static_cast<std::int32_t>(agent.history.size());
  };
  packed.values.push_back(o.center_offset);
  const std::int32_t ego_states = add_agent(o.ego);
  std::vector<std::int32_t> agent_states;
  for (int i = 0; i < o.agent_count; ++i) agent_states.push_back(add_agent(o.agents[static_cast<std::size_t>(i)]));
  packed.lanes.assign(o.route.begin(), o.route.end());
  std::int32_t lights = 0;
  for (std::size_t lane = 0; lane < o.lane_lights.size(); ++lane) {
    if (o.lane_lights[lane] == static_cast<std::int32_t>(Light::none)) continue;
    packed.lanes.insert(packed.lanes.end(), {static_cast<std::int32_t>(lane), o.lane_lights[lane]});
    ++lights;
  }
  packed.meta = {static_cast<std::int32_t>(o.command), ego_states, o.agent_count,
                 static_cast<std::int32_t>(o.route.size()), lights};
  packed.meta.insert(packed.meta.end(), agent_states.begin(), agent_states.end());
  return packed;
}

}  // namespace wam::scene
