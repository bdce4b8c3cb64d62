import { describe, expect, test } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { type Addon, type NamedTensor, type NativeMap, native } from '../lib/native.js';
import { packMap } from '../lib/pack-map.js';
import { ObservationPacker } from '../lib/pack-observation.js';
import { kRequestSize, writeRequest } from '../lib/plan-options.js';
import { resultBytes } from '../lib/plan-result.js';
import { kWarmSize } from '../lib/warm-start.js';
import { observation, randomCheckpoint, randomNumbers } from './support/small-planner.js';

const addon = native();
const kEngine = {
  device: 'cpu',
  threads: 1,
  spin: true,
  isa: 'portable',
  precision: 'fp32',
  maxSamples: 4,
  maxSteps: 4,
  queueLimit: 8,
} as const;

function failure(call: () => unknown): WamFlowError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(WamFlowError);
    return error as WamFlowError;
  }
  throw new Error('expected an error');
}

/** Functions that take nothing. */
const kWithoutArguments = [
  'cpuInfo',
  'deviceInfo',
  'counters',
  'createDataset',
  'createImageThread',
];

describe('handles', () => {
  test('a wrong one is refused by every function, never read', async () => {
    const { native: config, tensors } = randomCheckpoint();
    const model = addon.createModel(config, tensors);
    const map = addon.createMap([]);
    const dataset = addon.createDataset();
    const engine = await addon.createEngine(model, kEngine);
    const impostors: unknown[] = [
      undefined,
      null,
      0,
      'x',
      Symbol('x'),
      {},
      [],
      () => {},
      new Proxy({}, {}),
      new Float32Array(4),
      Object.create(engine as object),
      map,
      dataset,
    ];
    const calls: Record<string, (handle: never) => unknown> = {
      createEngine: (h) => addon.createEngine(h, kEngine),
      plan: (h) => addon.plan(h, [map], i32(), i32(), f64(), i32(), f64()),
      planMaps: (h) =>
        addon.plan(engine, [h === map ? never(model) : h], i32(), i32(), f64(), i32(), f64()),
      planSync: (h) =>
        addon.planSync(h, [map], i32(), i32(), f64(), i32(), f64(), new ArrayBuffer(8)),
      abortPlan: (h) => addon.abortPlan(h, 1),
      engineMemory: (h) => addon.engineMemory(h),
      closeEngine: (h) => addon.closeEngine(h),
      addRecording: (h) => addon.addRecording(dataset, h === map ? never(model) : h, recording()),
      datasetSize: (h) => addon.datasetSize(h === dataset ? never(map) : h),
      measureSlotScale: (h) => addon.measureSlotScale(h === dataset ? never(map) : h),
      trainerRun: (h) => addon.trainerRun(h, 1),
      trainerStop: (h) => addon.trainerStop(h),
      trainerSteps: (h) => addon.trainerSteps(h),
      trainerTensors: (h) => addon.trainerTensors(h),
      trainerState: (h) => addon.trainerState(h),
      trainerRestore: (h) => addon.trainerRestore(h, [], 0),
      closeTrainer: (h) => addon.closeTrainer(h),
    };
    for (const [name, call] of Object.entries(calls)) {
      for (const impostor of impostors) {
        expect([name, failure(() => call(never(impostor))).code]).toEqual([name, 'ERR_ARGUMENT']);
      }
    }
    await addon.closeEngine(engine);
  });

  test('every function refuses to be called with nothing', async () => {
    for (const [name, call] of Object.entries(addon)) {
      if (typeof call !== 'function' || kWithoutArguments.includes(name)) continue;
      expect([name, failure(call as () => unknown).code]).toEqual([name, 'ERR_ARGUMENT']);
    }
  });
});

describe('packed plans', () => {
  test('random damage to the packed arrays is refused or harmless', async () => {
    const { native: config, tensors } = randomCheckpoint();
    const model = addon.createModel(config, tensors);
    const engine = await addon.createEngine(model, kEngine);
    const random = randomNumbers(5);
    const pick = (n: number) => Math.floor(random() * n);
    const odd = [
      0,
      -1,
      1,
      7,
      1e6,
      -(2 ** 31),
      2 ** 31 - 1,
      Number.NaN,
      Infinity,
      1e300,
      0.5,
      2 ** 32,
    ];
    const result = new ArrayBuffer(resultBytes({ steps: 4, samples: 4, search: false, slots: 24 }));
    let refused = 0;
    for (let i = 0; i < 1500; i++) {
      const { sizes, meta, values, lanes, request, maps } = packed();
      const arrays = [sizes, meta, values, lanes, request];
      const array = arrays[pick(arrays.length)] as Int32Array;
      for (let k = 0; k <= pick(3); k++)
        array[pick(array.length)] = odd[pick(odd.length)] as number;
      const cut = pick(8);
      if (cut < arrays.length) arrays[cut] = (arrays[cut] as Int32Array).slice(0, pick(9));
      const [s, m, v, l, r] = arrays as [
        Int32Array,
        Int32Array,
        Float64Array,
        Int32Array,
        Float64Array,
      ];
      try {
        addon.planSync(engine, maps, s, m, v, l, r, result);
      } catch (error) {
        expect(error).toMatchObject({
          code: expect.stringMatching(/^ERR_(ARGUMENT|SHAPE|RANGE|NOT_FINITE)$/),
        });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
    const { maps, sizes, meta, values, lanes, request } = packed();
    const run = () => addon.planSync(engine, maps, sizes, meta, values, lanes, request, result);
    expect(run).not.toThrow();
    const small = () =>
      addon.planSync(engine, maps, sizes, meta, values, lanes, request, new ArrayBuffer(8));
    expect(failure(small).code).toBe('ERR_SHAPE');
    await addon.closeEngine(engine);
    expect(failure(run).code).toBe('ERR_CLOSED');
    expect(failure(() => addon.plan(engine, maps, sizes, meta, values, lanes, request)).code).toBe(
      'ERR_CLOSED',
    );
  });

  test('an unknown job number aborts nothing, closing twice waits for the same end', async () => {
    const { native: config, tensors } = randomCheckpoint();
    const engine = await addon.createEngine(addon.createModel(config, tensors), kEngine);
    addon.abortPlan(engine, 12345);
    const { maps, sizes, meta, values, lanes, request } = packed();
    const plan = addon.plan(engine, maps, sizes, meta, values, lanes, request);
    expect((await plan)?.byteLength).toBe(
      resultBytes({ steps: 2, samples: 2, search: false, slots: 24 }),
    );
    await Promise.all([addon.closeEngine(engine), addon.closeEngine(engine)]);
    await addon.closeEngine(engine);
    expect(addon.counters()).toMatchObject({ threads: 0, jobs: 0 });
  });
});

describe('models', () => {
  const { native: config, tensors } = randomCheckpoint();
  const [first, ...rest] = tensors as [NamedTensor, ...NamedTensor[]];
  const bad = Float32Array.from(first.data, (v, i) => (i === 1 ? Number.NaN : v));
  test.each<[string, unknown, string, RegExp]>([
    ['no array', {}, 'ERR_ARGUMENT', /tensors/],
    ['none', [], 'ERR_CHECKPOINT_CORRUPT', /missing tensor/],
    ['one missing', rest, 'ERR_CHECKPOINT_CORRUPT', /missing tensor/],
    [
      'one extra',
      [...tensors, { ...first, name: 'what' }],
      'ERR_CHECKPOINT_CORRUPT',
      /extra.*what/,
    ],
    [
      'another shape',
      [{ ...first, shape: [first.data.length, 1, 1] }, ...rest],
      'ERR_CHECKPOINT_CORRUPT',
      /shape/,
    ],
    [
      'data that do not fill the shape',
      [{ ...first, data: first.data.subarray(1) }, ...rest],
      'ERR_SHAPE',
      /\[0\]\.data/,
    ],
    ['a NaN', [{ ...first, data: bad }, ...rest], 'ERR_CHECKPOINT_CORRUPT', /finite/],
    [
      'float64 data',
      [{ ...first, data: new Float64Array(first.data) }, ...rest],
      'ERR_ARGUMENT',
      /Float32Array/,
    ],
    ['a negative size', [{ ...first, shape: [-1] }, ...rest], 'ERR_RANGE', /shape\[0\]/],
    [
      'a shape beyond memory',
      [{ ...first, shape: [2 ** 30, 2 ** 30] }, ...rest],
      'ERR_RANGE',
      /elements/,
    ],
    ['a tensor that is null', [null, ...rest], 'ERR_ARGUMENT', /tensors\[0\]/],
  ])('tensors: %s', (_, given, code, message) => {
    const error = failure(() => addon.createModel(config, given as NamedTensor[]));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('every field of a configuration must be there and of its type', () => {
    for (const field of Object.keys(config)) {
      if (field === 'mixture') continue;
      const without = { ...config, [field]: undefined };
      const error = failure(() => addon.validateConfig(without));
      expect(error.code).toBe('ERR_ARGUMENT');
      expect(error.message).toContain(`config.${field}`);
    }
  });

  test.each([
    { heads: 3 },
    { kvHeads: 3 },
    { vocab: 1 },
    { slotScale: [1] },
    { slotScale: new Array(24).fill(-1) },
    { normEps: -1 },
    { intervalS: 0 },
    { metricPower: 0 },
    { hidden: 2 ** 30 },
    { schedule: { ...config.schedule, finalWidth: 0 } },
  ])('a configuration that makes no sense: %o', (change) => {
    expect(failure(() => addon.validateConfig({ ...config, ...change })).code).toBe('ERR_CONFIG');
  });

  test('the layout is what a model takes', () => {
    const layout = addon.parameterLayout(config);
    expect(layout.map((t) => t.name)).toEqual(tensors.map((t) => t.name));
    expect(layout.some((t) => t.decay) && layout.some((t) => !t.decay && t.trained)).toBe(true);
    expect(layout.find((t) => !t.trained)?.name).toMatch(/features|table/);
  });
});

test('engines say why they cannot be made', () => {
  const { native: config, tensors } = randomCheckpoint();
  const model = addon.createModel(config, tensors);
  const make = (change: object) =>
    failure(() => addon.createEngine(model, { ...kEngine, ...change }));
  expect(make({ threads: 0 })).toMatchObject({ code: 'ERR_RANGE' });
  expect(make({ threads: '1' })).toMatchObject({ code: 'ERR_ARGUMENT' });
  expect(make({ isa: 'mmx' })).toMatchObject({ code: 'ERR_ARGUMENT' });
  expect(make({ precision: 'f16' })).toMatchObject({ code: 'ERR_ARGUMENT' });
  expect(make({ spin: undefined })).toMatchObject({ code: 'ERR_ARGUMENT' });
  expect(make({ queueLimit: 0 })).toMatchObject({ code: 'ERR_RANGE' });
});

test('cpuInfo names the instruction sets of this machine, best last', () => {
  const { isas, best, hardwareThreads } = addon.cpuInfo();
  expect(isas[0]).toBe('portable');
  expect(isas.at(-1)).toBe(best);
  expect(hardwareThreads).toBeGreaterThan(0);
});

/** Any value where a type forbids it. */
function never(value: unknown): never {
  return value as never;
}

function i32(): Int32Array {
  return new Int32Array(8);
}

function f64(): Float64Array {
  return new Float64Array(kRequestSize + kWarmSize + 24);
}

function recording(): Parameters<Addon['addRecording']>[2] {
  return { dt: 0.1, tracks: [], drivers: new Uint8Array(0), signals: [] };
}

/** A good call of two steps and two samples, in arrays of its own. */
function packed() {
  const packer = new ObservationPacker();
  packer.add(observation(3), 'observation');
  const { sizes, maps } = packer;
  const request = new Float64Array(kRequestSize + kWarmSize + 24);
  writeRequest(
    request,
    { steps: 2, samples: 2 },
    { maxSteps: 4, maxSamples: 4, vocab: 101, horizonS: 4 },
    1,
    performance.now(),
  );
  expect(maps[0]).toBe(packMap(observation().map).native satisfies NativeMap);
  return {
    maps: [...maps],
    sizes: sizes.slice(0, 3),
    meta: packer.meta.slice(0, sizes[0]),
    values: packer.values.slice(0, sizes[1]),
    lanes: packer.lanes.slice(0, sizes[2]),
    request,
  };
}
