import type { PlanCase, Pose } from '../../case.js';
import { type Bounds, horizon, include, mixPose } from '../geometry.js';

/** Seconds between waypoints. */
export const interval = 0.5;

/** The plan at a fractional refinement step: between two steps it is a blend, for the animation only. */
export function planAt(refinements: readonly (readonly Pose[])[], step: number): readonly Pose[] {
  const k = Math.min(Math.floor(step), refinements.length - 1);
  const a = refinements[k] ?? [];
  const b = refinements[k + 1];
  const s = step - k;
  if (!b || s <= 0) return a;
  const smooth = s * s * (3 - 2 * s);
  return a.map((pose, i) => mixPose(pose, b[i] ?? pose, smooth));
}

/** Pose at `time` seconds on the way from `present` through `poses`; null where they do not reach so far. */
export function poseAt(present: Pose, poses: readonly Pose[], time: number): Pose | null {
  const k = Math.floor(time / interval + 1e-9);
  const a = k === 0 ? present : poses[k - 1];
  if (!a) return null;
  const b = poses[k];
  const s = time / interval - k;
  if (s < 1e-6) return a;
  return b ? mixPose(a, b, s) : null;
}

/** Eight poses at the present speed along the present heading. */
export function constantVelocity(item: PlanCase): Pose[] {
  return Array.from({ length: horizon / interval }, (_, i) => {
    const t = (i + 1) * interval;
    return [item.speed * t, 0, 0];
  });
}

/** What a first look should show: the plans, the recorded future, a little of the past, and room around them. */
export function boundsOf(item: PlanCase): Bounds {
  const bounds = { x0: -12, y0: -14, x1: 24, y1: 14 };
  const add = (pose: Pose): void => include(bounds, pose, 6, 6);
  for (const plan of item.plans) for (const poses of plan.refinements) poses.forEach(add);
  item.ego.future.forEach(add);
  return bounds;
}
