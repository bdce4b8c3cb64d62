import type { Command, Lane, LightColor, RoadMap } from '../observation.js';

/** A lane of a scenario map: what the planner sees, and two things that only pictures and reports use. */
export interface ScenarioLane extends Lane {
  /** `urban`, `highway`, ...; free text. */
  type: string;
  /** Painted marking on the left and on the right, null where there is none. */
  markings: readonly [string | null, string | null];
}

/** A road map as stored in a scenario file. Usable as `Observation.map` without conversion. */
export interface ScenarioMap extends RoadMap {
  /** Name of the road or place; figures are broken down by it. */
  location: string;
  lanes: readonly ScenarioLane[];
}

/** One vehicle of a recording, valid in steps [start, start + x.length) and nowhere else. */
export interface Track {
  /** Equal to its index in `Recording.tracks`. */
  id: number;
  /** `car`, `truck`, ...; free text. */
  type: string;
  /** Box length and width in metres. */
  length: number;
  width: number;
  /** First valid step. */
  start: number;
  /** Box centre in metres, one value a step, in the frame of the map. */
  x: Float64Array;
  y: Float64Array;
  /** Radians counter-clockwise from +x. */
  heading: Float64Array;
  /** Velocity in the frame of the map, m/s. */
  vx: Float64Array;
  vy: Float64Array;
}

/** Colour of a signal over the steps [from, to). */
export interface SignalState {
  from: number;
  to: number;
  color: LightColor;
}

/** One traffic light and the lanes that end at it. */
export interface Signal {
  lanes: readonly (number | string)[];
  states: readonly SignalState[];
}

/** A vehicle known at one step only (the source took its track away). Metres, radians, m/s. */
export interface RemovedVehicle {
  step: number;
  x: number;
  y: number;
  heading: number;
  speed: number;
}

/** A stretch of traffic on one map. */
export interface Recording {
  id: string;
  map: ScenarioMap;
  location: string;
  /** `train`, `val`, `test` or any other name. */
  split: string;
  source: string;
  sourceFiles: readonly string[];
  /** Seconds between steps; divides 0.5 s. */
  dt: number;
  steps: number;
  tracks: readonly Track[];
  signals: readonly Signal[];
  removedVehicles: readonly RemovedVehicle[];
}

/** A planning case: an ego and a present step of a recording, with what the driver was asked to do. */
export interface ScenarioWindow {
  id: string;
  recording: Recording;
  split: string;
  /** Track index. */
  ego: number;
  /** Present step. */
  t0: number;
  /** Steps of the ego's track before and after the present that are valid. */
  history: number;
  future: number;
  command: Command;
  /** Lane ids from `t0 - history` to `t0 + future`, in order. */
  route: readonly (number | string)[];
  /** Facts about the ego's own future, for reports only: never given to a planner. Null when the file has none. */
  laneChange: boolean | null;
  /** Degrees, left is positive. */
  turnDeg: number | null;
  /** Speed now, m/s. */
  v0: number | null;
  /** Metres driven in the next 4 s. */
  path4s: number | null;
  /** Vehicles within 40 m. */
  agents40m: number | null;
  /**
   * What an expert would have driven: 8 box-centre poses `[x, y, heading]` in the ego's present frame, 0.5 s apart.
   * Where it is given, imitation learns it instead of the recorded future.
   */
  expert?: readonly (readonly [number, number, number])[];
}

/** Everything that a scenario folder or file holds, joined: window -> recording -> map. */
export interface ScenarioData {
  /** By map id, in file order. */
  maps: ReadonlyMap<string, ScenarioMap>;
  /** By recording id, in file order. */
  recordings: ReadonlyMap<string, Recording>;
  windows: readonly ScenarioWindow[];
}

/** Seconds between the waypoints of a plan and of a recorded future. */
export const kWaypointInterval = 0.5;
/** Waypoints of a plan: 4 s. */
export const kWaypoints = 8;
