import fc from 'fast-check';
import { expect, it } from 'vitest';
import { native } from '../lib/native.js';
import { ExactArea, type Point, segmentsMeet, turn } from './support/exact-geometry.js';

// The simulator's predicates against rational arithmetic: equal in every case, on shapes that break rounded geometry.

/** Where shapes lie: at the origin, in a UTM zone, far beyond it. */
const origin = fc.constantFrom<Point>([0, 0], [6e5, 4e6], [-123456.789, 3.3e6], [-9e7, 9e7]);

/** Exact as long as products of differences stay within the range of doubles (native/sim/geometry.h). */
const kept = (v: number) => (Math.abs(v) < 1e-100 ? 0 : v);

/** Coordinates that often coincide, are in line, or lie next to each other by the last bit. */
const near = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 2, arbitrary: fc.integer({ min: -30, max: 30 }).map((v) => v / 10) },
  { weight: 1, arbitrary: fc.constantFrom(1e-9, -1e-12, 1e-30, 2 ** -40, 1 / 3, Math.PI) },
  { weight: 1, arbitrary: fc.double({ min: -4, max: 4, noNaN: true }).map(kept) },
);
const point = fc.tuple(near, near);

/** A point (almost) on the line through two points: at `t` of the way, moved by a few units of the last place. */
const along = fc.record({
  t: fc.oneof(fc.constantFrom(0, 0.5, 1, 0.25), fc.double({ min: -0.5, max: 1.5, noNaN: true })),
  x: fc.integer({ min: -2, max: 2 }),
  y: fc.integer({ min: -2, max: 2 }),
});
type Along = { t: number; x: number; y: number };

function onLine(a: Point, b: Point, { t, x, y }: Along): Point {
  const at = (u: number, v: number, units: number) => {
    const value = u + t * (v - u);
    return value + units * Math.max(Math.abs(value), 2 ** -40) * Number.EPSILON;
  };
  return [at(a[0], b[0], x), at(a[1], b[1], y)];
}

const moved = (p: Point, o: Point): Point => [p[0] + o[0], p[1] + o[1]];
const flat = (points: readonly Point[]) => Float64Array.from(points.flat());

/** Rings of every kind: slivers, needles, repeated and collinear vertices, crossing edges. */
const ring = fc
  .record({
    points: fc.array(point, { minLength: 3, maxLength: 9 }),
    between: fc.array(along, { maxLength: 3 }),
    squeeze: fc.constantFrom(1, 1, 1e-6, 1e-12),
  })
  .map(({ points, between, squeeze }) => {
    const thin = points.map(([x, y]): Point => [x, y * squeeze]);
    between.forEach((place, i) => {
      const at = (i * 2) % (thin.length - 1);
      thin.splice(at + 1, 0, onLine(thin[at]!, thin[at + 1]!, place));
    });
    return thin;
  });

/** Boxes as the simulator makes them, of cars and of slivers. */
const box = fc
  .record({
    x: near,
    y: near,
    heading: fc.oneof(
      fc.constantFrom(0, Math.PI / 2, Math.PI, Math.PI / 4, 1e-9),
      fc.double({ min: -4, max: 4, noNaN: true }),
    ),
    length: fc.constantFrom(1, 2, 5.176, 0.01),
    width: fc.constantFrom(1, 2, 2.297, 0.001),
  })
  .map(({ x, y, heading, length, width }) => [x, y, heading, length, width]);

function cornersOf(boxes: readonly number[][], o: Point): Point[][] {
  const moved = boxes.map(([x, y, ...rest]) => [x! + o[0], y! + o[1], ...rest]);
  const numbers = native().boxCorners(Float64Array.from(moved.flat()));
  return boxes.map((_, i) =>
    [0, 1, 2, 3].map((k): Point => [numbers[8 * i + 2 * k]!, numbers[8 * i + 2 * k + 1]!]),
  );
}

/** Brings the first corner of a box onto a point, or next to it. */
function pinned(corners: readonly Point[], to: Point): Point[] {
  const [x, y] = corners[0]!;
  return corners.map((p) => [p[0] - x + to[0], p[1] - y + to[1]]);
}

/** Still a box after rounding: convex, counter-clockwise. */
const isBox = (c: readonly Point[]) =>
  c.every((p, i) => turn(p, c[(i + 1) % 4]!, c[(i + 2) % 4]!) > 0);

it('turns', () => {
  fc.assert(
    fc.property(origin, point, point, point, along, (o, a, b, c, place) => {
      const [u, v] = [moved(a, o), moved(b, o)];
      const triples = [
        [u, v, moved(c, o)],
        [u, v, onLine(u, v, place)],
        [onLine(u, v, place), u, v],
      ] as const;
      const found = native().turns(flat(triples.flat()));
      expect([...found]).toEqual(triples.map(([p, q, r]) => turn(p, q, r)));
    }),
    { numRuns: 5_000, seed: 1 },
  );
});

it('segments', () => {
  fc.assert(
    fc.property(origin, point, point, point, point, along, (o, a, b, c, d, place) => {
      const [p, q, r, s] = [a, b, c, d].map((v) => moved(v, o)) as [Point, Point, Point, Point];
      const on = onLine(p, q, place);
      const cases = [
        [p, q, r, s],
        [p, q, on, r],
        [p, q, r, on],
        [p, q, on, on],
        [p, q, q, r],
      ] as const;
      const found = native().segmentsMeet(
        flat(cases.flatMap((four) => four.slice(0, 2))),
        flat(cases.flatMap((four) => four.slice(2))),
      );
      expect([...found]).toEqual(cases.map((c) => Number(segmentsMeet(...c))));
    }),
    { numRuns: 3_000, seed: 2 },
  );
});

it('points in polygons: inside, on the border, outside', () => {
  const seen = [0, 0, 0];
  fc.assert(
    fc.property(
      origin,
      ring,
      fc.array(along, { minLength: 3, maxLength: 3 }),
      point,
      (o, r, ps, p) => {
        const there = r.map((v) => moved(v, o));
        const area = new ExactArea(there);
        const points = [
          ...there,
          ...ps.map((place, i) => onLine(there[i]!, there[(i + 1) % there.length]!, place)),
          moved(p, o),
          [there[0]![0], there[1]![1]] as const,
        ];
        const found = native().locatePoints(flat(there), flat(points));
        const expected = points.map((each) => area.locate(each));
        expect([...found]).toEqual(expected);
        for (const each of expected) ++seen[each]!;
      },
    ),
    { numRuns: 2_000, seed: 3 },
  );
  for (const count of seen) expect(count).toBeGreaterThan(1_000);
});

it('boxes with boxes and segments', () => {
  let met = 0;
  let cases = 0;
  fc.assert(
    fc.property(origin, box, box, along, point, (o, a, b, place, p) => {
      const [u, v] = cornersOf([a, b], o) as [Point[], Point[]];
      const edge = onLine(u[0]!, u[1]!, place);
      const others = [v, pinned(v, edge), pinned(v, u[2]!), pinned(u, u[2]!)].filter(isBox);
      if (!isBox(u) || others.length === 0) return;
      const area = new ExactArea(u);
      const expected = others.map((other) => Number(area.meets(new ExactArea(other))));
      const many = flat(others.flatMap(() => u));
      expect([...native().boxesMeet(many, flat(others.flat()))]).toEqual(expected);
      expect([...native().boxesMeet(flat(others.flat()), many)]).toEqual(expected);
      met += expected.filter(Boolean).length;
      cases += expected.length;
      const segments = [
        [edge, moved(p, o)],
        [moved(p, o), v[0]!],
        [edge, edge],
      ] as const;
      const hits = native().boxesMeetSegments(
        flat(segments.flatMap(() => u)),
        flat(segments.flat()),
      );
      expect([...hits]).toEqual(segments.map(([f, t]) => Number(area.meetsSegment(f, t))));
    }),
    { numRuns: 800, seed: 4 },
  );
  expect(met).toBeGreaterThan(cases / 4);
  expect(met).toBeLessThan(cases * 0.95);
});

it('boxes with polygons', () => {
  let met = 0;
  let cases = 0;
  fc.assert(
    fc.property(origin, ring, box, along, (o, r, b, place) => {
      const there = r.map((v) => moved(v, o));
      const [corners] = cornersOf([b], o) as [Point[]];
      const edge = onLine(there[0]!, there[1]!, place);
      const boxes = [corners, pinned(corners, edge), pinned(corners, there[2]!)].filter(isBox);
      const area = new ExactArea(there);
      const expected = boxes.map((each) => Number(area.meets(new ExactArea(each))));
      const found = native().boxesMeetPolygon(flat(boxes.flat()), flat(there));
      expect([...found]).toEqual(expected);
      met += expected.filter(Boolean).length;
      cases += expected.length;
    }),
    { numRuns: 800, seed: 5 },
  );
  expect(met).toBeGreaterThan(cases / 4);
  expect(met).toBeLessThan(cases * 0.95);
});

it('projections onto a line against dense samples of it', () => {
  const step = fc.record({
    turn: fc.double({ min: -0.8, max: 0.8, noNaN: true }),
    length: fc.constantFrom(0, 0.5, 1, 3),
  });
  const offset = fc.double({ min: -8, max: 8, noNaN: true });
  fc.assert(
    fc.property(
      fc.constantFrom<Point>([0, 0], [6e5, 4e6]),
      fc.array(step, { minLength: 2, maxLength: 30 }),
      fc.array(fc.tuple(offset, offset), { minLength: 1, maxLength: 5 }),
      (o, steps, offsets) => {
        let [x, y, heading] = [o[0], o[1], 0];
        const line = [[x, y, heading]];
        for (const { turn, length } of steps) {
          heading += turn;
          x += length * Math.cos(heading);
          y += length * Math.sin(heading);
          line.push([x, y, heading]);
        }
        // 5 mm apart: the nearest sample is at most that much farther than the nearest point.
        const samples: [number, number, number][] = [];
        let progress = 0;
        for (let i = 1; i < line.length; i++) {
          const [ax, ay] = line[i - 1]!;
          const [bx, by] = line[i]!;
          const length = Math.hypot(bx! - ax!, by! - ay!);
          const n = Math.max(1, Math.ceil(length / 0.005));
          for (let k = 0; k <= n; k++) {
            const t = k / n;
            samples.push([ax! + t * (bx! - ax!), ay! + t * (by! - ay!), progress + t * length]);
          }
          progress += length;
        }
        const middle = line[line.length >> 1]!;
        const points = offsets.map(([dx, dy]): Point => [middle[0]! + dx, middle[1]! + dy]);
        const found = native().projectPoints(Float64Array.from(line.flat()), flat(points));
        points.forEach(([px, py], i) => {
          const distances = samples.map(([sx, sy]) => Math.hypot(sx - px, sy - py));
          const least = Math.min(...distances);
          const [along, distance] = [found[2 * i]!, found[2 * i + 1]!];
          expect(distance).toBeLessThanOrEqual(least + 1e-8);
          expect(distance).toBeGreaterThanOrEqual(least - 0.003);
          // A sample beside the place that was found is as near as it says.
          const beside = samples.findIndex(([, , s]) => Math.abs(s - along) <= 0.0026);
          expect(Math.abs(distances[beside]! - distance)).toBeLessThan(0.006);
        });
      },
    ),
    { numRuns: 200, seed: 6 },
  );
});
