import { futureFromWindow, isValidAt, wrapAngle } from '../scenario/observe.js';
import {
  kWaypointInterval,
  kWaypoints,
  type ScenarioWindow,
  type Track,
} from '../scenario/types.js';
import { type Box, boxesOverlap } from './geometry.js';
import type { RoadArea } from './road-area.js';

/** A trajectory: [8, 3] poses x, y (metres), heading (radians) in the ego's present frame, 0.5 s apart. */
export type Trajectory = Float32Array | Float64Array;

/** Numbers that describe one plan of one window; rates are 0 or 1 there. */
export interface PlanMetrics {
  /** Mean and final distance to the recorded positions, metres. */
  ade: number;
  fde: number;
  /** 1 when the ego's box overlaps that of a recorded vehicle at a waypoint. */
  collisionRate: number;
  /** 1 when the box centre is off the road at a waypoint. */
  offroadRate: number;
  /** Mean difference between the direction of motion and the heading, radians. */
  headingError: number;
  /** Mean change of the acceleration along the path, m/s^3. */
  jerk: number;
}

// Recorded boxes are uncertain by 0.1 m to 0.2 m (99th percentile of the tracking noise), and a few
// vehicles overlap all the time. Each side of both boxes gives way by this much.
const kBoxSlack = 0.1;
// The same holds for lane borders against vehicle centres.
const kRoadSlack = 0.35;
// A step shorter than this (under 1 m/s) has no direction to speak of: it counts as no error.
const kMovingStep = 0.5;

/** Distance to the recorded position at each waypoint: mean and last, metres. */
export function displacement(plan: Trajectory, recorded: Trajectory): { ade: number; fde: number } {
  let sum = 0;
  let last = 0;
  for (let i = 0; i < 3 * kWaypoints; i += 3) {
    last = Math.hypot(plan[i] - recorded[i], plan[i + 1] - recorded[i + 1]);
    sum += last;
  }
  return { ade: sum / kWaypoints, fde: last };
}

/** Lowest ADE among samples, metres. */
export function minAde(samples: readonly Trajectory[], recorded: Trajectory): number {
  return Math.min(...samples.map((sample) => displacement(sample, recorded).ade));
}

/**
 * Mean |second difference of speed| / dt^2, m/s^3: the jerk along the path. Speeds are distances between neighbouring
 * waypoints, the present pose included, so a turn of the frame changes nothing. Constant velocity has 0.
 */
export function pathJerk(plan: Trajectory): number {
  const speed = (i: number) => stepLength(plan, i) / kWaypointInterval;
  let sum = 0;
  for (let i = 2; i < kWaypoints; ++i) sum += Math.abs(speed(i) - 2 * speed(i - 1) + speed(i - 2));
  return sum / (kWaypoints - 2) / kWaypointInterval ** 2;
}

/**
 * Mean |direction of the step - heading half way|, radians, over the 8 steps. Steps under 0.5 m count as 0. A vehicle
 * on a circle has exactly 0, a plan whose positions and headings disagree does not.
 */
export function headingError(plan: Trajectory): number {
  let sum = 0;
  for (let i = 0; i < kWaypoints; ++i) {
    if (stepLength(plan, i) < kMovingStep) continue;
    const before = i === 0 ? 0 : plan[3 * i - 1];
    const halfWay = before + wrapAngle(plan[3 * i + 2] - before) / 2;
    const direction = Math.atan2(
      plan[3 * i + 1] - (i === 0 ? 0 : plan[3 * i - 2]),
      plan[3 * i] - (i === 0 ? 0 : plan[3 * i - 3]),
    );
    sum += Math.abs(wrapAngle(direction - halfWay));
  }
  return sum / kWaypoints;
}

/** Judges plans of one window; what does not depend on the plan is computed once. */
export class WindowJudge {
  /** What the driver did, [8, 3]. */
  readonly recorded: Float64Array;
  readonly #road: RoadArea;
  readonly #ego: Box;
  /** Boxes of the other vehicles at each waypoint time, in the frame of the map. */
  readonly #others: readonly (readonly Box[])[];

  /** @param window with a future of at least 4 s. @param road of the window's map. */
  constructor(window: ScenarioWindow, road: RoadArea) {
    const { tracks, dt } = window.recording;
    const ego = tracks[window.ego];
    const stride = Math.round(kWaypointInterval / dt);
    this.recorded = futureFromWindow(window).poses;
    this.#road = road;
    this.#ego = boxAt(ego, window.t0);
    this.#others = Array.from({ length: kWaypoints }, (_, i) => {
      const step = window.t0 + (i + 1) * stride;
      return tracks
        .filter((other) => other !== ego && isValidAt(other, step))
        .map((other) => boxAt(other, step));
    });
  }

  /** All metrics of one plan. */
  metrics(plan: Trajectory): PlanMetrics {
    const boxes = this.#place(plan);
    const hit = boxes.some((box, i) => this.#others[i].some((other) => boxesOverlap(box, other)));
    const off = boxes.some(({ x, y }) => this.#road.distance(x, y) > kRoadSlack);
    return {
      ...displacement(plan, this.recorded),
      collisionRate: hit ? 1 : 0,
      offroadRate: off ? 1 : 0,
      headingError: headingError(plan),
      jerk: pathJerk(plan),
    };
  }

  /** The ego's box at each waypoint, in the frame of the map. */
  #place(plan: Trajectory): Box[] {
    const { heading, length, width } = this.#ego;
    const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
    return Array.from({ length: kWaypoints }, (_, i) => {
      const [x, y] = [plan[3 * i], plan[3 * i + 1]];
      return {
        x: this.#ego.x + cos * x - sin * y,
        y: this.#ego.y + sin * x + cos * y,
        heading: heading + plan[3 * i + 2],
        length,
        width,
      };
    });
  }
}

/** The box of a track at a step, without the slack. */
function boxAt(track: Track, step: number): Box {
  const k = step - track.start;
  return {
    x: track.x[k],
    y: track.y[k],
    heading: track.heading[k],
    length: Math.max(0, track.length - 2 * kBoxSlack),
    width: Math.max(0, track.width - 2 * kBoxSlack),
  };
}

/** Length of the step that ends in waypoint `i`, metres. */
function stepLength(plan: Trajectory, i: number): number {
  if (i === 0) return Math.hypot(plan[0], plan[1]);
  return Math.hypot(plan[3 * i] - plan[3 * i - 3], plan[3 * i + 1] - plan[3 * i - 2]);
}
