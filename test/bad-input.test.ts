import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Observation, Planner } from '../lib/index.js';
import { refused } from './support/refused.js';
import { observation, randomCheckpoint } from './support/small-planner.js';

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.fromCheckpoint(randomCheckpoint());
});
afterAll(() => planner.close());

type Loose = Record<string, unknown>;
type Change = [path: string, value: unknown];
const kGone = Symbol('removed');

/** An observation with some things changed, by paths such as `ego.history.3.x`. */
function changed(...changes: Change[]): Observation {
  const o = structuredClone(observation(2)) as unknown as Loose;
  for (const [path, value] of changes) put(o, path, value);
  return o as unknown as Observation;
}

function put(target: Loose, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop() as string;
  const parent = names.reduce((o, name) => o[name] as Loose, target);
  if (value === kGone) delete parent[last];
  else parent[last] = value;
}

const kMotion = ['x', 'y', 'heading', 'vx', 'vy'] as const;
const numbers: [string, unknown, string][] = [
  ['NaN', Number.NaN, 'ERR_NOT_FINITE'],
  ['infinite', Number.POSITIVE_INFINITY, 'ERR_NOT_FINITE'],
  ['minus infinite', Number.NEGATIVE_INFINITY, 'ERR_NOT_FINITE'],
  ['absurdly large', 1e300, 'ERR_RANGE'],
  ['a string', '1', 'ERR_ARGUMENT'],
  ['missing', undefined, 'ERR_ARGUMENT'],
  ['null', null, 'ERR_ARGUMENT'],
  ['a bigint', 1n, 'ERR_ARGUMENT'],
];

describe('states', () => {
  test.each(numbers)('a number that is %s', async (_, value, code) => {
    for (const field of kMotion) {
      const path = new RegExp(
        `^observation\\.ego\\.history\\[3\\]\\.${field}: expected .*received`,
      );
      await refused(planner, changed([`ego.history.3.${field}`, value]), {}, code, path);
      const agent = new RegExp(`^observation\\.agents\\[1\\]\\.history\\[20\\]\\.${field}: `);
      await refused(planner, changed([`agents.1.history.20.${field}`, value]), {}, code, agent);
    }
    const size = changed(['agents.0.width', value]);
    await refused(planner, size, {}, code, /^observation\.agents\[0\]\.width: /);
    if (value != null) {
      const center = changed(['ego.centerOffset', value]);
      await refused(planner, center, {}, code, /^observation\.ego\.centerOffset: /);
    }
  });

  test.each<[string, Change[], string, RegExp]>([
    ['no state', [['ego.history', []]], 'ERR_SHAPE', /^observation\.ego\.history: .*one/],
    ['no history', [['agents.0.history', 5]], 'ERR_ARGUMENT', /agents\[0\]\.history: /],
    ['a state that is null', [['ego.history.0', null]], 'ERR_ARGUMENT', /history\[0\]: /],
    ['a hole', [['ego.history.2', kGone]], 'ERR_ARGUMENT', /ego\.history\[2\]: /],
    ['times that go back', [['ego.history.4.t', -9]], 'ERR_ARGUMENT', /history\[4\]\.t: /],
    ['a time twice', [['ego.history.4.t', -1.7]], 'ERR_ARGUMENT', /history\[4\]\.t: /],
    ['NaN time', [['ego.history.4.t', Number.NaN]], 'ERR_NOT_FINITE', /history\[4\]\.t: /],
    [
      'no present',
      [
        ['ego.history.20', kGone],
        ['ego.history.length', 20],
      ],
      'ERR_ARGUMENT',
      /history\[19\]\.t: .*present/,
    ],
    ['a future', [['agents.0.history.20.t', 1]], 'ERR_ARGUMENT', /agents\[0\].*present/],
    ['length 0', [['ego.length', 0]], 'ERR_RANGE', /^observation\.ego\.length: /],
    ['negative width', [['agents.1.width', -2]], 'ERR_RANGE', /agents\[1\]\.width: /],
  ])('a history with %s', async (_, changes, code, message) => {
    await refused(planner, changed(...changes), {}, code, message);
  });
});

describe('the rest of an observation', () => {
  test.each<[string, Change[], string, RegExp]>([
    ['no ego', [['ego', kGone]], 'ERR_ARGUMENT', /^observation\.ego: /],
    ['no agents array', [['agents', {}]], 'ERR_ARGUMENT', /^observation\.agents: /],
    ['an agent that is null', [['agents.0', null]], 'ERR_ARGUMENT', /agents\[0\]: /],
    ['an unknown command', [['command', 'up']], 'ERR_ARGUMENT', /command: .*'left'.*"up"/],
    ['a command of the prototype', [['command', 'toString']], 'ERR_ARGUMENT', /command: /],
    ['a numeric command', [['command', 1]], 'ERR_ARGUMENT', /command: /],
    ['no map', [['map', kGone]], 'ERR_ARGUMENT', /^observation\.map: /],
    ['a map without lanes', [['map', {}]], 'ERR_ARGUMENT', /^observation\.map\.lanes: /],
    ['no route array', [['route', 10]], 'ERR_ARGUMENT', /^observation\.route: /],
    ['an unknown route lane', [['route', [10, 99]]], 'ERR_ARGUMENT', /route\[1\]: .*99/],
    ['an id of another type', [['route', ['10']]], 'ERR_ARGUMENT', /route\[0\]: .*"10"/],
    ['lights that are no Map', [['lights', { 10: 'red' }]], 'ERR_ARGUMENT', /lights: .*Map/],
    [
      'a light at an unknown lane',
      [['lights', new Map([[7, 'red']])]],
      'ERR_ARGUMENT',
      /lights key: .*7/,
    ],
    [
      'an unknown colour',
      [['lights', new Map([[10, 'blue']])]],
      'ERR_ARGUMENT',
      /lights\(10\): .*"blue"/,
    ],
    ['colour none', [['lights', new Map([[10, 'none']])]], 'ERR_ARGUMENT', /lights\(10\): /],
  ])('%s', async (_, changes, code, message) => {
    await refused(planner, changed(...changes), {}, code, message);
  });

  test.each([undefined, null, 5, 'observation', []])('an observation that is %s', async (value) => {
    await refused(planner, value as unknown as Observation, {}, 'ERR_ARGUMENT', /^observation/);
  });

  test('a batch that is no array', async () => {
    const batch = planner.planBatch(observation() as unknown as Observation[]);
    await expect(batch).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });
});

describe('maps', () => {
  test.each<[string, Change[], string, RegExp]>([
    ['a lane that is null', [['map.lanes.1', null]], 'ERR_ARGUMENT', /map\.lanes\[1\]: /],
    ['a lane without id', [['map.lanes.0.id', kGone]], 'ERR_ARGUMENT', /lanes\[0\]\.id: /],
    ['the same id twice', [['map.lanes.1.id', 10]], 'ERR_ARGUMENT', /lanes\[1\]\.id: .*10/],
    ['one point', [['map.lanes.0.center.length', 1]], 'ERR_SHAPE', /lanes\[0\]\.center: /],
    ['a NaN point', [['map.lanes.0.center.3', [0, Number.NaN]]], 'ERR_NOT_FINITE', /\[3\]\[1\]/],
    ['a far point', [['map.lanes.0.center.3', [1e12, 0]]], 'ERR_RANGE', /center\[3\]\[0\]/],
    ['a short point', [['map.lanes.0.left.3', [1]]], 'ERR_ARGUMENT', /left\[3\]: /],
    ['uneven borders', [['map.lanes.0.left.length', 100]], 'ERR_SHAPE', /lanes\[0\]\.right: /],
    ['no borders array', [['map.lanes.0.left', kGone]], 'ERR_ARGUMENT', /lanes\[0\]\.left: /],
    ['no successors', [['map.lanes.0.successors', kGone]], 'ERR_ARGUMENT', /\.successors: /],
    ['a speed limit of NaN', [['map.lanes.0.speedLimit', Number.NaN]], 'ERR_NOT_FINITE', /speedL/],
    ['a negative speed limit', [['map.lanes.0.speedLimit', -3]], 'ERR_RANGE', /speedLimit: /],
    [
      'a centre line of no length',
      [
        [
          'map.lanes.0.center',
          [
            [1, 1],
            [1, 1],
          ],
        ],
        ['map.lanes.0.left', []],
        ['map.lanes.0.right', []],
      ],
      'ERR_SCENARIO',
      /length/,
    ],
  ])('%s', async (_, changes, code, message) => {
    await refused(planner, changed(...changes), {}, code, message);
  });

  test('a crop of a map: links to lanes that are not in it are left out', async () => {
    const seen = changed(['map.lanes.0.successors', [77, 'far']], ['map.lanes.0.leftNeighbor', 78]);
    expect((await planner.plan(seen)).stepsRun).toBe(1);
  });
});
