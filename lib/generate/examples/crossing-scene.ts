import type { ScenarioLane } from '../../scenario/types.js';
import { Path, type Pose } from './path.js';
import type { Scene } from './record.js';
import { carLength, carWidth, makeDriver } from './road-scenes.js';
import { laneShape, makeMap } from './roads.js';
import type { Light, VehiclePlan } from './traffic.js';

// A crossing of two roads, two lanes in and two lanes out on each side. Everything is named by the direction of travel
// k: 0 to the east, 1 to the north, 2 to the west, 3 to the south. The left lane in turns left into the inner lane out;
// the right lane goes straight on or turns right, into the outer lane out.

const kWidth = 3.5; // metres, of a lane
const kArm = 110; // metres from the middle to the border of the map
const kStopLine = 17; // metres from the middle
const kApron = 60; // metres of road beyond the map
const kSpeedLimit = 13.41;
const kInner = -kWidth / 2; // to the left of the axis of travel
const kOuter = -1.5 * kWidth;

type Turn = 'left' | 'through' | 'right';

const laneIds = {
  inLeft: (k: number) => 10 * k + 1,
  inRight: (k: number) => 10 * k + 2,
  outInner: (k: number) => 10 * k + 3,
  outOuter: (k: number) => 10 * k + 4,
  connector: (k: number, turn: Turn) => 100 + 10 * k + { left: 1, through: 2, right: 3 }[turn],
};

/** Cross traffic has green while the ego waits at red behind another vehicle; then they turn left. */
export function crossingScene(random: () => number): Scene {
  const lanes = [0, 1, 2, 3].flatMap(armLanes);
  const lights = makeLights();
  const arriving = (
    k: number,
    turn: Turn,
    toLine: number,
    speed: number,
    desired = 12.5,
  ): VehiclePlan => {
    const inbound = turn === 'left' ? 'left' : 'right';
    const path = vehiclePath(k, turn, (random() - 0.5) * 0.4);
    const line = kApron + kArm - kStopLine;
    const used = [
      inbound === 'left' ? laneIds.inLeft(k) : laneIds.inRight(k),
      laneIds.connector(k, turn),
      outLane(k, turn),
    ];
    return {
      length: carLength(random),
      width: carWidth(random),
      driver: makeDriver(random, desired),
      path,
      arc: line - toLine,
      speed,
      lanes: lanes.filter((lane) => used.includes(lane.id as number)),
      stop: { arc: line, light: lights[2 * k + (inbound === 'left' ? 0 : 1)] },
    };
  };
  return {
    name: 'crossing',
    map: makeMap('map-crossing', 'crossing', lanes),
    vehicles: [
      arriving(1, 'left', 92, 10), // the ego
      arriving(1, 'left', 64, 9),
      arriving(1, 'through', 70, 10),
      arriving(1, 'right', 104, 10),
      arriving(0, 'through', 30, 11.5),
      arriving(0, 'through', 62, 11.5),
      arriving(0, 'right', 95, 11.5),
      arriving(0, 'through', 150, 11.5),
      arriving(2, 'through', 50, 12),
      arriving(2, 'through', 82, 12),
      arriving(2, 'through', 146, 12),
      arriving(3, 'left', 55, 9),
      arriving(3, 'through', 75, 10),
      arriving(0, 'left', 60, 9),
    ],
    lights,
    seconds: 26,
    isOnMap: (x, y) => Math.abs(x) <= kArm && Math.abs(y) <= kArm,
    cases: [
      { ego: 0, seconds: [14, 3, 4, 5, 6, 7, 11, 12, 13, 15, 16, 17] },
      { ego: 7, seconds: [4, 5, 6, 7] },
      { ego: 2, seconds: [4, 5, 11, 12, 13, 14] },
      { ego: 6, seconds: [3, 4, 5] },
    ],
  };
}

/** Lights of the lanes in, left and right by direction; of north-south only northbound gets green. */
function makeLights(): Light[] {
  const cross: Light['states'] = [
    { from: 0, to: 60, color: 'green' },
    { from: 60, to: 90, color: 'yellow' },
    { from: 90, to: 260, color: 'red' },
  ];
  const northbound: Light['states'] = [
    { from: 0, to: 110, color: 'red' },
    { from: 110, to: 215, color: 'green' },
    { from: 215, to: 245, color: 'yellow' },
    { from: 245, to: 260, color: 'red' },
  ];
  const waiting: Light['states'] = [{ from: 0, to: 260, color: 'red' }];
  return [0, 1, 2, 3].flatMap((k) => [
    { lanes: [laneIds.inLeft(k)], states: k === 1 ? northbound : waiting },
    { lanes: [laneIds.inRight(k)], states: k === 1 ? northbound : k === 3 ? waiting : cross },
  ]);
}

/** A pose given ahead of the middle and to the left of the axis of travel `k`. */
function place(k: number, ahead: number, left: number): Pose {
  const [cos, sin] = [[1, 0, -1, 0][k], [0, 1, 0, -1][k]];
  return { x: ahead * cos - left * sin, y: ahead * sin + left * cos, heading: (k * Math.PI) / 2 };
}

function straight(k: number, left: number, from: number, to: number): Path {
  return Path.fromCurvature(place(k, from, left), [{ length: to - from, curvature: 0 }]);
}

function exitOf(k: number, turn: Turn): { k: number; left: number } {
  if (turn === 'left') return { k: (k + 1) % 4, left: kInner };
  return { k: turn === 'through' ? k : (k + 3) % 4, left: kOuter };
}

function outLane(k: number, turn: Turn): number {
  const exit = exitOf(k, turn);
  return turn === 'left' ? laneIds.outInner(exit.k) : laneIds.outOuter(exit.k);
}

function connector(k: number, turn: Turn): Path {
  const exit = exitOf(k, turn);
  const entry = place(k, -kStopLine, turn === 'left' ? kInner : kOuter);
  return Path.connecting(entry, place(exit.k, kStopLine, exit.left));
}

/** From beyond the map through the crossing and out of the map, `aside` metres to the left of the lane centres. */
function vehiclePath(k: number, turn: Turn, aside: number): Path {
  const exit = exitOf(k, turn);
  return Path.join([
    straight(k, turn === 'left' ? kInner : kOuter, -kArm - kApron, -kStopLine),
    connector(k, turn),
    straight(exit.k, exit.left, kStopLine, kArm + kApron),
  ]).offset(aside);
}

function armLanes(k: number): ScenarioLane[] {
  const opposite = (k + 2) % 4;
  const line = [place(k, -kStopLine, 0), place(k, -kStopLine, -2 * kWidth)];
  const stopLine = line.map(({ x, y }): [number, number] => [x, y]);
  const lane = (id: number, path: Path, rest: Partial<ScenarioLane>): ScenarioLane => ({
    ...laneShape(path, 0, path.length, 0, kWidth),
    id,
    type: 'urban',
    successors: [],
    predecessors: [],
    leftNeighbor: null,
    leftSameDirection: false,
    rightNeighbor: null,
    rightSameDirection: false,
    speedLimit: kSpeedLimit,
    stopLine: null,
    markings: [null, null],
    ...rest,
  });
  const before = (left: number) => straight(k, left, -kArm, -kStopLine);
  const beyond = (left: number) => straight(k, left, kStopLine, kArm);
  const inner = (neighbor: number, oncoming: number): Partial<ScenarioLane> => ({
    leftNeighbor: oncoming,
    rightNeighbor: neighbor,
    rightSameDirection: true,
    markings: ['solid', 'dashed'],
  });
  const outer = (neighbor: number): Partial<ScenarioLane> => ({
    leftNeighbor: neighbor,
    leftSameDirection: true,
    markings: ['dashed', 'solid'],
  });
  return [
    lane(laneIds.inLeft(k), before(kInner), {
      ...inner(laneIds.inRight(k), laneIds.outInner(opposite)),
      successors: [laneIds.connector(k, 'left')],
      stopLine,
    }),
    lane(laneIds.inRight(k), before(kOuter), {
      ...outer(laneIds.inLeft(k)),
      successors: [laneIds.connector(k, 'through'), laneIds.connector(k, 'right')],
      stopLine,
    }),
    lane(laneIds.outInner(k), beyond(kInner), {
      ...inner(laneIds.outOuter(k), laneIds.inLeft(opposite)),
      predecessors: [laneIds.connector((k + 3) % 4, 'left')],
    }),
    lane(laneIds.outOuter(k), beyond(kOuter), {
      ...outer(laneIds.outInner(k)),
      predecessors: [laneIds.connector(k, 'through'), laneIds.connector((k + 1) % 4, 'right')],
    }),
    ...(['left', 'through', 'right'] as const).map((turn) =>
      lane(laneIds.connector(k, turn), connector(k, turn), {
        predecessors: [turn === 'left' ? laneIds.inLeft(k) : laneIds.inRight(k)],
        successors: [outLane(k, turn)],
      }),
    ),
  ];
}
