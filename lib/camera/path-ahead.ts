import type { Lane } from '../observation.js';
import { wrapAngle } from '../scenario/observe.js';
import type { ScenarioWindow } from '../scenario/types.js';

/** Place of a point relative to a path: metres along it from the ego, and to its left. */
export interface PathPlace {
  s: number;
  lateral: number;
}

const kLength = 160; // metres of path that are looked at
const kFacing = Math.PI / 3; // a lane that a vehicle drives along has a heading within this of its own
const kAside = 2.2; // metres from a lane's middle at most

/**
 * The way that lies ahead of the ego of a window: the middle of its present lane and of those that follow it, along the
 * route as far as lanes follow each other there, then where the road turns least.
 */
export class PathAhead {
  /** The lane that the ego is in. */
  readonly lane: Lane;
  /** Lanes in order with the distance of their beginning and end from the ego along the path, metres. */
  readonly lanes: readonly { lane: Lane; from: number; to: number }[];
  readonly #points: (readonly [number, number])[] = [];
  /** Distance of each point from the ego along the path. */
  readonly #s: number[] = [];

  private constructor(lane: Lane, lanes: readonly Lane[], x: number, y: number) {
    this.lane = lane;
    const spans: { lane: Lane; from: number; to: number }[] = [];
    let s = 0;
    for (const next of lanes) {
      const from = s;
      for (const [i, point] of next.center.entries()) {
        const last = this.#points[this.#points.length - 1];
        const step = last ? Math.hypot(point[0] - last[0], point[1] - last[1]) : 0;
        if (i === 0 && last && step < 0.05) continue; // lanes share their ends
        s += step;
        this.#points.push(point);
        this.#s.push(s);
      }
      spans.push({ lane: next, from, to: s });
    }
    const here = this.place(x, y).s;
    this.#s.forEach((value, i) => {
      this.#s[i] = value - here;
    });
    this.lanes = spans.map(({ lane: of, from, to }) => ({
      lane: of,
      from: from - here,
      to: to - here,
    }));
  }

  /** The path of a window's ego; null where it is in no lane. */
  static of({ recording, ego, t0, route }: ScenarioWindow): PathAhead | null {
    const track = recording.tracks[ego];
    const k = t0 - track.start;
    const [x, y, heading] = [track.x[k], track.y[k], track.heading[k]];
    const lanes = new Map(recording.map.lanes.map((lane) => [lane.id, lane as Lane]));
    const present = presentLane(lanes, route, x, y, heading);
    if (!present) return null;
    const chain: Lane[] = [present.lane];
    let length = -present.s;
    for (let at = present.lane; ; ) {
      length += lengthOf(at);
      if (length > kLength) break;
      const next = follower(at, lanes, route);
      if (!next || chain.includes(next)) break;
      chain.push(next);
      at = next;
    }
    return new PathAhead(present.lane, chain, x, y);
  }

  /** Where the path ends, metres ahead of the ego. */
  get length(): number {
    return this.#s[this.#s.length - 1];
  }

  /** The place of a point: of the nearest point of the path. */
  place(x: number, y: number): PathPlace {
    // Squares: a picture asks for hundreds of points.
    let nearest = Number.POSITIVE_INFINITY;
    let [end, share, side] = [0, 0, 0];
    for (let i = 1; i < this.#points.length; ++i) {
      const [ax, ay] = this.#points[i - 1];
      const [dx, dy] = [this.#points[i][0] - ax, this.#points[i][1] - ay];
      const square = dx * dx + dy * dy;
      if (square < 1e-18) continue;
      const t = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square));
      const [ox, oy] = [x - ax - t * dx, y - ay - t * dy];
      const distance = ox * ox + oy * oy;
      if (distance >= nearest) continue;
      [nearest, end, share, side] = [distance, i, t, dx * (y - ay) - dy * (x - ax)];
    }
    const distance = Math.sqrt(nearest);
    if (end === 0) return { s: 0, lateral: distance };
    const [from, to] = [this.#s[end - 1], this.#s[end]];
    return { s: from + share * (to - from), lateral: side < 0 ? -distance : distance };
  }

  /** The point at a distance ahead of the ego, not beyond the path's ends. */
  at(s: number): readonly [number, number] {
    const i = this.#segment(s);
    const [ax, ay] = this.#points[i - 1];
    const [bx, by] = this.#points[i];
    const span = this.#s[i] - this.#s[i - 1];
    const t = span > 0 ? Math.min(1, Math.max(0, (s - this.#s[i - 1]) / span)) : 0;
    return [ax + t * (bx - ax), ay + t * (by - ay)];
  }

  /** Heading of the path at a distance ahead of the ego, radians. */
  heading(s: number): number {
    const i = this.#segment(s);
    const [ax, ay] = this.#points[i - 1];
    const [bx, by] = this.#points[i];
    return Math.atan2(by - ay, bx - ax);
  }

  /** The end point of the piece that holds a distance. */
  #segment(s: number): number {
    let i = 1;
    while (i < this.#s.length - 1 && this.#s[i] < s) ++i;
    return i;
  }
}

/** Length of a lane's middle, metres. */
function lengthOf({ center }: Lane): number {
  let sum = 0;
  for (let i = 1; i < center.length; ++i) {
    sum += Math.hypot(center[i][0] - center[i - 1][0], center[i][1] - center[i - 1][1]);
  }
  return sum;
}

/** The lane around a place that leads the way that a vehicle there drives: of the route, or else any. */
function presentLane(
  lanes: ReadonlyMap<number | string, Lane>,
  route: readonly (number | string)[],
  x: number,
  y: number,
  heading: number,
): { lane: Lane; s: number } | null {
  const onRoute = route.map((id) => lanes.get(id)).filter((lane) => lane !== undefined);
  return nearestLane(onRoute, x, y, heading) ?? nearestLane([...lanes.values()], x, y, heading);
}

function nearestLane(lanes: readonly Lane[], x: number, y: number, heading: number) {
  let best: { lane: Lane; s: number } | null = null;
  let nearest = kAside;
  for (const lane of lanes) {
    let s = 0;
    for (let i = 1; i < lane.center.length; ++i) {
      const [ax, ay] = lane.center[i - 1];
      const [dx, dy] = [lane.center[i][0] - ax, lane.center[i][1] - ay];
      const length = Math.hypot(dx, dy);
      const along = length > 0 ? ((x - ax) * dx + (y - ay) * dy) / length : 0;
      const t = Math.min(length, Math.max(0, along));
      const distance =
        length > 0 ? Math.hypot(x - ax - (dx * t) / length, y - ay - (dy * t) / length) : Infinity;
      if (distance < nearest && Math.abs(wrapAngle(Math.atan2(dy, dx) - heading)) < kFacing) {
        nearest = distance;
        best = { lane, s: s + t };
      }
      s += length;
    }
  }
  return best;
}

/** The lane after `lane`: on the route, or else the one that turns least. */
function follower(
  lane: Lane,
  lanes: ReadonlyMap<number | string, Lane>,
  route: readonly (number | string)[],
): Lane | null {
  const next = lane.successors.map((id) => lanes.get(id)).filter((item) => item !== undefined);
  const routed = next.find(({ id }) => route.includes(id));
  if (routed) return routed;
  let best: Lane | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of next) {
    const turn = Math.abs(turnOf(candidate));
    if (turn < least) [best, least] = [candidate, turn];
  }
  return best;
}

/** Heading at the end of a lane less that at its beginning, radians, left positive. */
export function turnOf({ center }: Lane): number {
  const n = center.length - 1;
  const first = Math.atan2(center[1][1] - center[0][1], center[1][0] - center[0][0]);
  const last = Math.atan2(center[n][1] - center[n - 1][1], center[n][0] - center[n - 1][0]);
  return wrapAngle(last - first);
}
