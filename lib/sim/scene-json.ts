import type { SceneTrajectory } from './parse-scene.js';
import type { PdmScene, SceneArea, SceneEgo, SceneLane, SceneRoadblock } from './scene.js';

/**
 * A scene as an object for `JSON.stringify`, in the form that `parseScene` reads; reading it gives the same scene and
 * the same trajectories.
 */
export function sceneToJson(
  scene: PdmScene,
  trajectories: readonly SceneTrajectory[] = [],
): Record<string, unknown> {
  const { map } = scene;
  return {
    id: scene.id,
    kind: 'scene',
    map: {
      roadblocks: map.roadblocks.map(roadblockToJson),
      lanes: map.lanes.map(laneToJson),
      intersections: map.intersections.map(areaToJson),
      carparks: map.carparks.map(areaToJson),
    },
    route_roadblock_ids: scene.routeRoadblockIds,
    ego: egoToJson(scene.ego),
    ego_past: scene.egoPast.map(egoToJson),
    human_trajectory: scene.humanTrajectory,
    agents: scene.agents.map(({ token, type, length, width, samples }) => ({
      token,
      type,
      length,
      width,
      samples: samples.map(({ t, x, y, heading, vx, vy }) => ({ t, x, y, heading, vx, vy })),
    })),
    traffic_lights: scene.trafficLights.map(({ t, red, green }) => ({ t, red, green })),
    trajectories: trajectories.map(({ id, label, poses }) => ({ id, label, poses })),
  };
}

function roadblockToJson(block: SceneRoadblock) {
  const { id, isConnector, polygon, laneIds, incoming, outgoing } = block;
  return { id, is_connector: isConnector, polygon, lane_ids: laneIds, incoming, outgoing };
}

function laneToJson(lane: SceneLane) {
  const { id, roadblockId, isConnector, polygon, baseline, speedLimit, incoming, outgoing } = lane;
  return {
    id,
    roadblock_id: roadblockId,
    is_connector: isConnector,
    polygon,
    baseline,
    speed_limit_mps: speedLimit,
    incoming,
    outgoing,
  };
}

function areaToJson({ id, polygon }: SceneArea) {
  return { id, polygon };
}

function egoToJson({ timeUs, x, y, heading, vx, vy, ax, ay }: SceneEgo) {
  return { time_us: timeUs, x, y, heading, vx, vy, ax, ay };
}
