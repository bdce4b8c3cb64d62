import type { SceneAgentType } from '../sim/scene.js';
import type { SubScore } from '../sim/score-rows.js';
import type { FlatLine, PageInfo, Pose } from './case.js';

// What a score page shows. Lengths in metres, angles in radians, times in seconds from the present, steps of 0.1 s;
// everything in the frame of the ego's rear axle at the present: x ahead, y to the left. The page's code and Node's
// share this.

/** States of a rollout, one a step: 0 to 4 s. */
export const kRolloutStates = 41;

/** A surface of the road. */
export interface ScoreArea {
  kind: 'roadblock' | 'intersection' | 'carpark';
  ring: FlatLine;
}

/** A lane or lane connector. */
export interface ScoreLane {
  id: string;
  isConnector: boolean;
  ring: FlatLine;
  baseline: FlatLine;
  /** Of the route that the scorer goes by. */
  onRoute: boolean;
}

/** Lanes (indices) by the colour of their light, from `t` on. */
export interface ScoreLights {
  t: number;
  red: readonly number[];
  green: readonly number[];
}

/** An object: box centres at the times `t`, between which it is interpolated. */
export interface ScoreAgent {
  token: string;
  type: SceneAgentType;
  length: number;
  width: number;
  t: readonly number[];
  poses: readonly Pose[];
}

/** A lost mark, with where to draw it. */
export interface ScoreFailure {
  metric: SubScore;
  score: number;
  /** The recorded driver fails it too, and the human filter sets it to 1. */
  forgiven: boolean;
  text: string;
  /** As explained; before 0 for a comfort that fails in the history; null: at no one time. */
  timeS: number | null;
  /** The step of the rollout to look at, 0 to 40; null: none. */
  step: number | null;
  /** Steps [from, to] of the rollout at fault, beside `step`. */
  stretches: readonly (readonly [from: number, to: number])[];
  /** Index of the object; null: none. */
  agent: number | null;
  /** Seconds that ego and object are projected ahead; null: not at all. */
  lookAheadS: number | null;
  /** Corner of the box: front-left, rear-left, rear-right, front-right; null: none. */
  corner: 0 | 1 | 2 | 3 | null;
  /** Index of the lane connector; null: none. */
  lane: number | null;
}

/** A trajectory with what it got. */
export interface ScoredTrajectory {
  id: string;
  label: string;
  /** As planned, rear axle, 0.5 s apart, the first at 0.5 s. */
  poses: readonly Pose[];
  /** As driven: rear axle and speed (m/s) at each step. */
  rollout: readonly Pose[];
  speeds: readonly number[];
  /** After the human filter where there is one. */
  score: number;
  /** Without it. */
  unfilteredScore: number;
  /** Unfiltered. */
  subScores: Readonly<Record<SubScore, number>>;
  progressM: number;
  failures: readonly ScoreFailure[];
  /** Objects that reacted to this trajectory, by index, with their poses at each step; empty for recorded traffic. */
  reacted: readonly { agent: number; poses: readonly Pose[] }[];
}

/** One scene with its scored trajectories, under the rules of one version. */
export interface ScoreCase {
  id: string;
  /** Heading under which the list groups it. */
  group: string;
  version: 'v1' | 'v2';
  traffic: 'replay' | 'reactive';
  /** Scores are after the human filter. */
  filtered: boolean;
  /** Present speed of the ego, m/s. */
  speed: number;
  /** The ego's box around its rear axle. */
  ego: { front: number; rear: number; width: number };
  areas: readonly ScoreArea[];
  lanes: readonly ScoreLane[];
  lights: readonly ScoreLights[];
  /** Line of progress. */
  centerline: FlatLine;
  agents: readonly ScoreAgent[];
  /** What the driver did, rear axle, 0.5 s apart, the first at 0.5 s; empty when unknown. */
  human: readonly Pose[];
  trajectories: readonly ScoredTrajectory[];
  /** PDM-Closed: its rollout, progress (m), and its proposals with the scores that it gave them itself. */
  reference: {
    rollout: readonly Pose[];
    progressM: number;
    best: number;
    proposals: readonly { poses: readonly Pose[]; score: number }[];
  };
}

/** What the page reads. */
export interface ScorePageData extends PageInfo {
  cases: readonly ScoreCase[];
}
