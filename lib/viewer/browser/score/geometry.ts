import type { Pose } from '../../case.js';
import type { ScoreAgent, ScoreCase, ScoredTrajectory, ScoreLights } from '../../score-case.js';
import { type Bounds, include, mixPose } from '../geometry.js';

export type Point = readonly [number, number];

/** The state of a rollout at `time` seconds; it holds at its ends. */
export function rolloutAt(rollout: readonly Pose[], time: number): Pose {
  const last = rollout.length - 1;
  const at = Math.min(last, Math.max(0, time * 10));
  // A tenth of a second has no exact binary form: what is within rounding of a step is that step.
  const k = Math.floor(at + 1e-6);
  const a = rollout[k] as Pose;
  return at - k < 1e-6 ? a : mixPose(a, rollout[Math.min(last, k + 1)] as Pose, at - k);
}

/** An object at `time`: between the frames in which it is seen; seen once, it is there all the time; null: not seen. */
export function agentAt(agent: ScoreAgent, time: number): Pose | null {
  const { t, poses } = agent;
  if (t.length === 1) return poses[0] as Pose;
  const k = t.findIndex((other) => other >= time - 1e-6);
  if (k < 0) return null;
  const after = t[k] as number;
  if (after <= time + 1e-6) return poses[k] as Pose;
  if (k === 0) return null;
  const before = t[k - 1] as number;
  return mixPose(poses[k - 1] as Pose, poses[k] as Pose, (time - before) / (after - before));
}

/** Where object `index` is at `time` while `trajectory` is driven: it may have reacted to it. */
export function agentFor(
  item: ScoreCase,
  trajectory: ScoredTrajectory | null,
  index: number,
  time: number,
): Pose | null {
  const reacted = trajectory?.reacted.find(({ agent }) => agent === index);
  if (reacted && reacted.poses.length > 0 && time <= (reacted.poses.length - 1) / 10 + 1e-6) {
    return rolloutAt(reacted.poses, time);
  }
  const agent = item.agents[index];
  return agent ? agentAt(agent, time) : null;
}

/** Lights that hold at `time`: the last ones not after it; null: none yet. */
export function lightsAt(lights: readonly ScoreLights[], time: number): ScoreLights | null {
  return lights.findLast(({ t }) => t <= time + 1e-6) ?? null;
}

/** Centre of the ego's box, with its size, from the pose of its rear axle. */
export function egoBox(ego: ScoreCase['ego'], axle: Pose): { pose: Pose; size: BoxSize } {
  const ahead = (ego.front - ego.rear) / 2;
  const [x, y, heading] = axle;
  return {
    pose: [x + ahead * Math.cos(heading), y + ahead * Math.sin(heading), heading],
    size: { length: ego.front + ego.rear, width: ego.width },
  };
}

/** Metres. */
export interface BoxSize {
  length: number;
  width: number;
}

/** Corners of a box: front-left, rear-left, rear-right, front-right; counter-clockwise. */
export function cornersOf(pose: Pose, { length, width }: BoxSize): [Point, Point, Point, Point] {
  const [c, s] = [Math.cos(pose[2]), Math.sin(pose[2])];
  const at = (ahead: number, left: number): Point => [
    pose[0] + c * ahead - s * left,
    pose[1] + s * ahead + c * left,
  ];
  const [l, w] = [length / 2, width / 2];
  return [at(l, w), at(-l, w), at(-l, -w), at(l, -w)];
}

/** `pose` moved on along its heading. */
export function ahead(pose: Pose, metres: number): Pose {
  return [pose[0] + metres * Math.cos(pose[2]), pose[1] + metres * Math.sin(pose[2]), pose[2]];
}

/** Middle of what two convex counter-clockwise polygons share; null: nothing. */
export function overlapCenter(a: readonly Point[], b: readonly Point[]): Point | null {
  let shared: readonly Point[] = a;
  for (let i = 0; i < b.length && shared.length > 0; i++) {
    shared = clip(shared, b[i] as Point, b[(i + 1) % b.length] as Point);
  }
  if (shared.length === 0) return null;
  const sum = shared.reduce<Point>(([x, y], p) => [x + p[0], y + p[1]], [0, 0]);
  return [sum[0] / shared.length, sum[1] / shared.length];
}

/** What of a convex polygon lies left of the line from `a` to `b`. */
function clip(polygon: readonly Point[], a: Point, b: Point): Point[] {
  const side = (p: Point): number => (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
  return polygon.flatMap((p, i) => {
    const q = polygon[(i + 1) % polygon.length] as Point;
    const [sp, sq] = [side(p), side(q)];
    const kept: Point[] = sp >= 0 ? [p] : [];
    if (sp >= 0 !== sq >= 0) {
      const s = sp / (sp - sq);
      kept.push([p[0] + s * (q[0] - p[0]), p[1] + s * (q[1] - p[1])]);
    }
    return kept;
  });
}

/** Metres from a point to a line of poses; infinite for an empty one. */
export function distanceTo(line: readonly Pose[], [x, y]: Point): number {
  let least = Number.POSITIVE_INFINITY;
  line.forEach((a, i) => {
    const b = line[i + 1] ?? a;
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const square = dx * dx + dy * dy;
    const along = (x - a[0]) * dx + (y - a[1]) * dy;
    const s = square === 0 ? 0 : Math.min(1, Math.max(0, along / square));
    least = Math.min(least, Math.hypot(x - a[0] - s * dx, y - a[1] - s * dy));
  });
  return least;
}

/** What a first look should show: every rollout. */
export function boundsOf(item: ScoreCase): Bounds {
  const bounds = { x0: -8, y0: -10, x1: 16, y1: 10 };
  const rollouts = item.trajectories.map(({ rollout }) => rollout);
  for (const pose of [...rollouts, item.reference.rollout].flat()) include(bounds, pose, 6, 6);
  return bounds;
}

/** What a failure is about: ego and object, now and projected; null for one that is at no one place. */
export function focusOf(
  item: ScoreCase,
  trajectory: ScoredTrajectory | null,
  failure: number | null,
): Bounds | null {
  const { step, agent, lookAheadS } = trajectory?.failures[failure ?? -1] ?? {};
  if (!trajectory || step === undefined || step === null) return null;
  const axle = rolloutAt(trajectory.rollout, step / 10);
  const later = lookAheadS ?? 0;
  const bounds = { x0: axle[0], y0: axle[1], x1: axle[0], y1: axle[1] };
  include(bounds, egoBox(item.ego, axle).pose, 14, 10);
  include(bounds, ahead(axle, (trajectory.speeds[step] ?? 0) * later), 10, 8);
  for (const time of [step / 10, step / 10 + later]) {
    const pose = typeof agent === 'number' ? agentFor(item, trajectory, agent, time) : null;
    if (pose) include(bounds, pose, 8, 8);
  }
  return bounds;
}
