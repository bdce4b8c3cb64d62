import type { Lane } from '../observation.js';
import type { ScenarioLane } from '../scenario/types.js';

type Point = readonly [number, number];
type Points = readonly Point[];

/** A painted line on the road. */
export interface Paint {
  points: Points;
  /** Metres: its width, and paint and gap in turn (gap 0: solid). */
  width: number;
  on: number;
  off: number;
  /** Between the two directions of a road: yellow in some countries. */
  middle: boolean;
}

const kLineWidth = 0.12;
const kBroadLineWidth = 0.25;
const kStopLineWidth = 0.4;
const kSolid = { on: 100, off: 0 };
const kTownDash = { on: 3, off: 6 };
const kFastDash = { on: 6, off: 12 };
const kFast = 22; // m/s

/** A border is not painted where it lies farther inside another lane than this, metres: lanes cross or merge there. */
const kInside = 0.3;

/** Everything that is painted on a road: the markings of lanes, once where two lanes share one, and stop lines. */
export function* paintOf(lanes: readonly Lane[]): Generator<Paint> {
  const byId = new Map(lanes.map((lane) => [lane.id, lane]));
  const ground = lanes.map(outlineOf);
  for (const lane of lanes) {
    const [left, right] = markingsOf(lane);
    const fast = (lane.speedLimit ?? 0) > kFast;
    const others = ground.filter((outline) => outline.lane !== lane);
    const paint = function* (border: Points, marking: string, middle: boolean): Generator<Paint> {
      const width = marking.includes('broad') ? kBroadLineWidth : kLineWidth;
      const dash = marking.includes('dashed') ? (fast ? kFastDash : kTownDash) : kSolid;
      for (const points of openParts(border, others)) yield { points, width, ...dash, middle };
    };
    if (left !== null) {
      yield* paint(lane.left, left, lane.leftNeighbor !== null && !lane.leftSameDirection);
    }
    // A line between two lanes is the left one's right and the right one's left.
    const beside = lane.rightNeighbor === null ? undefined : byId.get(lane.rightNeighbor);
    const shared = beside && lane.rightSameDirection && markingsOf(beside)[0] !== null;
    if (right !== null && !shared) yield* paint(lane.right, right, false);
    if (lane.stopLine) {
      yield { points: lane.stopLine, width: kStopLineWidth, ...kSolid, middle: false };
    }
  }
}

/** Painted marking on the left and on the right of a lane, null where there is none or nothing is known. */
export function markingsOf(lane: Lane): readonly [string | null, string | null] {
  return (lane as Partial<ScenarioLane>).markings ?? [null, null];
}

interface Outline {
  lane: Lane;
  ring: Point[];
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

function outlineOf(lane: Lane): Outline {
  const ring = [...lane.right, ...[...lane.left].reverse()];
  const outline = { lane, ring, x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
  for (const [x, y] of ring) {
    outline.x0 = Math.min(outline.x0, x);
    outline.y0 = Math.min(outline.y0, y);
    outline.x1 = Math.max(outline.x1, x);
    outline.y1 = Math.max(outline.y1, y);
  }
  return outline;
}

/** The parts of a line that lie in none of the lanes. */
function* openParts(line: Points, lanes: readonly Outline[]): Generator<Points> {
  let part: Point[] = [];
  for (let i = 1; i < line.length; ++i) {
    const [a, b] = [line[i - 1], line[i]];
    const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as const;
    if (lanes.some((outline) => isDeepIn(outline, middle))) {
      if (part.length > 1) yield part;
      part = [];
    } else {
      if (part.length === 0) part.push(a);
      part.push(b);
    }
  }
  if (part.length > 1) yield part;
}

function isDeepIn({ ring, x0, y0, x1, y1 }: Outline, [x, y]: Point): boolean {
  if (x < x0 || x > x1 || y < y0 || y > y1) return false;
  let inside = false;
  for (let i = 0, k = ring.length - 1; i < ring.length; k = i++) {
    const [[ax, ay], [bx, by]] = [ring[k], ring[i]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return (
    inside && ring.every((a, i) => segmentDistance(x, y, a, ring[(i + 1) % ring.length]) > kInside)
  );
}

function segmentDistance(x: number, y: number, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
