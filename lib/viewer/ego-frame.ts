import type { FlatLine, Pose } from './case.js';

/** Points of a line that lie this near (metres) to a straight line between others are left out. */
const kTolerance = 0.03;

export type Point = readonly [number, number, ...unknown[]];

/** The map's frame to the ego's present frame. */
export interface Frame {
  point(x: number, y: number): [number, number];
  /** Rounded to centimetres and milliradians. */
  pose(x: number, y: number, heading: number): Pose;
}

/** The frame of a pose in the map's. */
export function frameAt(x0: number, y0: number, heading0: number): Frame {
  const [cos, sin] = [Math.cos(heading0), Math.sin(heading0)];
  const point = (x: number, y: number): [number, number] => {
    const [dx, dy] = [x - x0, y - y0];
    return [cos * dx + sin * dy, cos * dy - sin * dx];
  };
  return { point, pose: (x, y, heading) => roundPose(...point(x, y), heading - heading0) };
}

/** A pose rounded to centimetres and milliradians, its heading within pi. */
export function roundPose(x: number, y: number, heading: number): Pose {
  const wrapped = Math.atan2(Math.sin(heading), Math.cos(heading));
  return [round(x, 2), round(y, 2), round(wrapped, 3)];
}

/** Points as x0, y0, x1, y1, ..., rounded to centimetres, those that a straight line replaces left out. */
export function flat(points: readonly Point[]): FlatLine {
  return thin(points).flatMap(([x, y]) => [round(x, 2), round(y, 2)]);
}

/** Drops points within the tolerance of the line between those that stay (Douglas-Peucker, without recursion). */
function thin(points: readonly Point[]): readonly Point[] {
  const keep = new Uint8Array(points.length).fill(1, 0, 1).fill(1, -1);
  const spans: [number, number][] = [[0, points.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [from, to] = span;
    let farthest = -1;
    let worst = kTolerance;
    for (let i = from + 1; i < to; ++i) {
      const off = distanceToSegment(points[i]!, points[from]!, points[to]!);
      if (off > worst) [farthest, worst] = [i, off];
    }
    if (farthest < 0) continue;
    keep[farthest] = 1;
    spans.push([from, farthest], [farthest, to]);
  }
  return points.filter((_, i) => keep[i] === 1);
}

/** Metres from `p` to the nearest point between `a` and `b`. */
function distanceToSegment(p: Point, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const [px, py] = [p[0] - a[0], p[1] - a[1]];
  const square = dx * dx + dy * dy;
  const s = square === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / square));
  return Math.hypot(px - s * dx, py - s * dy);
}

/** `value` with so many decimals. */
export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  // + 0 turns -0, which JSON would keep as a sign, into 0.
  return Math.round(value * scale) / scale + 0;
}
