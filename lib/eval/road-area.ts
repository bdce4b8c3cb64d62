import type { RoadMap } from '../observation.js';

type Point = readonly [number, number];

/** A closed ring as flat x0, y0, x1, y1, ... with its bounds. */
interface Ring {
  points: Float64Array;
  minX: number;
  minY: number;
  maxX: number;
  maxY: number;
}

interface Polygon {
  exterior: Ring;
  holes: readonly Ring[];
}

// Where a lane ends at the edge of the map, the road does not: it is continued straight by this many metres.
const kBeyondMap = 60;

/** Where one may drive on a map: the union of its lanes and of its drivable area. */
export class RoadArea {
  readonly #polygons: readonly Polygon[];

  /** @param beyond metres by which lanes that end at the edge of the map are continued. */
  constructor(map: RoadMap, beyond = kBeyondMap) {
    const polygons: Polygon[] = [];
    for (const lane of map.lanes) {
      polygons.push(polygon([...lane.left, ...[...lane.right].reverse()]));
      if (lane.successors.length === 0 && beyond > 0) {
        polygons.push(polygon(extension(lane, beyond)));
      }
    }
    for (const area of map.drivableArea) polygons.push(polygon(area.exterior, area.holes));
    this.#polygons = polygons;
  }

  contains(x: number, y: number): boolean {
    return this.#polygons.some(
      ({ exterior, holes }) =>
        boundsDistance(exterior, x, y) === 0 &&
        isInside(exterior, x, y) &&
        !holes.some((ring) => isInside(ring, x, y)),
    );
  }

  /** Metres from a point to the area; 0 inside, Infinity for an empty map. */
  distance(x: number, y: number): number {
    let best = Number.POSITIVE_INFINITY;
    for (const { exterior, holes } of this.#polygons) {
      if (boundsDistance(exterior, x, y) >= best) continue;
      let distance = 0;
      if (isInside(exterior, x, y)) {
        const hole = holes.find((ring) => isInside(ring, x, y));
        if (!hole) return 0;
        distance = ringDistance(hole, x, y);
      } else {
        distance = ringDistance(exterior, x, y);
      }
      best = Math.min(best, distance);
    }
    return best;
  }
}

/** The rectangle that goes on straight at the end of a lane. */
function extension(lane: RoadMap['lanes'][number], beyond: number): Point[] {
  const last = lane.center.length - 1;
  const end = lane.center[last];
  let from = last - 1;
  while (from > 0 && lane.center[from][0] === end[0] && lane.center[from][1] === end[1]) --from;
  const [dx, dy] = [end[0] - lane.center[from][0], end[1] - lane.center[from][1]];
  const scale = beyond / Math.max(Math.hypot(dx, dy), 1e-9);
  const ahead = ([x, y]: Point): Point => [x + dx * scale, y + dy * scale];
  const [left, right] = [lane.left[last], lane.right[last]];
  return [left, ahead(left), ahead(right), right];
}

function polygon(exterior: readonly Point[], holes: readonly (readonly Point[])[] = []): Polygon {
  return { exterior: ring(exterior), holes: holes.map(ring) };
}

function ring(points: readonly Point[]): Ring {
  const flat = new Float64Array(points.length * 2);
  let [minX, minY, maxX, maxY] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [i, [x, y]] of points.entries()) {
    flat[2 * i] = x;
    flat[2 * i + 1] = y;
    minX = Math.min(minX, x);
    minY = Math.min(minY, y);
    maxX = Math.max(maxX, x);
    maxY = Math.max(maxY, y);
  }
  return { points: flat, minX, minY, maxX, maxY };
}

/** Lower bound of the distance to a ring: 0 inside its bounding box. */
function boundsDistance(r: Ring, x: number, y: number): number {
  const dx = Math.max(r.minX - x, 0, x - r.maxX);
  const dy = Math.max(r.minY - y, 0, y - r.maxY);
  return Math.hypot(dx, dy);
}

/** Even-odd rule: a ray to +x crosses the ring an odd number of times. */
function isInside(r: Ring, x: number, y: number): boolean {
  const p = r.points;
  let inside = false;
  for (let i = 0, j = p.length - 2; i < p.length; j = i, i += 2) {
    if (p[i + 1] > y !== p[j + 1] > y) {
      const crossing = p[i] + ((p[j] - p[i]) * (y - p[i + 1])) / (p[j + 1] - p[i + 1]);
      if (x < crossing) inside = !inside;
    }
  }
  return inside;
}

function ringDistance(r: Ring, x: number, y: number): number {
  const p = r.points;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0, j = p.length - 2; i < p.length; j = i, i += 2) {
    best = Math.min(best, segmentDistance(p[j], p[j + 1], p[i], p[i + 1], x, y));
  }
  return best;
}

function segmentDistance(
  ax: number,
  ay: number,
  bx: number,
  by: number,
  x: number,
  y: number,
): number {
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy;
  const along =
    square === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}
