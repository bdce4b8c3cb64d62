/** Pose and velocity of a box at one moment, in the map's frame. Right-handed, z up. */
export interface MotionState {
  /** Seconds relative to the present; 0 is now, the past is negative. */
  t: number;
  /** Metres, any consistent frame (UTM is fine: the engine works in float64 until it is in the ego frame). */
  x: number;
  y: number;
  /** Radians counter-clockwise from +x. */
  heading: number;
  /** Velocity in the map's frame, m/s. */
  vx: number;
  vy: number;
}

/** What the driver of the ego was asked to do. */
export type Command = 'left' | 'straight' | 'right' | 'unknown';

/** The vehicle that is planned for. */
export interface EgoObservation {
  /** Past and present, oldest first, the last with t = 0. One state is enough; 2 s at 10 Hz is what `mini` was trained on. */
  history: readonly MotionState[];
  /** Box length and width in metres. */
  length: number;
  width: number;
  /**
   * Distance from the point that `history` tracks to the box centre, along the heading, in metres. 0 (default) when
   * states are box centres; 1.461 for the rear axle of NAVSIM's ego. The plan is given for the same point.
   */
  centerOffset?: number;
}

/** Another road user. */
export interface AgentObservation {
  /** Past and present of the box centre, oldest first, the last with t = 0. */
  history: readonly MotionState[];
  length: number;
  width: number;
}

/** Colour of a traffic light for one lane. */
export type LightColor = 'red' | 'yellow' | 'green' | 'unknown';

/** One lane of a road map; polylines in driving direction, points about 2 m apart, metres. */
export interface Lane {
  id: number | string;
  center: readonly (readonly [number, number])[];
  left: readonly (readonly [number, number])[];
  right: readonly (readonly [number, number])[];
  successors: readonly (number | string)[];
  predecessors: readonly (number | string)[];
  leftNeighbor: number | string | null;
  leftSameDirection: boolean;
  rightNeighbor: number | string | null;
  rightSameDirection: boolean;
  /** m/s, or null when unknown. */
  speedLimit: number | null;
  /** Two points at the end of the lane, or null. */
  stopLine: readonly (readonly [number, number])[] | null;
}

/** Everything the planner is given about one moment. */
export interface Observation {
  ego: EgoObservation;
  command: Command;
  agents: readonly AgentObservation[];
  /** Lanes around the ego. Packed once per object: pass the same map object for every call in one area. */
  map: RoadMap;
  /** Ids of the lanes that the ego shall take, in order, the present one first. Empty: no route is known. */
  route: readonly (number | string)[];
  /** Light colour by lane id, for lanes that end in a light. */
  lights?: ReadonlyMap<number | string, LightColor>;
}

/** A road map. Treat it as immutable: the engine keeps a packed copy of it. */
export interface RoadMap {
  id: string;
  lanes: readonly Lane[];
  /** Rings, not closed, metres; empty when unknown. */
  drivableArea: readonly {
    exterior: readonly (readonly [number, number])[];
    holes: readonly (readonly (readonly [number, number])[])[];
  }[];
}
