import type { Pose } from '../case.js';

/** Seconds of a plan. */
export const horizon = 4;

/** Axis-aligned bounds of points. */
export interface Bounds {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Part `s` of the way from `a` to `b`; the heading takes the short way round. */
export function mixPose(a: Pose, b: Pose, s: number): Pose {
  const turn = Math.atan2(Math.sin(b[2] - a[2]), Math.cos(b[2] - a[2]));
  return [a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1]), a[2] + s * turn];
}

/** Grows `bounds` so that `pose` lies in it with `along` and `across` metres to spare. */
export function include(bounds: Bounds, pose: Pose, along: number, across: number): void {
  bounds.x0 = Math.min(bounds.x0, pose[0] - along);
  bounds.x1 = Math.max(bounds.x1, pose[0] + along);
  bounds.y0 = Math.min(bounds.y0, pose[1] - across);
  bounds.y1 = Math.max(bounds.y1, pose[1] + across);
}
