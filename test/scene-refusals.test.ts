import { describe, expect, it } from 'vitest';
import { parseScene } from '../lib/sim/parse-scene.js';
import { type SceneJson, smallScene } from './support/small-scene.js';
import { errorOf } from './support/tiny-scenario.js';

const poses = smallScene().human_trajectory;
type Refusal = [name: string, change: (scene: SceneJson) => void, message: RegExp];
const refusals: Refusal[] = [
  ['NaN', (s) => Object.assign(s.ego, { x: Number.NaN }), /ego\.x: expected a number .* NaN/],
  [
    'Infinity',
    (s) => Object.assign(s.agents[0].samples[1], { y: Infinity }),
    /agents\[0\]\.samples\[1\]\.y/,
  ],
  ['text for a number', (s) => Object.assign(s.ego, { vx: '8' }), /ego\.vx: .* received "8"/],
  [
    'a coordinate beyond 1e8',
    (s) => Object.assign(s.map.lanes[0].polygon[2], [1.1e8, 0]),
    /lanes\[0\]\.polygon\[2\]\[0\]/,
  ],
  [
    'a vertex of one number',
    (s) => Object.assign(s.map.carparks[0], { polygon: [[1], [2], [3]] }),
    /carparks\[0\]\.polygon\[0\]: expected \[x, y\]/,
  ],
  [
    'a polygon of two vertices',
    (s) =>
      Object.assign(s.map.roadblocks[0], {
        polygon: [
          [0, 0],
          [1, 0],
          [0, 0],
          [1, 0],
        ],
      }),
    /roadblocks\[0\]\.polygon: .*3 distinct/,
  ],
  [
    'a baseline of one place',
    (s) =>
      Object.assign(s.map.lanes[1], {
        baseline: [
          [1, 1, 0],
          [1, 1, 1],
        ],
      }),
    /lanes\[1\]\.baseline: .*positive length/,
  ],
  [
    'a baseline without headings',
    (s) =>
      Object.assign(s.map.lanes[1], {
        baseline: [
          [1, 1],
          [2, 1],
        ],
      }),
    /lanes\[1\]\.baseline\[0\]: expected \[x, y, heading\]/,
  ],
  [
    'two roadblocks of one id',
    (s) => Object.assign(s.map.roadblocks[1], { id: 'rb0' }),
    /roadblocks\[1\]\.id: .*none before/,
  ],
  [
    'two lanes of one id',
    (s) => Object.assign(s.map.lanes[1], { id: 'l0-0' }),
    /lanes\[1\]\.id: .*none before/,
  ],
  [
    'two agents of one token',
    (s) => Object.assign(s.agents[2], { token: 'a0' }),
    /agents\[2\]\.token/,
  ],
  [
    'two trajectories of one id',
    (s) => Object.assign(s.trajectories[1], { id: 'human' }),
    /trajectories\[1\]\.id/,
  ],
  [
    'a lane of no roadblock',
    (s) => Object.assign(s.map.lanes[0], { roadblock_id: 'x' }),
    /lane_ids\[0\]|lanes\[0\]\.roadblock_id/,
  ],
  [
    'a roadblock of unknown lanes',
    (s) => s.map.roadblocks[0].lane_ids.push('x'),
    /roadblocks\[0\]\.lane_ids\[2\]: .*"x"/,
  ],
  [
    'a lane that its roadblock does not list',
    (s) => s.map.roadblocks[0].lane_ids.pop(),
    /lanes\[1\]\.roadblock_id: .*lists lane "l0-1"/,
  ],
  [
    'a roadblock without lanes',
    (s) => Object.assign(s.map.roadblocks[0], { lane_ids: [] }),
    /roadblocks\[0\]\.lane_ids/,
  ],
  [
    'a lane of another kind than its roadblock',
    (s) => Object.assign(s.map.lanes[0], { is_connector: true }),
    /lanes\[0\]\.is_connector: expected false/,
  ],
  ['no lanes', (s) => Object.assign(s.map, { lanes: [] }), /map\.lanes: expected an array of 1 to/],
  ['no map', (s) => delete s.map, /map: expected an object, received nothing/],
  [
    'an empty route',
    (s) => Object.assign(s, { route_roadblock_ids: [] }),
    /route_roadblock_ids: expected an array of 1 to/,
  ],
  [
    'a route of unknown roadblocks',
    (s) => s.route_roadblock_ids.push('x'),
    /route_roadblock_ids\[3\]: .*"x"/,
  ],
  [
    'a speed limit of 0',
    (s) => Object.assign(s.map.lanes[0], { speed_limit_mps: 0 }),
    /lanes\[0\]\.speed_limit_mps/,
  ],
  ['three past states', (s) => s.ego_past.pop(), /ego_past: expected an array of 0 or 4 items/],
  [
    'past states at other times',
    (s) => Object.assign(s.ego_past[0], { time_us: 0 }),
    /ego_past\[0\]\.time_us: .*1\.5 s before/,
  ],
  [
    'seven human poses',
    (s) => Object.assign(s, { human_trajectory: poses.slice(1) }),
    /human_trajectory: expected an array of 8 to 8/,
  ],
  [
    'an unknown type',
    (s) => Object.assign(s.agents[0], { type: 'tram' }),
    /agents\[0\]\.type: expected one of vehicle, .*"tram"/,
  ],
  [
    'a type of Object',
    (s) => Object.assign(s.agents[0], { type: 'constructor' }),
    /agents\[0\]\.type/,
  ],
  ['a width of 0', (s) => Object.assign(s.agents[0], { width: 0 }), /agents\[0\]\.width/],
  ['a negative length', (s) => Object.assign(s.agents[0], { length: -4 }), /agents\[0\]\.length/],
  [
    'an agent without samples',
    (s) => Object.assign(s.agents[0], { samples: [] }),
    /agents\[0\]\.samples/,
  ],
  [
    'a time off the grid',
    (s) => Object.assign(s.agents[0].samples[1], { t: 0.4 }),
    /samples\[1\]\.t: expected seconds from 0 to 5 in steps of 0\.5, received 0\.4/,
  ],
  [
    'a time twice',
    (s) => Object.assign(s.agents[0].samples[1], { t: 0 }),
    /agents\[0\]\.samples: expected one sample a moment, received "two at 0 s"/,
  ],
  ['a time after 5 s', (s) => Object.assign(s.agents[0].samples[1], { t: 5.5 }), /samples\[1\]\.t/],
  [
    'a moving object without velocity',
    (s) => delete s.agents[0].samples[3].vy,
    /agents\[0\]\.samples\[3\]\.vy: .*nothing/,
  ],
  [
    'lights with a gap',
    (s) => s.traffic_lights.splice(1, 1),
    /traffic_lights: expected one item for every 0\.5 s/,
  ],
  [
    'another kind of file',
    (s) => Object.assign(s, { kind: 'simulator' }),
    /kind: expected scene or reactive/,
  ],
  [
    'a heading in degrees',
    (s) => Object.assign(s.ego, { heading: 180 }),
    /ego\.heading: expected a number from -100 to 100/,
  ],
];

describe('what is refused', () => {
  it.each(refusals)('%s', async (_, change, message) => {
    const scene = smallScene();
    change(scene);
    const error = await errorOf(Promise.resolve().then(() => parseScene(scene, 'my scene')));
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(/^my scene: /);
    expect(error.message).toMatch(message);
  });
});
