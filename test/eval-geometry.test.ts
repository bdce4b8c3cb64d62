import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Box, boxesOverlap } from '../lib/eval/geometry.js';
import { RoadArea } from '../lib/eval/road-area.js';
import type { Lane, RoadMap } from '../lib/observation.js';

const box = fc.record({
  x: fc.double({ min: -6, max: 6, noNaN: true }),
  y: fc.double({ min: -6, max: 6, noNaN: true }),
  heading: fc.double({ min: -7, max: 7, noNaN: true }),
  length: fc.double({ min: 0.5, max: 9, noNaN: true }),
  width: fc.double({ min: 0.5, max: 4, noNaN: true }),
});

/** Metres by which a point lies inside a box; negative outside. */
function depth({ x, y, heading, length, width }: Box, px: number, py: number): number {
  const along = (px - x) * Math.cos(heading) + (py - y) * Math.sin(heading);
  const across = (py - y) * Math.cos(heading) - (px - x) * Math.sin(heading);
  return Math.min(length / 2 - Math.abs(along), width / 2 - Math.abs(across));
}

/** Depth in `b` of the deepest point of a grid over `a`. */
function deepest(a: Box, b: Box, cells: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (let i = 0; i <= cells; ++i) {
    for (let k = 0; k <= cells; ++k) {
      const along = a.length * (i / cells - 0.5);
      const across = a.width * (k / cells - 0.5);
      const px = a.x + along * Math.cos(a.heading) - across * Math.sin(a.heading);
      const py = a.y + along * Math.sin(a.heading) + across * Math.cos(a.heading);
      best = Math.max(best, depth(b, px, py));
    }
  }
  return best;
}

describe('boxes overlap', () => {
  it('exactly when a point of one lies in the other', () => {
    const seen = { overlap: 0, apart: 0 };
    fc.assert(
      fc.property(box, box, (a, b) => {
        const cells = 40;
        const grid = deepest(a, b, cells);
        // Every point of a is within half a cell's diagonal of a grid point, and depth changes by at most the distance.
        const slack = Math.hypot(a.length, a.width) / cells / 2;
        const overlap = boxesOverlap(a, b);
        expect(boxesOverlap(b, a)).toBe(overlap);
        if (grid > 1e-9) expect(overlap).toBe(true);
        if (grid < -slack - 1e-9) expect(overlap).toBe(false);
        ++seen[overlap ? 'overlap' : 'apart'];
      }),
      { numRuns: 1000, seed: 1 },
    );
    expect(Math.min(seen.overlap, seen.apart)).toBeGreaterThan(150);
  });

  it('not when they only touch', () => {
    const a = { x: 0, y: 0, heading: 0, length: 4, width: 2 };
    expect(boxesOverlap(a, { ...a, x: 4 })).toBe(false);
    expect(boxesOverlap(a, { ...a, x: 3.999 })).toBe(true);
    expect(boxesOverlap(a, { ...a, y: 2 })).toBe(false);
    // Corner to corner, turned by 45 degrees: 2 + sqrt(2) * 1.5 along x.
    const turned = { x: 0, y: 0, heading: Math.PI / 4, length: 3, width: 3 };
    expect(boxesOverlap(a, { ...turned, x: 2 + 1.5 * Math.SQRT2 + 1e-9 })).toBe(false);
    expect(boxesOverlap(a, { ...turned, x: 2 + 1.5 * Math.SQRT2 - 1e-9 })).toBe(true);
  });
});

function lane(center: [number, number][], rest: Partial<Lane> = {}): Lane {
  const shifted = (by: number) => center.map(([x, y]): [number, number] => [x, y + by]);
  return {
    id: 1,
    center,
    left: shifted(2),
    right: shifted(-2),
    successors: [],
    predecessors: [],
    leftNeighbor: null,
    leftSameDirection: false,
    rightNeighbor: null,
    rightSameDirection: false,
    speedLimit: null,
    stopLine: null,
    ...rest,
  };
}

function mapOf(lanes: Lane[], drivableArea: RoadMap['drivableArea'] = []): RoadMap {
  return { id: 'map', lanes, drivableArea };
}

const square = (r: number, x = 0, y = 0): [number, number][] => [
  [x - r, y - r],
  [x + r, y - r],
  [x + r, y + r],
  [x - r, y + r],
];

describe('the road', () => {
  it('is the union of lanes; the distance is to the nearest border', () => {
    const road = new RoadArea(
      mapOf([
        lane(
          [
            [0, 0],
            [10, 0],
          ],
          { successors: [2] },
        ),
        lane(
          [
            [10, 0],
            [20, 0],
          ],
          { id: 2, successors: [1] },
        ),
      ]),
    );
    expect(road.distance(5, 1.9)).toBe(0);
    expect(road.distance(10, 0)).toBe(0);
    expect(road.distance(5, 2.5)).toBeCloseTo(0.5, 12);
    expect(road.distance(23, 6)).toBeCloseTo(5, 12);
    expect(road.distance(-3, 0)).toBeCloseTo(3, 12);
  });

  it('goes on straight where a lane ends without a successor, for 60 m', () => {
    const road = new RoadArea(
      mapOf([
        lane([
          [0, 0],
          [10, 0],
        ]),
      ]),
    );
    expect(road.distance(69, 1)).toBe(0);
    expect(road.distance(71, 1)).toBeCloseTo(1, 12);
    expect(road.distance(69, 3)).toBeCloseTo(1, 12);
    expect(road.distance(-1, 0)).toBeCloseTo(1, 12);
  });

  it('has the drivable area too, without its holes', () => {
    const road = new RoadArea(mapOf([], [{ exterior: square(10), holes: [square(3)] }]));
    expect(road.distance(5, 5)).toBe(0);
    expect(road.distance(0, 0)).toBeCloseTo(3, 12);
    expect(road.distance(2, 0)).toBeCloseTo(1, 12);
    expect(road.distance(13, 14)).toBeCloseTo(5, 12);
  });

  it('is nowhere on an empty map', () => {
    expect(new RoadArea(mapOf([])).distance(0, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it('has the distance that a dense sampling of a curved lane gives', () => {
    const arc = (r: number) =>
      Array.from({ length: 40 }, (_, i): [number, number] => [
        r * Math.cos(0.05 * i),
        r * Math.sin(0.05 * i),
      ]);
    const [center, left, right] = [arc(30), arc(28.2), arc(31.8)];
    const road = new RoadArea(mapOf([{ ...lane(center), left, right, successors: [1] }]));
    fc.assert(
      fc.property(
        fc.double({ min: 20, max: 40, noNaN: true }),
        fc.double({ min: 0.1, max: 1.85, noNaN: true }),
        (r, angle) => {
          const exact = Math.max(0, 28.2 - r, r - 31.8);
          // Chords of 0.05 rad lie up to r (1 - cos 0.025) = 1 cm inside their circle.
          expect(
            Math.abs(road.distance(r * Math.cos(angle), r * Math.sin(angle)) - exact),
          ).toBeLessThan(0.011);
        },
      ),
      { numRuns: 500, seed: 4 },
    );
  });
});
