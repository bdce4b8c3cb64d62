import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Observation, Planner, type PlanOptions } from '../lib/index.js';
import { refused } from './support/refused.js';
import { car, observation, randomCheckpoint } from './support/small-planner.js';

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.fromCheckpoint(randomCheckpoint());
});
afterAll(() => planner.close());

describe('options', () => {
  test.each<[object, string, RegExp]>([
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
    [{ coupling: 'shared' }, 'ERR_ARGUMENT', /options\.coupling: .*independent, comonotone/],
    [{ topK: 102 }, 'ERR_RANGE', /options\.topK: .*0 to 101/],
    [{ reduce: 'best' }, 'ERR_ARGUMENT', /options\.reduce/],
    [{ cache: 1 }, 'ERR_ARGUMENT', /options\.cache/],
    [{ deadlineMs: -1 }, 'ERR_RANGE', /options\.deadlineMs/],
    [{ deadlineMs: Number.NaN }, 'ERR_NOT_FINITE', /options\.deadlineMs/],
    [{ step: 2 }, 'ERR_ARGUMENT', /options: expected only steps,.*"step"/],
  ])('%o', async (options, code, message) => {
    await refused(planner, observation(), options as PlanOptions, code, message);
  });

  test('options or a signal of the wrong kind', async () => {
    for (const options of [null, 5, { signal: {} }, { signal: null }]) {
      const plan = planner.plan(observation(), options as unknown as PlanOptions);
      await expect(plan).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    }
  });

  test.each<[object, string]>([
    [{ device: 'cpu', precision: 'f16' }, 'ERR_ARGUMENT'],
    [{ device: 'gpu' }, 'ERR_ARGUMENT'],
    [{ threads: 0 }, 'ERR_RANGE'],
    [{ threads: 2.5 }, 'ERR_ARGUMENT'],
    [{ threads: 1e9 }, 'ERR_RANGE'],
    [{ spin: 1 }, 'ERR_ARGUMENT'],
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
    await refused(
      planner,
      { ...observation(), agents },
      {},
      'ERR_RANGE',
      /^observation\.agents: .*100000/,
    );
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

  test('batches that are too long or would give too much', async () => {
    const bare: Observation = { ...observation(0), map: { id: '', lanes: [], drivableArea: [] } };
    const one = { ...bare, ego: car(0, 0, 5), route: [], lights: undefined };
    const error = (message: RegExp) => ({
      code: 'ERR_RANGE',
      message: expect.stringMatching(message),
    });
    await expect(planner.planBatch(new Array(16_385).fill(one))).rejects.toMatchObject(
      error(/^observations: .*16384/),
    );
    const wide = await Planner.fromCheckpoint(randomCheckpoint(), { maxSamples: 1024 });
    const much = wide.planBatch(new Array(4_000).fill(one), { samples: 1024 });
    await expect(much).rejects.toMatchObject(error(/^observations: .*1073741824 bytes/));
    await wide.close();
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
