import type { Ring } from './scene.js';

/** A point `[x, y]` in metres. */
export type Point = readonly [number, number];

/** Metres that an outline may move when vertices are left out. */
const kTolerance = 0.005;
// Longer runs are cut, so that no shape of outline takes more than linear time.
const kMaxRun = 64;

/**
 * A ring without repetitions: no vertex equals the one before, nor the last the first. Null when fewer than 3 distinct
 * ones are left.
 */
export function cleanRing(points: readonly Point[]): Ring | null {
  const ring = withoutRepeats(points);
  if (ring.length > 1 && isSame(ring[0], ring[ring.length - 1])) ring.pop();
  const [a, b] = ring;
  // Neighbours differ, so a third vertex is one that is neither the first nor the second.
  return ring.some((p) => !isSame(p, a) && !isSame(p, b)) ? ring : null;
}

/** Points without those that equal the one before. */
export function withoutRepeats<P extends readonly number[]>(points: readonly P[]): P[] {
  return points.filter((p, i) => i === 0 || !isSame(p, points[i - 1]));
}

/** A ring without the vertices that lie within 5 mm of a straight line between those that stay. */
export function thinned(ring: Ring): Ring {
  const kept: Point[] = [];
  for (let begin = 0; begin < ring.length; begin += kMaxRun) {
    keepBetween(ring, begin, Math.min(begin + kMaxRun, ring.length), kept);
  }
  return kept.length >= 3 ? kept : ring;
}

/** Whether a point is inside a ring by the even-odd rule. */
export function isInside([x, y]: Point, ring: Ring): boolean {
  let inside = false;
  let [ax, ay] = ring[ring.length - 1];
  for (const [bx, by] of ring) {
    if (ay > y !== by > y && x < ax + ((y - ay) * (bx - ax)) / (by - ay)) inside = !inside;
    [ax, ay] = [bx, by];
  }
  return inside;
}

/** Metres from a point to the outline of a ring. */
export function distanceToOutline(point: Point, ring: Ring): number {
  let nearest = Infinity;
  for (let i = 0, k = ring.length - 1; i < ring.length; k = i++) {
    nearest = Math.min(nearest, distanceToSegment(point, ring[k], ring[i]));
  }
  return nearest;
}

/** Metres from a point to the segment from `a` to `b`. */
export function distanceToSegment([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const squared = dx * dx + dy * dy;
  const along = squared === 0 ? 0 : ((x - ax) * dx + (y - ay) * dy) / squared;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Keeps vertex `first` and those that the line from it to vertex `last` (of the ring) is too far from. */
function keepBetween(ring: Ring, first: number, last: number, kept: Point[]): void {
  const [a, b] = [ring[first], ring[last % ring.length]];
  let [farthest, worst] = [0, kTolerance];
  for (let i = first + 1; i < last; ++i) {
    const distance = distanceToSegment(ring[i], a, b);
    if (distance > worst) [farthest, worst] = [i, distance];
  }
  if (farthest === 0) {
    kept.push(a);
    return;
  }
  keepBetween(ring, first, farthest, kept);
  keepBetween(ring, farthest, last, kept);
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
