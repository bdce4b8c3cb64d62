import type { RoadMap } from '../../observation.js';
import type { Point } from './violation.js';

const kBand = 6; // metres

/** The drivable area of a map: the union of its polygons. */
export class DrivableArea {
  readonly #polygons: readonly { exterior: Ring; holes: readonly Ring[] }[];

  constructor(map: RoadMap) {
    this.#polygons = map.drivableArea.map(({ exterior, holes }) => ({
      exterior: new Ring(exterior),
      holes: holes.map((hole) => new Ring(hole)),
    }));
  }

  /** Whether a point, metres, is inside; borders may be told either way. */
  contains(x: number, y: number): boolean {
    return this.#polygons.some(
      ({ exterior, holes }) =>
        exterior.contains(x, y) && !holes.some((hole) => hole.contains(x, y)),
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

/**
 * A closed ring. Roads are long and narrow: rays are cast across the longer side of the ring's bounding box, and only
 * the edges in the ray's band are looked at.
 */
class Ring {
  readonly #edges: readonly (readonly [number, number, number, number])[];
  readonly #bands = new Map<number, (readonly [number, number, number, number])[]>();
  readonly #bounds: readonly [number, number, number, number];
  readonly #swapped: boolean;

  constructor(points: readonly Point[]) {
    const xs = points.map(([x]) => x);
    const ys = points.map(([, y]) => y);
    const [minX, maxX, minY, maxY] = [
      Math.min(...xs),
      Math.max(...xs),
      Math.min(...ys),
      Math.max(...ys),
    ];
    this.#bounds = [minX, maxX, minY, maxY];
    this.#swapped = maxX - minX > maxY - minY;
    this.#edges = points.map(([x, y], i) => {
      const [u, v] = points[(i + 1) % points.length];
      return this.#swapped ? [y, x, v, u] : [x, y, u, v];
    });
  }

  /** Even-odd rule. */
  contains(x: number, y: number): boolean {
    const [minX, maxX, minY, maxY] = this.#bounds;
    if (x < minX || x > maxX || y < minY || y > maxY) return false;
    const [p, q] = this.#swapped ? [y, x] : [x, y];
    let inside = false;
    for (const [ap, aq, bp, bq] of this.#band(Math.floor(q / kBand))) {
      if (aq > q !== bq > q && p < ap + ((bp - ap) * (q - aq)) / (bq - aq)) inside = !inside;
    }
    return inside;
  }

  #band(index: number) {
    const known = this.#bands.get(index);
    if (known) return known;
    const [low, high] = [index * kBand, (index + 1) * kBand];
    const band = this.#edges.filter(
      ([, a, , b]) => Math.max(a, b) >= low && Math.min(a, b) <= high,
    );
    this.#bands.set(index, band);
    return band;
  }
}
