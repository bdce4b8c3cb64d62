import { describe, expect, test } from 'vitest';
import type { Recording, ScenarioLane, ScenarioMap, Track } from '../lib/scenario/types.js';
import { caseFromWindow, posesOf } from '../lib/viewer/build-case.js';

// Everything below is laid out along a heading of 30 degrees from (1000, 2000): the page must show it along +x from 0.
const [x0, y0, angle] = [1000, 2000, Math.PI / 6];
const place = (ahead: number, left: number): [number, number] => [
  x0 + ahead * Math.cos(angle) - left * Math.sin(angle),
  y0 + ahead * Math.sin(angle) + left * Math.cos(angle),
];

function lane(id: number, left: number, more: Partial<ScenarioLane>): ScenarioLane {
  const line = (offset: number) =>
    Array.from({ length: 251 }, (_, i) => place(-250 + 2 * i, left + offset));
  return {
    id,
    center: line(0),
    left: line(1.75),
    right: line(-1.75),
    successors: [],
    predecessors: [],
    leftNeighbor: null,
    leftSameDirection: false,
    rightNeighbor: null,
    rightSameDirection: false,
    speedLimit: null,
    stopLine: null,
    type: 'urban',
    markings: ['solid', 'solid'],
    ...more,
  };
}

/** A track at `speed` that is at (ahead, left) at step 20; seen in steps [start, start + n). */
function track(ahead: number, left: number, speed: number, start: number, n: number): Track {
  const steps = Array.from({ length: n }, (_, i) =>
    place(ahead + speed * (start + i - 20) * 0.1, left),
  );
  return {
    id: 0,
    type: 'car',
    length: 4.5,
    width: 1.8,
    start,
    x: Float64Array.from(steps, ([x]) => x),
    y: Float64Array.from(steps, ([, y]) => y),
    heading: new Float64Array(n).fill(angle),
    vx: new Float64Array(n).fill(speed * Math.cos(angle)),
    vy: new Float64Array(n).fill(speed * Math.sin(angle)),
  };
}

const map: ScenarioMap = {
  id: 'map',
  location: 'test road',
  drivableArea: [],
  lanes: [
    lane(1, 0, { leftNeighbor: 2, leftSameDirection: true, markings: ['dashed', 'solid'] }),
    lane(2, 3.5, {
      rightNeighbor: 1,
      rightSameDirection: true,
      leftNeighbor: 3,
      markings: ['broad_solid', 'dashed'],
    }),
    lane(3, 7, { markings: [null, null], leftNeighbor: 2 }),
    lane(4, 300, {}),
  ],
};
const recording: Recording = {
  id: 'r',
  map,
  location: 'test road',
  split: 'val',
  source: 'test',
  sourceFiles: [],
  dt: 0.1,
  steps: 80,
  tracks: [
    track(0, 0, 10, 0, 61),
    track(30, 3.5, 5, 10, 30),
    track(400, 0, 5, 0, 80),
    track(50, 0, 5, 30, 40),
  ],
  signals: [],
  removedVehicles: [],
};
const item = caseFromWindow(
  {
    id: 'w',
    recording,
    split: 'val',
    ego: 0,
    t0: 20,
    history: 20,
    future: 40,
    command: 'straight',
    route: [1],
    laneChange: false,
    turnDeg: 0,
    v0: 10,
    path4s: 40,
    agents40m: 1,
  },
  [],
);

describe('case of a window', () => {
  test('is given in the ego frame at the present', () => {
    expect(item.speed).toBe(10);
    expect(item.ego.history[0]).toEqual([-20, 0, 0]);
    expect(item.ego.history.at(-1)).toEqual([0, 0, 0]);
    expect(item.ego.future).toHaveLength(8);
    expect(item.ego.future[7]).toEqual([40, 0, 0]);
  });

  test('has the vehicles that are seen now and are near, up to where their recording ends', () => {
    expect(item.agents).toHaveLength(1);
    const [agent] = item.agents;
    expect(agent.history.at(-1)).toEqual([30, 3.5, 0]);
    expect(agent.history[0]).toEqual([25, 3.5, 0]); // seen for 1 s
    // Seen to step 39, so at 0.5, 1 and 1.5 s.
    expect(agent.future.map(([x]) => x)).toEqual([32.5, 35, 37.5]);
  });

  test('has the lanes near the ego, cut and without points that a straight line does not need', () => {
    expect(item.lanes).toHaveLength(3);
    const [own] = item.lanes;
    expect(own.center).toHaveLength(4);
    expect(own.center[0]).toBeCloseTo(-110, -1);
    expect(own.center[2]).toBeCloseTo(110, -1);
    expect(own.left[1]).toBeCloseTo(1.75, 6);
    expect(item.lanes.map(({ onRoute }) => onRoute)).toEqual([true, false, false]);
  });

  test('a border between two lanes is painted once, as marked, and set apart towards oncoming traffic', () => {
    expect(item.lanes.map((l) => [l.leftBorder, l.rightBorder])).toEqual([
      ['none', 'edge'],
      ['opposite', 'dashed'],
      ['opposite', 'none'],
    ]);
  });

  test('poses are rounded to centimetres and milliradians, headings wrapped', () => {
    const [pose] = posesOf(Float32Array.of(1.23456, -0.001, 3.5));
    expect(pose).toEqual([1.23, 0, -2.783]);
    expect(Object.is(pose[1], 0)).toBe(true);
  });
});
