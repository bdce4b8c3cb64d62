import { describe, expect, it } from 'vitest';
import type { ScenarioLane, ScenarioMap } from '../lib/scenario/types.js';
import { distanceToOutline, isInside } from '../lib/sim/ring.js';
import type { Ring } from '../lib/sim/scene.js';
import { mapPartOf } from '../lib/sim/scene-map.js';
import { arc, handMadeLane, handMadeMap, straight } from './support/hand-made-map.js';

type Point = [number, number];

const mapOf = (lanes: readonly ScenarioLane[], rest: Partial<ScenarioMap> = {}) =>
  mapPartOf(handMadeMap(lanes, rest)).map;

const kinds = (map: ReturnType<typeof mapOf>) =>
  Object.fromEntries(map.lanes.map(({ id, isConnector }) => [id, isConnector]));

const area = (ring: Ring) =>
  Math.abs(
    ring.reduce((sum, [x, y], i) => {
      const [px, py] = ring[(i + ring.length - 1) % ring.length];
      return sum + (px * y - x * py) / 2;
    }, 0),
  );

describe('lane connectors', () => {
  it('a bend of the only way is an ordinary lane, a turn where ways part is not', () => {
    const [before, after] = [straight([-40, 0], [0, 0]), straight([20, 20], [20, 60])];
    const bend = arc([0, 20], 20, -Math.PI / 2, 0);
    const one = [
      handMadeLane(1, before, { successors: [2] }),
      handMadeLane(2, bend, { successors: [3] }),
      handMadeLane(3, after),
    ];
    expect(kinds(mapOf(one))).toEqual({ l1: false, l2: false, l3: false });
    const two = [
      handMadeLane(1, before, { successors: [2, 4] }),
      ...one.slice(1),
      handMadeLane(4, straight([0, 0], [40, 0])),
    ];
    expect(kinds(mapOf(two))).toEqual({ l1: false, l2: true, l3: false, l4: false });
  });

  it('lanes after a stop line, with their neighbours', () => {
    const line: ScenarioLane['stopLine'] = [
      [40, -1.75],
      [40, 1.75],
    ];
    const map = mapOf([
      handMadeLane(1, straight([0, 0], [40, 0]), { successors: [2], stopLine: line }),
      handMadeLane(2, straight([40, 0], [60, 0]), { leftNeighbor: 3, leftSameDirection: true }),
      handMadeLane(3, straight([40, 3.5], [60, 3.5])),
      handMadeLane(4, straight([60, 7], [40, 7])),
    ]);
    expect(kinds(map)).toEqual({ l1: false, l2: true, l3: true, l4: false });
  });

  it('lanes that cross, but not those that part, meet, follow or lie beside each other', () => {
    const cross = [
      handMadeLane(1, straight([-20, 0], [20, 0])),
      handMadeLane(2, straight([0, -20], [0, 20])),
    ];
    expect(kinds(mapOf(cross))).toEqual({ l1: true, l2: true });
    const part = [
      handMadeLane(0, straight([-40, 0], [-20, 0]), { successors: [1, 2] }),
      handMadeLane(1, straight([-20, 0], [20, 0])),
      handMadeLane(2, straight([-20, 0], [10, 12])),
    ];
    expect(Object.values(kinds(mapOf(part)))).toEqual([false, false, false]);
    // 15 degrees and 170 degrees: one beside the other, the same way or the other way.
    for (const degrees of [15, 170]) {
      const angle = (degrees * Math.PI) / 180;
      const tip: Point = [20 * Math.cos(angle), 20 * Math.sin(angle)];
      const flat = [cross[0], handMadeLane(2, straight([-tip[0], -tip[1]], tip))];
      expect(kinds(mapOf(flat)), `${degrees} degrees`).toEqual({ l1: false, l2: false });
    }
  });

  it('lanes whose type says so', () => {
    const map = mapOf([
      handMadeLane(1, straight([0, 0], [20, 0]), { type: 'junction' }),
      handMadeLane(2, straight([40, 0], [60, 0]), { type: 'roundabout' }),
      handMadeLane(3, straight([80, 0], [99, 0]), { type: 'highway' }),
    ]);
    expect(kinds(map)).toEqual({ l1: true, l2: true, l3: false });
  });
});

describe('roadblocks', () => {
  it('are chains of neighbours of one direction, linked by what their lanes are', () => {
    const side = (rest: Partial<ScenarioLane>) => ({ rightSameDirection: true, ...rest });
    const { roadblocks, lanes } = mapOf([
      handMadeLane(1, straight([0, 0], [40, 0]), {
        successors: [11],
        leftNeighbor: 2,
        leftSameDirection: true,
      }),
      handMadeLane(2, straight([0, 3.5], [40, 3.5]), side({ rightNeighbor: 1, leftNeighbor: 3 })),
      handMadeLane(3, straight([40, 7], [0, 7])),
      handMadeLane(11, straight([40, 0], [80, 0])),
    ]);
    expect(roadblocks.map(({ polygon, ...block }) => block)).toEqual([
      { id: 'rb1', isConnector: false, laneIds: ['l1', 'l2'], incoming: [], outgoing: ['rb11'] },
      { id: 'rb3', isConnector: false, laneIds: ['l3'], incoming: [], outgoing: [] },
      { id: 'rb11', isConnector: false, laneIds: ['l11'], incoming: ['rb1'], outgoing: [] },
    ]);
    expect(lanes.map(({ roadblockId }) => roadblockId)).toEqual(['rb1', 'rb1', 'rb3', 'rb11']);
    // 40 x 7 m and a shoulder of 1 m on all sides.
    expect(area(roadblocks[0].polygon)).toBeCloseTo(42 * 9, 2);
    expect(isInside([-0.9, -2.7], roadblocks[0].polygon)).toBe(true);
    expect(isInside([-1.1, 0], roadblocks[0].polygon)).toBe(false);
  });

  it('connectors from one roadblock to different ones are different roadblocks', () => {
    const junction = { type: 'junction' };
    const { roadblocks } = mapOf([
      handMadeLane(1, straight([0, 0], [20, 0]), { successors: [11, 12, 13] }),
      handMadeLane(11, straight([20, 0], [40, 0]), {
        ...junction,
        successors: [21],
        leftNeighbor: 12,
        leftSameDirection: true,
      }),
      handMadeLane(12, straight([20, 3.5], [40, 3.5]), {
        ...junction,
        successors: [22],
        leftNeighbor: 13,
        leftSameDirection: true,
      }),
      handMadeLane(13, straight([20, 7], [40, 7]), { ...junction, successors: [23] }),
      handMadeLane(21, straight([40, 0], [60, 0]), { leftNeighbor: 22, leftSameDirection: true }),
      handMadeLane(22, straight([40, 3.5], [60, 3.5])),
      handMadeLane(23, straight([40, 7], [40, 30])),
    ]);
    const lists = roadblocks.filter(({ isConnector }) => isConnector).map(({ laneIds }) => laneIds);
    expect(lists).toEqual([['l11', 'l12'], ['l13']]);
    // A connector has no shoulder.
    expect(area(roadblocks[1].polygon)).toBeCloseTo(20 * 7, 2);
  });

  it('lanes apart from each other are one ring', () => {
    const { roadblocks } = mapOf([
      handMadeLane(1, straight([0, 0], [40, 0]), { leftNeighbor: 2, leftSameDirection: true }),
      handMadeLane(2, straight([0, 20], [40, 20])),
    ]);
    expect(roadblocks.length).toBe(1);
    for (const [point, inside] of [
      [[20, 0], true],
      [[20, 20], true],
      [[20, 10], false],
      [[20, 3], false],
    ] as [Point, boolean][])
      expect(isInside(point, roadblocks[0].polygon), `${point}`).toBe(inside);
  });

  it('numbers and texts are different ids', () => {
    const { lanes } = mapOf([
      handMadeLane(1, straight([0, 0], [40, 0])),
      handMadeLane('1', straight([0, 20], [40, 20])),
    ]);
    expect(lanes.map(({ id, roadblockId }) => [id, roadblockId])).toEqual([
      ['l1', 'rb1'],
      ['l:1', 'rb:1'],
    ]);
  });
});

describe('intersections', () => {
  const crossing = [
    handMadeLane(1, straight([-20, 0], [20, 0])),
    handMadeLane(2, straight([0, -20], [0, 20])),
  ];

  it('have a shoulder and no inlets', () => {
    const { intersections } = mapOf(crossing);
    expect(intersections.length).toBe(1);
    for (const [x, y, inside] of [
      [20.9, 0, true],
      [21.1, 0, false],
      [3, 3, true],
      [12, 12, false],
    ] as [number, number, boolean][])
      expect(isInside([x, y], intersections[0].polygon), `${x}, ${y}`).toBe(inside);
  });

  it('further than 6 m apart are two, much nearer are one', () => {
    const at = (x: number) =>
      crossing.map((lane) =>
        handMadeLane(
          `${lane.id}-${x}`,
          lane.center.map(([a, b]): Point => [a + x, b]),
        ),
      );
    expect(mapOf([...at(0), ...at(40 + 6.1)]).intersections.length).toBe(2);
    expect(mapOf([...at(0), ...at(40 + 3)]).intersections.length).toBe(1);
  });

  it('keep the island of a roundabout', () => {
    const ring = [0, 1, 2, 3].map((quarter) => {
      const from = (quarter * Math.PI) / 2;
      const line = arc([0, 0], 15, from, from + Math.PI / 2);
      return handMadeLane(quarter, line, { type: 'roundabout', successors: [(quarter + 1) % 4] });
    });
    const { intersections } = mapOf(ring);
    expect(intersections.length).toBe(1);
    const [{ polygon }] = intersections;
    for (let degree = 0; degree < 360; degree += 7) {
      const at = (r: number): Point => [
        r * Math.cos((degree * Math.PI) / 180),
        r * Math.sin((degree * Math.PI) / 180),
      ];
      expect([5, 12, 15, 17.5, 18].map((r) => isInside(at(r), polygon))).toEqual([
        ...[false, false, true, true, false],
      ]);
    }
  });
});

describe('what a map leaves open', () => {
  const road = handMadeLane(1, straight([0, 0], [60, 0]));
  const box = (x0: number, y0: number, x1: number, y1: number): Point[] => [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];

  it('missing speed limits are those of the road', () => {
    const limit = (rest: Partial<ScenarioMap>, speedLimit: number | null = null) =>
      mapOf([{ ...road, speedLimit }], rest).lanes[0].speedLimit;
    expect(limit({})).toBe(11.176);
    expect(limit({ location: 'us101' })).toBe(24.5872);
    expect(limit({ location: 'us101' }, 20)).toBe(20);
  });

  it('drivable ground beyond the lanes is drivable, with its holes, and leaves no seam', () => {
    const lanesOnly = { exterior: box(0, -1.75, 60, 1.75), holes: [] };
    expect(mapOf([road], { drivableArea: [lanesOnly] }).carparks).toEqual([]);
    const lot = { exterior: box(20, -1.75, 50, 30), holes: [box(30, 10, 40, 20)] };
    const { carparks, roadblocks } = mapOf([road], { drivableArea: [lanesOnly, lot] });
    expect(carparks.map(({ id }) => id)).toEqual(['c0']);
    const [{ polygon }] = carparks;
    expect(isInside([35, 15], polygon)).toBe(false);
    for (const point of [
      [25, 15],
      [45, 15],
      [35, 5],
      [35, 25],
    ] as Point[])
      expect(isInside(point, polygon), `${point}`).toBe(true);
    for (let y = 0; y < 29; y += 0.013)
      expect(isInside([25, y], polygon) || isInside([25, y], roadblocks[0].polygon), `${y}`).toBe(
        true,
      );
  });

  it('narrow lanes are what they are, with the same shoulder', () => {
    const { lanes, roadblocks } = mapOf([handMadeLane(1, straight([0, 0], [60, 0]), {}, 1.2)]);
    expect(area(lanes[0].polygon)).toBeCloseTo(60 * 1.2, 6);
    expect(area(roadblocks[0].polygon)).toBeCloseTo(62 * 3.2, 2);
  });

  it('a lane whose border crosses itself keeps all that it encloses', () => {
    // The right border turns back on itself at the inside of a hairpin.
    const hairpin = arc([0, 0], 1.2, -Math.PI / 2, Math.PI / 2);
    const { roadblocks } = mapOf([handMadeLane(1, hairpin)]);
    for (const point of [
      [1.2, 0],
      [2.6, 0],
      [0.3, 2.8],
    ] as Point[])
      expect(isInside(point, roadblocks[0].polygon), `${point}`).toBe(true);
  });
});

describe('maps that no scene can be made from', () => {
  const refused = (lanes: readonly ScenarioLane[], message: RegExp) =>
    expect(() => mapOf(lanes)).toThrow(
      expect.objectContaining({ code: 'ERR_SCENARIO', message: expect.stringMatching(message) }),
    );

  it('no lanes, a lane without an area', () => {
    refused([], /map hand-made: expected at least one lane/);
    const line = straight([0, 0], [2, 0]);
    refused(
      [handMadeLane(7, line, { left: line, right: line })],
      /map hand-made, lane 7: .*3 distinct/,
    );
  });

  it('lanes piled up on each other, soon', () => {
    const before = performance.now();
    const lanes = Array.from({ length: 3000 }, (_, i) =>
      handMadeLane(i, straight([0, 0], [20, i / 1000])),
    );
    refused(lanes, /at most \d+ pairs of lanes that overlap/);
    expect(performance.now() - before).toBeLessThan(20_000);
  });
});

it('a map far from zero is the same map', () => {
  const lanes = (x: number, y: number) => [
    handMadeLane(1, straight([x - 30, y], [x + 30, y])),
    handMadeLane(2, straight([x + 5, y - 30], [x - 5, y + 30])),
    handMadeLane(3, arc([x + 60, y], 20, 0, 2)),
  ];
  const [near, far] = [mapOf(lanes(0, 0)), mapOf(lanes(664_000, 3_999_000))];
  for (const kind of ['roadblocks', 'intersections'] as const) {
    for (const [i, { polygon }] of near[kind].entries()) {
      for (const [x, y] of far[kind][i].polygon)
        expect(distanceToOutline([x - 664_000, y - 3_999_000], polygon)).toBeLessThan(0.011);
    }
  }
});

it('is made once for each map', () => {
  const map = handMadeMap([handMadeLane(1, straight([0, 0], [40, 0]))]);
  expect(mapPartOf(map)).toBe(mapPartOf(map));
  expect(mapPartOf({ ...map })).not.toBe(mapPartOf(map));
});
