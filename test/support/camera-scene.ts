// A road along +x for the camera: two lanes ahead, one oncoming, a light, and whatever stands or drives there.

import type { Command, LightColor } from '../../lib/observation.js';
import type {
  Recording,
  ScenarioLane,
  ScenarioMap,
  ScenarioWindow,
  Track,
} from '../../lib/scenario/types.js';

/** Something on the road, 4 s of it; the ego is at x = 0, y = 0. */
export interface Placed {
  type?: string;
  x: number;
  y: number;
  heading?: number;
  length?: number;
  width?: number;
  /** m/s at the present along its heading, and the change of it, m/s^2. */
  speed?: number;
  acceleration?: number;
}

export interface RoadOptions {
  objects?: readonly Placed[];
  /** Of the right lane, at the line at x = `line`. */
  light?: LightColor;
  line?: number;
  speed?: number;
  acceleration?: number;
  command?: Command;
  /** Painted between the two lanes of the ego's direction. */
  middle?: string;
  id?: string;
  /** Left, straight or right turn of the road from x = 10 on: 1 / radius in 1/m. */
  curvature?: number;
}

export const kStep = 20; // the present
const kSteps = 61;
const kDt = 0.1;

/** The ego drives on the right lane, whose middle is y = 0; 1.75 m to each border. */
export function cameraRoad(options: RoadOptions = {}): ScenarioWindow {
  const { objects = [], light, line = 40, speed = 8, acceleration = 0, curvature = 0 } = options;
  const ego: Placed = { x: 0, y: 0, length: 4.6, width: 1.9, speed, acceleration };
  const map = roadMap(light === undefined ? null : line, options.middle ?? 'dashed', curvature);
  const recording: Recording = {
    id: options.id ?? 'camera-road',
    map,
    location: 'test',
    split: 'train',
    source: 'test',
    sourceFiles: [],
    dt: kDt,
    steps: kSteps,
    tracks: [ego, ...objects].map(toTrack),
    signals:
      light === undefined ? [] : [{ lanes: [1], states: [{ from: 0, to: kSteps, color: light }] }],
    removedVehicles: [],
  };
  return {
    id: `${recording.id}-window`,
    recording,
    split: 'train',
    ego: 0,
    t0: kStep,
    history: kStep,
    future: 40,
    command: options.command ?? 'straight',
    route: light === undefined ? [1] : [1, 4],
    laneChange: null,
    turnDeg: null,
    v0: null,
    path4s: null,
    agents40m: null,
  };
}

function toTrack(placed: Placed, id: number): Track {
  const { type = 'car', x, y, heading = 0, length = 4.5, width = 1.9 } = placed;
  const { speed = 0, acceleration = 0 } = placed;
  const steps = Array.from({ length: kSteps }, (_, k) => (k - kStep) * kDt);
  const speeds = steps.map((t) => Math.max(0, speed + acceleration * t));
  // Where it is by the present, forwards and backwards from there.
  const way = steps.map(() => 0);
  for (let k = kStep + 1; k < kSteps; ++k) way[k] = way[k - 1] + speeds[k] * kDt;
  for (let k = kStep - 1; k >= 0; --k) way[k] = way[k + 1] - speeds[k] * kDt;
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  return {
    id,
    type,
    length,
    width,
    start: 0,
    x: Float64Array.from(way, (s) => x + s * cos),
    y: Float64Array.from(way, (s) => y + s * sin),
    heading: Float64Array.from(way, () => heading),
    vx: Float64Array.from(speeds, (v) => v * cos),
    vy: Float64Array.from(speeds, (v) => v * sin),
  };
}

/** Lanes 1 (y = 0), 2 (left of it) and 3 (oncoming), 4 and 5 behind the line where there is one. */
function roadMap(line: number | null, middle: string, curvature: number): ScenarioMap {
  const lanes: ScenarioLane[] = [];
  const bend = (x: number, y: number): [number, number] => {
    const along = x - 10;
    if (curvature === 0 || along < 0) return [x, y];
    const turn = along * curvature;
    const radius = 1 / curvature;
    return [10 + Math.sin(turn) * (radius - y), radius - Math.cos(turn) * (radius - y)];
  };
  const add = (id: number, from: number, to: number, y: number, rest: Partial<ScenarioLane>) => {
    const n = Math.ceil(Math.abs(to - from) / 2);
    const points = (at: number) =>
      Array.from({ length: n + 1 }, (_, i) => bend(from + ((to - from) * i) / n, at));
    const side = from < to ? 1.75 : -1.75;
    lanes.push({
      id,
      type: 'urban',
      center: points(y),
      left: points(y + side),
      right: points(y - side),
      successors: [],
      predecessors: [],
      leftNeighbor: null,
      leftSameDirection: false,
      rightNeighbor: null,
      rightSameDirection: false,
      speedLimit: 13.9,
      stopLine: null,
      markings: ['solid', 'solid'],
      ...rest,
    });
  };
  const beside = { leftNeighbor: 2, leftSameDirection: true } as const;
  const right: readonly [string, string] = [middle, 'solid'];
  const left: readonly [string, string] = ['solid', middle];
  if (line === null) {
    add(1, -60, 200, 0, { ...beside, markings: right });
    add(2, -60, 200, 3.5, {
      leftNeighbor: 3,
      rightNeighbor: 1,
      rightSameDirection: true,
      markings: left,
    });
  } else {
    const stopLine: [number, number][] = [
      [line, 1.75],
      [line, -1.75],
    ];
    add(1, -60, line, 0, { ...beside, markings: right, successors: [4], stopLine });
    add(4, line, 200, 0, {
      leftNeighbor: 5,
      leftSameDirection: true,
      markings: right,
      predecessors: [1],
    });
    add(2, -60, line, 3.5, {
      leftNeighbor: 3,
      rightNeighbor: 1,
      rightSameDirection: true,
      markings: left,
      successors: [5],
    });
    add(5, line, 200, 3.5, {
      rightNeighbor: 4,
      rightSameDirection: true,
      markings: left,
      predecessors: [2],
    });
  }
  add(3, 200, -60, 7, { leftNeighbor: 2 });
  return { id: 'camera-road', location: 'test', lanes, drivableArea: [] };
}
