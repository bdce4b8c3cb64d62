import type { TrackKind } from '../scenario/track-kind.js';

/**
 * A scene as the PDM score sees it: NAVSIM's own terms, plain data. Metres, radians counter-clockwise from +x, m/s,
 * seconds; global frame unless a field says otherwise. The JSON form has the same fields in snake case
 * (docs/pdm-adapter.md).
 */

/** Vertices `[x, y]` of a polygon, either orientation, not closed, at least 3. */
export type Ring = readonly (readonly [number, number])[];

/** Parallel lanes of one direction (a roadblock), or the lane connectors from one roadblock to another. */
export interface SceneRoadblock {
  id: string;
  /** A roadblock connector: part of the route graph, but not drivable by itself. */
  isConnector: boolean;
  polygon: Ring;
  laneIds: readonly string[];
  /** Roadblocks before and after. */
  incoming: readonly string[];
  outgoing: readonly string[];
}

/** A lane or, inside an intersection, a lane connector. */
export interface SceneLane {
  id: string;
  roadblockId: string;
  isConnector: boolean;
  polygon: Ring;
  /** `[x, y, heading]` in driving direction, at least 2. */
  baseline: readonly (readonly [number, number, number])[];
  /** m/s; null when unknown. */
  speedLimit: number | null;
  incoming: readonly string[];
  outgoing: readonly string[];
}

/** An intersection or a car park. */
export interface SceneArea {
  id: string;
  polygon: Ring;
}

/** The road of a scene. */
export interface SceneMap {
  roadblocks: readonly SceneRoadblock[];
  lanes: readonly SceneLane[];
  intersections: readonly SceneArea[];
  carparks: readonly SceneArea[];
}

/** Rear axle of the ego: pose in the global frame, velocity and acceleration in the body frame. */
export interface SceneEgo {
  /** Microseconds. */
  timeUs: number;
  x: number;
  y: number;
  heading: number;
  vx: number;
  vy: number;
  /** m/s^2. */
  ax: number;
  ay: number;
}

/** Kinds of objects; the last four never move. */
export type SceneAgentType = TrackKind;

/** Box centre at `t` seconds from the present, 0 to 5 in steps of 0.5; velocity in the global frame. */
export interface SceneSample {
  t: number;
  x: number;
  y: number;
  heading: number;
  vx: number;
  vy: number;
}

/** An object with the frames in which it is seen, ascending; those between are interpolated. */
export interface SceneAgent {
  token: string;
  type: SceneAgentType;
  length: number;
  width: number;
  samples: readonly SceneSample[];
}

/** Lane connectors by the colour of their light, at `t` seconds from the present. */
export interface SceneLights {
  t: number;
  red: readonly string[];
  green: readonly string[];
}

/** A pose `[x, y, heading]`. */
export type ScenePose = readonly [number, number, number];

/** All that the score needs. */
export interface PdmScene {
  id: string;
  map: SceneMap;
  /** The route as a log gives it; the scorer corrects it. */
  routeRoadblockIds: readonly string[];
  ego: SceneEgo;
  /** At -1.5, -1, -0.5 and 0 s, for the history comfort of version 2; empty when unknown. */
  egoPast: readonly SceneEgo[];
  /** What the driver did: 8 poses in the ego's frame at 0.5 .. 4 s, for the human filter; null when unknown. */
  humanTrajectory: readonly ScenePose[] | null;
  agents: readonly SceneAgent[];
  /** Every 0.5 s from 0 s on; empty when there are no lights. */
  trafficLights: readonly SceneLights[];
}
