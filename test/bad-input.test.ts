import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Observation, Planner, type PlanOptions, WamFlowError } from '../lib/index.js';
import { car, observation, randomCheckpoint } from './support/small-planner.js';

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

/** Every way to call fails alike, with the code and a message that names the field; the planner goes on. */
async function refused(o: Observation, options: PlanOptions, code: string, message: RegExp) {
  const error = { code, message: expect.stringMatching(message) };
  expect(() => planner.planSync(o, options)).toThrow(expect.objectContaining(error));
  const rejected = await planner.plan(o, options).catch((e) => e);
  expect(rejected).toBeInstanceOf(WamFlowError);
  expect(rejected).toMatchObject(error);
  await expect(planner.refine(o, options).next()).rejects.toMatchObject(error);
  await expect(planner.planBatch([observation(), o], options)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(
      message.source.startsWith('^observation')
        ? new RegExp(message.source.replace('^observation', '^observations\\[1\\]'))
        : message,
    ),
  });
  expect((await planner.plan(observation())).stepsRun).toBe(1);
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
      await refused(changed([`ego.history.3.${field}`, value]), {}, code, path);
      const agent = new RegExp(`^observation\\.agents\\[1\\]\\.history\\[20\\]\\.${field}: `);
      await refused(changed([`agents.1.history.20.${field}`, value]), {}, code, agent);
    }
    const size = changed(['agents.0.width', value]);
    await refused(size, {}, code, /^observation\.agents\[0\]\.width: /);
    if (value != null) {
      const center = changed(['ego.centerOffset', value]);
      await refused(center, {}, code, /^observation\.ego\.centerOffset: /);
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
    await refused(changed(...changes), {}, code, message);
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
    await refused(changed(...changes), {}, code, message);
  });

  test.each([undefined, null, 5, 'observation', []])('an observation that is %s', async (value) => {
    await refused(value as unknown as Observation, {}, 'ERR_ARGUMENT', /^observation/);
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
    await refused(changed(...changes), {}, code, message);
  });

  test('a crop of a map: links to lanes that are not in it are left out', async () => {
    const seen = changed(['map.lanes.0.successors', [77, 'far']], ['map.lanes.0.leftNeighbor', 78]);
    expect((await planner.plan(seen)).stepsRun).toBe(1);
  });
});

describe('options', () => {
  test.each<[Loose, string, RegExp]>([
    [{ steps: 0 }, 'ERR_RANGE', /^options\.steps: .*1 to 64.*0/],
    [{ steps: 65 }, 'ERR_RANGE', /options\.steps/],
    [{ steps: 1.5 }, 'ERR_ARGUMENT', /options\.steps/],
    [{ steps: '2' }, 'ERR_ARGUMENT', /options\.steps/],
    [{ steps: Number.NaN }, 'ERR_NOT_FINITE', /options\.steps/],
    [{ samples: 65 }, 'ERR_RANGE', /options\.samples/],
    [{ seed: -1 }, 'ERR_RANGE', /options\.seed/],
    [{ seed: 2 ** 60 }, 'ERR_RANGE', /options\.seed/],
    [{ seed: 1n << 64n }, 'ERR_RANGE', /options\.seed/],
    [{ seed: -1n }, 'ERR_RANGE', /options\.seed/],
    [{ rule: 'euler' }, 'ERR_ARGUMENT', /options\.rule: .*released, integrated, renoise.*"euler"/],
    [{ decode: 'mode' }, 'ERR_ARGUMENT', /options\.decode/],
    [{ lastDecode: 3 }, 'ERR_ARGUMENT', /options\.lastDecode/],
    [{ temperature: 0 }, 'ERR_RANGE', /options\.temperature/],
    [{ temperature: Number.NaN }, 'ERR_NOT_FINITE', /options\.temperature/],
    [{ topK: -1 }, 'ERR_RANGE', /options\.topK/],
    [{ topK: 102 }, 'ERR_RANGE', /options\.topK: .*0 to 101/],
    [{ reduce: 'best' }, 'ERR_ARGUMENT', /options\.reduce/],
    [{ cache: 1 }, 'ERR_ARGUMENT', /options\.cache/],
    [{ deadlineMs: -1 }, 'ERR_RANGE', /options\.deadlineMs/],
    [{ deadlineMs: Number.NaN }, 'ERR_NOT_FINITE', /options\.deadlineMs/],
    [{ step: 2 }, 'ERR_ARGUMENT', /options: expected only steps,.*"step"/],
  ])('%o', async (options, code, message) => {
    await refused(observation(), options as PlanOptions, code, message);
  });

  test('options or a signal of the wrong kind', async () => {
    for (const options of [null, 5, { signal: {} }, { signal: null }]) {
      const plan = planner.plan(observation(), options as unknown as PlanOptions);
      await expect(plan).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    }
  });

  test.each<[Loose, string]>([
    [{ device: 'cuda' }, 'ERR_DEVICE_UNAVAILABLE'],
    [{ device: 'gpu' }, 'ERR_ARGUMENT'],
    [{ threads: 0 }, 'ERR_RANGE'],
    [{ threads: 2.5 }, 'ERR_ARGUMENT'],
    [{ threads: 1e9 }, 'ERR_RANGE'],
    [{ isa: 'sse2' }, 'ERR_ARGUMENT'],
    [{ maxSamples: 0 }, 'ERR_RANGE'],
    [{ maxSteps: 1e6 }, 'ERR_RANGE'],
    [{ queueLimit: 0 }, 'ERR_RANGE'],
    [{ thread: 2 }, 'ERR_ARGUMENT'],
  ])('of a planner: %o', async (options, code) => {
    await expect(Planner.fromCheckpoint(randomCheckpoint(), options)).rejects.toMatchObject({
      code,
    });
    await expect(Planner.load('mini', options)).rejects.toMatchObject({ code });
  });

  test('a checkpoint that does not exist', async () => {
    const error = { code: 'ERR_CHECKPOINT_NOT_FOUND' };
    await expect(Planner.load('/nowhere/at/all')).rejects.toMatchObject(error);
  });
});

describe('out arrays', () => {
  test.each<[string, () => unknown, string]>([
    ['too short', () => new Float32Array(23), 'ERR_SHAPE'],
    ['too long', () => new Float32Array(25), 'ERR_SHAPE'],
    ['of another type', () => new Float64Array(24), 'ERR_ARGUMENT'],
    ['a plain array', () => new Array(24).fill(0), 'ERR_ARGUMENT'],
    ['an ArrayBuffer', () => new ArrayBuffer(96), 'ERR_ARGUMENT'],
    ['null', () => null, 'ERR_ARGUMENT'],
    ['detached', detached, 'ERR_BUFFER'],
    ['shrunk below its length', shrunk, 'ERR_SHAPE'],
  ])('%s', (_, make, code) => {
    const call = () => planner.planSync(observation(), {}, make() as Float32Array);
    expect(call).toThrow(expect.objectContaining({ code }));
  });

  function detached(): Float32Array {
    const out = new Float32Array(24);
    structuredClone(out.buffer, { transfer: [out.buffer] });
    return out;
  }

  function shrunk(): Float32Array {
    const Resizable = ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer;
    const buffer = new Resizable(96, { maxByteLength: 96 });
    const out = new Float32Array(buffer, 0, 24);
    (buffer as unknown as { resize(bytes: number): void }).resize(8);
    return out;
  }
});

describe('much and little', () => {
  const finite = (values: Float32Array) => values.every(Number.isFinite);

  test('10,000 agents: the far ones change nothing', async () => {
    const few = observation(3);
    const crowd = Array.from({ length: 9_997 }, (_, i) => car(5_000 + 10 * i, 900, 5));
    const plan = await planner.plan({ ...few, agents: [...few.agents, ...crowd] });
    expect(finite(plan.trajectory)).toBe(true);
    // The model sees the nearest few within its reach: with as many near ones the far ones are not among them.
    const near = observation(6);
    const alone = await planner.plan(near);
    const crowded = await planner.plan({ ...near, agents: [...near.agents, ...crowd] });
    expect(crowded.trajectory).toEqual(alone.trajectory);
  });

  test('10,000 agents in one place', async () => {
    const agents = Array.from({ length: 10_000 }, () => car(20, 0, 3));
    expect(finite((await planner.plan({ ...observation(), agents })).trajectory)).toBe(true);
  });

  test('more than the limits of agents and states', async () => {
    const one = car(10, 0, 5);
    const agents = new Array(100_001).fill(one);
    await refused({ ...observation(), agents }, {}, 'ERR_RANGE', /^observation\.agents: .*100000/);
    const long = {
      ...one,
      history: Array.from({ length: 1_000_001 }, (_, i) => ({
        ...one.history[0]!,
        t: (i - 1e6) / 1e6,
      })),
    };
    const error = { code: 'ERR_RANGE' };
    expect(() => planner.planSync({ ...observation(), agents: [long] })).toThrow(
      expect.objectContaining(error),
    );
  });

  test('nothing but one ego state', async () => {
    const bare: Observation = {
      ego: { length: 4, width: 2, history: [{ t: 0, x: 0, y: 0, heading: 0, vx: 0, vy: 0 }] },
      command: 'unknown',
      agents: [],
      map: { id: 'none', lanes: [], drivableArea: [] },
      route: [],
    };
    expect(finite((await planner.plan(bare)).trajectory)).toBe(true);
  });

  test('no agents, no route, no lights on a map', async () => {
    const seen = { ...observation(0), route: [], lights: undefined };
    expect(finite((await planner.plan(seen)).trajectory)).toBe(true);
  });

  test('extreme and degenerate but finite numbers give a finite plan', async () => {
    const at = (o: object) => ({ t: 0, x: 0, y: 0, heading: 0, vx: 0, vy: 0, ...o });
    const egos = [
      at({ x: 1e8, y: -1e8 }),
      at({ vx: 1000, vy: -1000 }),
      at({ heading: 1e6 }),
      at({ x: Number.MIN_VALUE, vx: Number.MIN_VALUE }),
    ];
    for (const state of egos) {
      for (const other of [state, at({}), at({ x: -1e8, vx: -1000, heading: -1e6 })]) {
        const plan = await planner.plan({
          ...observation(),
          ego: { length: 1000, width: 1e-9, history: [state] },
          agents: [{ length: 1e-9, width: 1000, history: [other] }],
        });
        expect(finite(plan.trajectory)).toBe(true);
        expect(Number.isFinite(plan.confidence) && plan.confidence > 0).toBe(true);
      }
    }
  });
});
