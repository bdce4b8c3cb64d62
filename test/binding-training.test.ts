import { describe, expect, test } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { type NativeTrainConfig, native } from '../lib/native.js';
import { packMap } from '../lib/pack-map.js';
import { randomCheckpoint, roadMap } from './support/small-planner.js';

const addon = native();
const { native: kModel } = randomCheckpoint();
const kTrain: NativeTrainConfig = {
  steps: 40,
  batch: 4,
  microBatches: 2,
  copies: 2,
  lr: 2e-3,
  beta1: 0.9,
  beta2: 0.98,
  eps: 1e-8,
  weightDecay: 0.05,
  clip: 1,
  warmup: 4,
  ema: 0.9,
  dropout: 0.05,
  smear: 1,
  zeroFraction: 0.25,
  augment: true,
  seed: 3,
};
const kNoTable = new Float32Array(0);

/** A car that drives along +x with speed v for `steps` steps of 0.1 s. */
function track(start: number, steps: number, v: number, y: number) {
  const column = (f: (i: number) => number) => Float64Array.from({ length: steps }, (_, i) => f(i));
  return {
    length: 4.5,
    width: 1.9,
    start,
    x: column((i) => -40 + (v * i) / 10),
    y: column(() => y),
    heading: column(() => 0),
    vx: column(() => v),
    vy: column(() => 0),
  };
}

function dataset() {
  const data = addon.createDataset();
  const recording = addon.addRecording(data, packMap(roadMap()).native, {
    dt: 0.1,
    tracks: [track(0, 120, 9, 0), track(10, 100, 6, 3.5)],
    drivers: Uint8Array.of(1, 1),
    signals: [{ lanes: Int32Array.of(0), states: Int32Array.of(0, 60, 1, 60, 120, 3) }],
  });
  return { data, recording };
}

const kWindow = {
  recording: 0,
  ego: 0,
  present: 20,
  future: 40,
  command: 1,
  route: Int32Array.of(0),
  weight: 1,
  expert: new Float64Array(0),
};
const kCut = {
  strideS: 1,
  standingStrideS: 1,
  minFutureS: 1,
  minHistoryS: 0.5,
  weight: 1,
  standingWeight: 1,
};

async function trainer() {
  const { data } = dataset();
  addon.cutWindows(data, 0, kCut);
  return addon.createTrainer(kModel, kTrain, data, 1, kNoTable);
}

function failure(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(WamFlowError);
    return (error as WamFlowError).code;
  }
  return 'no error';
}

describe('data sets', () => {
  test('a window with an expert teaches what the expert drives', () => {
    const { data } = dataset();
    const expert = Float64Array.from({ length: 24 }, (_, i) => i / 10);
    addon.addWindow(data, { ...kWindow, expert });
    const { poses, valid } = addon.datasetWindow(data, 0);
    expect([...poses]).toEqual([...expert].map((v) => expect.closeTo(v, 12)));
    expect(valid).toEqual(new Array(8).fill(true));
    for (const bad of [new Float64Array(23), new Float64Array(24).fill(Number.NaN)]) {
      expect(failure(() => addon.addWindow(data, { ...kWindow, expert: bad }))).toBe(
        'ERR_SCENARIO',
      );
    }
  });

  test('no windows are cut from tracks that are no drivers', () => {
    const data = addon.createDataset();
    const tracks = [track(0, 120, 9, 0), track(10, 100, 6, 3.5)];
    const recording = { dt: 0.1, tracks, drivers: Uint8Array.of(0, 1), signals: [] };
    addon.addRecording(data, packMap(roadMap()).native, recording);
    const count = addon.cutWindows(data, 0, kCut);
    expect(count).toBeGreaterThan(3);
    for (let i = 0; i < count; i++) expect(addon.datasetWindow(data, i).ego).toBe(1);
    expect(
      failure(() =>
        addon.addRecording(data, packMap(roadMap()).native, {
          ...recording,
          drivers: Uint8Array.of(1),
        }),
      ),
    ).toBe('ERR_SHAPE');
  });

  test('a window holds the recorded future in the ego frame', () => {
    const { data } = dataset();
    addon.addWindow(data, kWindow);
    expect(addon.datasetSize(data)).toBe(1);
    const { poses, valid, ...window } = addon.datasetWindow(data, 0);
    expect(window).toEqual(kWindow);
    expect(valid).toEqual(new Array(8).fill(true));
    for (let k = 0; k < 8; k++) {
      // 9 m/s for half a second a waypoint.
      expect(poses[3 * k]).toBeCloseTo(4.5 * (k + 1), 9);
      expect(poses[3 * k + 1]).toBeCloseTo(0, 9);
    }
  });

  test('windows are cut from every track', () => {
    const { data, recording } = dataset();
    // Presents from 0.5 s after the first step to 1 s before the last, each second: 11 and 9 of them.
    expect(addon.cutWindows(data, recording, kCut)).toBe(20);
    expect(addon.datasetSize(data)).toBe(20);
    const scale = addon.measureSlotScale(data);
    expect(scale).toHaveLength(24);
    expect(scale.every((s) => s > 0 && Number.isFinite(s))).toBe(true);
  });

  test.each([
    [{ ego: 2 }, 'ERR_SCENARIO'],
    [{ recording: 1 }, 'ERR_SCENARIO'],
    [{ present: 120 }, 'ERR_SCENARIO'],
    [{ future: 100 }, 'ERR_SCENARIO'],
    [{ route: Int32Array.of(2) }, 'ERR_SCENARIO'],
    [{ weight: -1 }, 'ERR_SCENARIO'],
    [{ weight: Number.NaN }, 'ERR_NOT_FINITE'],
    [{ command: 4 }, 'ERR_RANGE'],
    [{ route: [0] }, 'ERR_ARGUMENT'],
    [{ present: 1.5 }, 'ERR_ARGUMENT'],
  ])('a window with %o is refused', (change, code) => {
    const { data } = dataset();
    expect(failure(() => addon.addWindow(data, { ...kWindow, ...change } as typeof kWindow))).toBe(
      code,
    );
    expect(addon.datasetSize(data)).toBe(0);
  });

  test.each([
    [{ dt: 0 }, 'ERR_RANGE'],
    [{ tracks: [{ ...track(0, 5, 1, 0), y: new Float64Array(4) }] }, 'ERR_SHAPE'],
    [{ tracks: [track(0, 0, 1, 0)] }, 'ERR_SHAPE'],
    [
      { tracks: [{ ...track(0, 5, 1, 0), vx: new Float64Array(5).fill(Number.NaN) }] },
      'ERR_NOT_FINITE',
    ],
    [{ signals: [{ lanes: Int32Array.of(9), states: new Int32Array(0) }] }, 'ERR_SCENARIO'],
    [{ signals: [{ lanes: Int32Array.of(0), states: Int32Array.of(0, 1) }] }, 'ERR_SHAPE'],
    [{ signals: [{ lanes: Int32Array.of(0), states: Int32Array.of(0, 1, 9) }] }, 'ERR_ARGUMENT'],
  ])('a recording with %o is refused', (change, code) => {
    const data = addon.createDataset();
    const tracks = [track(0, 5, 1, 0)];
    const recording = { dt: 0.1, tracks, drivers: Uint8Array.of(1), signals: [], ...change };
    expect(failure(() => addon.addRecording(data, addon.createMap([]), recording as never))).toBe(
      recording.signals.length > 0 && code === 'ERR_SCENARIO' ? 'ERR_SCENARIO' : code,
    );
  });
});

describe('a trainer', () => {
  test('reports every update, in rows and on the way', async () => {
    const run = await trainer();
    const reported: number[] = [];
    const rows = await addon.trainerRun(run, 6, (stats) => reported.push(...stats));
    expect(rows).toHaveLength(30);
    expect(reported).toEqual([...rows]);
    for (let i = 0; i < 6; i++) {
      const [step, loss, gradNorm, lr, windows] = rows.subarray(5 * i, 5 * i + 5);
      expect([step, windows]).toEqual([i + 1, 4]);
      // A model that knows nothing has the entropy of 101 tokens, less what smearing takes off.
      expect(loss).toBeGreaterThan(1);
      expect(loss).toBeLessThan(8);
      expect(gradNorm).toBeGreaterThan(0);
      expect(lr).toBeGreaterThan(0);
    }
    expect(addon.trainerSteps(run)).toBe(6);
    expect(addon.trainerTensors(run).map((t) => [t.name, t.shape])).toEqual(
      addon.parameterLayout(kModel).map((t) => [t.name, t.shape]),
    );
    await addon.closeTrainer(run);
  });

  test('goes on from its state to the same bits', async () => {
    const [whole, first, second] = [await trainer(), await trainer(), await trainer()];
    await addon.trainerRun(whole, 5);
    await addon.trainerRun(first, 2);
    addon.trainerRestore(second, addon.trainerState(first), addon.trainerSteps(first));
    await addon.trainerRun(second, 3);
    expect(addon.trainerState(second)).toEqual(addon.trainerState(whole));
    expect(addon.trainerTensors(second)).toEqual(addon.trainerTensors(whole));
    const damaged = addon.trainerState(first).slice(1);
    expect(failure(() => addon.trainerRestore(second, damaged, 2))).toBe('ERR_CHECKPOINT_CORRUPT');
    for (const run of [whole, first, second]) await addon.closeTrainer(run);
  });

  test('stops after the present update, and is busy until then', async () => {
    const run = await trainer();
    const reports: Float64Array[] = [];
    const rows = addon.trainerRun(run, 1e6, (stats) => {
      reports.push(stats);
      addon.trainerStop(run);
    });
    expect(failure(() => addon.trainerState(run))).toBe('ERR_ARGUMENT');
    expect(failure(() => addon.trainerRun(run, 1))).toBe('ERR_ARGUMENT');
    const done = (await rows).length / 5;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(1e6);
    expect(addon.trainerSteps(run)).toBe(done);
    expect(reports.length).toBeGreaterThan(0);
    await addon.closeTrainer(run);
  });

  test('closed in the middle of a run: the run rejects, the thread ends, the data set is free', async () => {
    const { data } = dataset();
    addon.cutWindows(data, 0, kCut);
    const run = await addon.createTrainer(kModel, kTrain, data, 2, kNoTable);
    expect(failure(() => addon.addWindow(data, kWindow))).toBe('ERR_ARGUMENT');
    const rows = addon.trainerRun(run, 1e6).catch((error) => error.code);
    await addon.closeTrainer(run);
    expect(await rows).toBe('ERR_CLOSED');
    expect(failure(() => addon.trainerState(run))).toBe('ERR_CLOSED');
    expect(failure(() => addon.trainerRun(run, 1))).toBe('ERR_CLOSED');
    addon.addWindow(data, kWindow);
    expect(addon.counters()).toMatchObject({ threads: 0, jobs: 0 });
  });

  test('says what is wrong with its configuration or data', async () => {
    const { data } = dataset();
    const make = (change: object) => () =>
      addon.createTrainer(kModel, { ...kTrain, ...change }, data, 1, kNoTable);
    expect(failure(make({ batch: 0 }))).toBe('ERR_RANGE');
    expect(failure(make({ microBatches: 5 }))).toBe('ERR_RANGE');
    expect(failure(make({ lr: Number.NaN }))).toBe('ERR_NOT_FINITE');
    expect(failure(make({ seed: -1 }))).toBe('ERR_RANGE');
    expect(failure(make({ augment: 1 }))).toBe('ERR_ARGUMENT');
    // No window to draw.
    await expect(make({})()).rejects.toBeInstanceOf(WamFlowError);
    expect(addon.counters()).toMatchObject({ jobs: 0 });
  });
});

test('a tokenizer trainer learns that near values are near', async () => {
  const coordinate = Float64Array.from({ length: 41 }, (_, i) => -1 + i / 20);
  const config = { steps: 200, batch: 256, lr: 1e-2, marginPerGap: 1, margin: 0.05, seed: 1 };
  const run = await addon.createTokenizerTrainer(coordinate, 8, config);
  const rows = await addon.trainerRun(run, 200);
  expect(rows).toHaveLength(600);
  expect(rows[598]).toBeLessThan(rows[1] as number);
  expect(rows[599]).toBeLessThan(0.5 * (rows[2] as number));
  expect(addon.trainerTensors(run)).toMatchObject([{ name: 'table', shape: [41, 8] }]);
  await addon.closeTrainer(run);
});
