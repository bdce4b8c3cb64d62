/**
 * The simulator's part of the native addon. Metres, radians, m/s in the global frame. A state is 11 numbers: x, y,
 * heading, vx, vy, ax, ay, steering angle, steering rate, yaw rate, yaw acceleration (rear axle; velocity and
 * acceleration in the body frame); a rollout is 41 of them, 0.1 s apart.
 *
 * Lists of lists come as two arrays: all items one after the other, and where each list begins (one number more than
 * there are lists).
 */

declare const kKind: unique symbol;
/** A map of scenes, immutable; shared by the scorers on it. */
export type NativeSimMap = { readonly [kKind]: 'map of scenes' };
/** A scene that is set up for scoring. */
export type NativeScorer = { readonly [kKind]: 'scorer' };

/** Layers of {@link NativeReference.areas}, by code. */
export const kLayers = ['roadblock', 'lane', 'lane_connector', 'intersection', 'carpark'] as const;

export interface NativeSceneMap {
  /** Counts; roadblocks and lanes are as many as `blockConnector` and `laneBlock` have entries. */
  intersections: number;
  carparks: number;
  /** Vertices [n, 2] of all polygons: roadblocks, lanes, intersections, car parks. */
  rings: Float64Array;
  ringStarts: Int32Array;
  /** 0 or 1. */
  blockConnector: Int32Array;
  blockLanes: Int32Array;
  blockLaneStarts: Int32Array;
  blockIncoming: Int32Array;
  blockIncomingStarts: Int32Array;
  blockOutgoing: Int32Array;
  blockOutgoingStarts: Int32Array;
  laneBlock: Int32Array;
  laneConnector: Int32Array;
  /** Negative: unknown. */
  laneSpeedLimit: Float64Array;
  /** [n, 3]: x, y, heading. */
  baselines: Float64Array;
  baselineStarts: Int32Array;
  laneIncoming: Int32Array;
  laneIncomingStarts: Int32Array;
  laneOutgoing: Int32Array;
  laneOutgoingStarts: Int32Array;
}

export interface NativeScene {
  /** Roadblock indices. */
  route: Int32Array;
  /** One state. */
  ego: Float64Array;
  timeUs: number;
  /** 4 states, or none. */
  past: Float64Array;
  /** 8 poses in the ego's frame, or none. */
  human: Float64Array;
  /** Index into `kObjectTypes`. */
  objectTypes: Int32Array;
  /** [objects, 2]: length, width. */
  boxes: Float64Array;
  /** [n, 6]: microseconds from the present, x, y, heading, vx, vy. */
  samples: Float64Array;
  sampleStarts: Int32Array;
  /** Microseconds from the present. */
  lightTimes: Float64Array;
  /** Lane indices. */
  redLanes: Int32Array;
  redLaneStarts: Int32Array;
}

export interface NativeScorerOptions {
  version: 'v1' | 'v2';
  traffic: 'replay' | 'reactive';
  /** 1 to 256. */
  threads: number;
}

/** What a scorer found out about its scene. */
export interface NativeReference {
  /** Corrected route, its lanes, and those of them that are driven: indices. */
  routeBlocks: Int32Array;
  routeLanes: Int32Array;
  lanePath: Int32Array;
  /** [n, 3]. */
  centerline: Float64Array;
  speedLimit: number;
  /** [n, 2]: code of {@link kLayers} and index of the areas near enough to count. */
  areas: Int32Array;
  /** Of the 15 proposals. */
  scores: Float64Array;
  rawProgress: Float64Array;
  best: number;
  /** [51, 2]: progress and speed of the best along its path. */
  idm: Float64Array;
  /** [51, 3] of the best; [41, 3] as a scorer samples it; [41, 11] driven. */
  poses: Float64Array;
  reference: Float64Array;
  rollout: Float64Array;
  /** [15, 41, 3]. */
  proposals: Float64Array;
  /** Row of results of the reference's rollout alone, and of the recorded driver's (lib/sim/score-rows.ts). */
  row: Float64Array;
  humanRow?: Float64Array;
}

export interface SimAddon {
  /** Throws `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_SCENARIO`. */
  createSimMap(map: NativeSceneMap): NativeSimMap;
  /** Sets the scene up on the calling thread. Throws as {@link SimAddon.createSimMap}. */
  createScorer(map: NativeSimMap, scene: NativeScene, options: NativeScorerOptions): NativeScorer;
  /**
   * Scores on the scorer's own thread. `input`: poses [n, count, 3] in the ego's frame, `interval` seconds apart, or with
   * `count` 0 rollouts [n, 41, 11]. The result holds rows of results [n, columns] and then, when wanted, rollouts
   * [n, 41, 11]. Resolves to undefined when aborted.
   */
  score(
    scorer: NativeScorer,
    input: Float64Array,
    n: number,
    count: number,
    interval: number,
    wantsRollouts: boolean,
    job: number,
  ): Promise<ArrayBuffer | undefined>;
  /** The same on the calling thread, into the caller's arrays. */
  scoreSync(
    scorer: NativeScorer,
    input: Float64Array,
    n: number,
    count: number,
    interval: number,
    rows: Float64Array,
    rollouts?: Float64Array,
  ): void;
  /** Drops a waiting call, stops a running one; an unknown job is ignored. */
  abortScore(scorer: NativeScorer, job: number): void;
  /** Rejects pending calls with `ERR_CLOSED`; resolves when the scorer's thread, if it has one, has ended. */
  closeScorer(scorer: NativeScorer): Promise<void>;
  scorerBytes(scorer: NativeScorer): number;
  scorerReference(scorer: NativeScorer): NativeReference;
  /** Vehicles that react to a rollout: index of the scene's object, and rows [steps, 5] x, y, heading, vx, vy. */
  reactiveTracks(
    scorer: NativeScorer,
    rollout: Float64Array,
  ): { object: number; states: Float64Array }[];

  /** `ego`: a state; `poses` [n, 3] in its frame. reference [41, 3], velocity and curvature [40], rollout [41, 11]. */
  simulateTrajectory(
    ego: Float64Array,
    timeUs: number,
    poses: Float64Array,
    interval: number,
  ): {
    reference: Float64Array;
    velocity: Float64Array;
    curvature: Float64Array;
    rollout: Float64Array;
  };
  /** `states` [n, 11] 0.1 s apart. Six flags, 0 or 1, and the filtered series [6, n]. */
  comfort(states: Float64Array, version: 1 | 2): { withinBound: Int32Array; signals: Float64Array };
  /** Root mean squares of acceleration, jerk, yaw rate, yaw acceleration; then 1 when all are within their bounds. */
  extendedComfort(now: Float64Array, previous: Float64Array, interval: number): Float64Array;
}
