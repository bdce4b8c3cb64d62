import type { Command, LightColor } from '../observation.js';

// What a plans page shows. Lengths in metres, angles in radians, everything in the ego's present frame: x ahead, y to
// the left, origin at the point that the plan is for. The page's code and Node's share this and errors.ts.

/** x, y, heading. */
export type Pose = readonly [x: number, y: number, heading: number];

/** x0, y0, x1, y1, ...: half the bytes of nested pairs. */
export type FlatLine = readonly number[];

/** How a lane border is painted. */
export type Border = 'edge' | 'dashed' | 'opposite' | 'none';

/** One lane near the ego. */
export interface CaseLane {
  center: FlatLine;
  left: FlatLine;
  right: FlatLine;
  leftBorder: Border;
  rightBorder: Border;
  /** The ego was told to take it. */
  onRoute: boolean;
  stopLine: FlatLine | null;
  /** Colour of its light now; null without one. */
  light: LightColor | null;
}

/** A road user: poses are of the box centre. */
export interface CaseVehicle {
  length: number;
  width: number;
  /** Oldest first, the last is the present. */
  history: readonly Pose[];
  /** Recorded poses at 0.5 s, 1 s, ... after the present; ends where the recording does. */
  future: readonly Pose[];
}

/** One plan of a case: the same observation under one set of sampler options. */
export interface CasePlan {
  /** Short name on the switch: `1 step`. */
  label: string;
  /** The rest: `median, renoise rule, seed 0`. */
  detail: string;
  /** The plan after each step that ran, first to last; each 8 poses, 0.5 s apart. */
  refinements: readonly (readonly Pose[])[];
  /** Of the last step; empty for a single sample. */
  samples: readonly (readonly Pose[])[];
  /** Milliseconds of a call. */
  latencyMs: number;
  /** What `latencyMs` is: `median of 40 calls`. */
  latencyDetail: string;
}

/** One observation with its plans. */
export interface PlanCase {
  id: string;
  /** Heading under which the list groups it: a road or a kind of scene. */
  group: string;
  command: Command;
  /** Present speed of the ego, m/s. */
  speed: number;
  lanes: readonly CaseLane[];
  agents: readonly CaseVehicle[];
  /** The ego; `history` and `future` are of the planned point. */
  ego: CaseVehicle & { centerOffset: number };
  plans: readonly CasePlan[];
}

/** What the page's head says. */
export interface PageInfo {
  title: string;
  /** One line: model, threads, version. */
  subtitle: string;
}
