#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/state.h"
#include "sim/world_map.h"

namespace wam::sim {

/// The first three are agents, the others static.
enum class ObjectType : std::uint8_t {
  vehicle,
  pedestrian,
  bicycle,
  traffic_cone,
  barrier,
  czone_sign,
  generic_object
};
inline constexpr int kObjectTypes = 7;
inline bool is_agent(ObjectType type) { return type <= ObjectType::bicycle; }

/// Box centre at a time, global frame; velocity in m/s, not used for static types.
struct Sample {
  std::int64_t time_us = 0;  // from the present
  double x = 0, y = 0, heading = 0, vx = 0, vy = 0;
};

struct SceneObject {
  ObjectType type = ObjectType::vehicle;
  double length = 0, width = 0;
  std::vector<Sample> samples;  // ascending times, at least one
};

/// Red lane connectors from a time on, until the next frame.
struct LightFrame {
  std::int64_t time_us = 0;  // from the present
  std::vector<int> red;      // lane indices
};

inline constexpr int kPastStates = 4, kHumanPoses = 8;

/// Limits of a scene, beyond any real one.
inline constexpr std::size_t kMaxObjects = 20'000, kMaxRouteBlocks = 1000;

/// All that the score is computed from (section 1). Global frame.
struct Scene {
  std::shared_ptr<const WorldMap> map;
  std::vector<int> route;  // roadblock indices, as the log has it
  State ego;               // steering and yaw rates as the caller says; a log frame's are 0
  std::int64_t time_us = 0;
  std::vector<State> past;  // at -1.5, -1, -0.5, 0 s; or none
  std::vector<Pose> human;  // 8 poses in the ego's frame every 0.5 s; or none
  std::vector<SceneObject> objects;
  std::vector<LightFrame> lights;  // ascending

  /// Throws Error(ERR_SCENARIO) on anything that the simulator cannot work with.
  void check() const;
};

}  // namespace wam::sim
