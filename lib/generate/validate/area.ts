import type { RoadMap } from '../../observation.js';
import type { Point } from './violation.js';

interface Ring {
  points: readonly Point[];
  minX: number;
  minY: number;
  maxX: number;
  maxY: number;
}

const kCell = 24; // metres

/** The drivable area of a map as a union of polygons, found through a grid. */
export class DrivableArea {
  readonly #cells = new Map<string, { exterior: Ring; holes: Ring[] }[]>();

  constructor(map: RoadMap) {
    for (const { exterior, holes } of map.drivableArea) {
      const polygon = { exterior: ring(exterior), holes: holes.map(ring) };
      const { minX, minY, maxX, maxY } = polygon.exterior;
      for (let i = Math.floor(minX / kCell); i <= Math.floor(maxX / kCell); ++i) {
        for (let k = Math.floor(minY / kCell); k <= Math.floor(maxY / kCell); ++k) {
          const key = `${i},${k}`;
          const list = this.#cells.get(key);
          if (list) list.push(polygon);
          else this.#cells.set(key, [polygon]);
        }
      }
    }
  }

  /** Whether a point, metres, is inside; borders may be told either way. */
  contains(x: number, y: number): boolean {
    const list = this.#cells.get(`${Math.floor(x / kCell)},${Math.floor(y / kCell)}`) ?? [];
    return list.some(
      ({ exterior, holes }) =>
        isInside(exterior, x, y) && !holes.some((hole) => isInside(hole, x, y)),
    );
  }

  /** Whether a point, or one within `slack` metres of it in eight directions, is inside. */
  containsNearly(x: number, y: number, slack: number): boolean {
    if (this.contains(x, y)) return true;
    for (let k = 0; k < 8; ++k) {
      const [dx, dy] = [slack * Math.cos((k * Math.PI) / 4), slack * Math.sin((k * Math.PI) / 4)];
      if (this.contains(x + dx, y + dy)) return true;
    }
    return false;
  }
}

function ring(points: readonly Point[]): Ring {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return {
    points,
    minX: Math.min(...xs),
    minY: Math.min(...ys),
    maxX: Math.max(...xs),
    maxY: Math.max(...ys),
  };
}

/** Even-odd rule: a ray to +x crosses the ring an odd number of times. */
function isInside({ points, minX, minY, maxX, maxY }: Ring, x: number, y: number): boolean {
  if (x < minX || x > maxX || y < minY || y > maxY) return false;
  let inside = false;
  for (let i = 0, k = points.length - 1; i < points.length; k = i++) {
    const [[ax, ay], [bx, by]] = [points[i], points[k]];
    if (ay > y !== by > y && x < ax + ((bx - ax) * (y - ay)) / (by - ay)) inside = !inside;
  }
  return inside;
}
