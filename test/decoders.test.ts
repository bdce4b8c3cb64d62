// Decoders beside the flow, from training to plans.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WamFlowError } from '../lib/errors.js';
import { evaluate } from '../lib/eval/evaluate.js';
import { loadCheckpoint } from '../lib/model/checkpoint.js';
import type { DecoderConfig } from '../lib/model/config.js';
import { Planner } from '../lib/planner.js';
import { observationFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { StartEvent } from '../lib/train/events.js';
import { kExamples, kSmallRun, temporaryFolder, trainAll } from './support/small-training.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const kKinds: readonly DecoderConfig['kind'][] = ['autoregressive', 'diffusion', 'regression'];

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: WamFlowError) => ({ code: error.code, message: error.message }),
  );

describe.each(kKinds)('the decoder %s', (kind) => {
  const output = folder.path(kind);
  let planner: Planner;
  let start: StartEvent;
  beforeAll(async () => {
    const events = await trainAll({
      ...kSmallRun,
      copies: undefined,
      output,
      decoder: kind,
      steps: 120,
    });
    start = events[0] as StartEvent;
    planner = await Planner.load(output, { maxSteps: 4, maxSamples: 4 });
  });
  afterAll(() => planner?.close());

  it('is named in config.json, and observations have as many copies as noise makes differ', async () => {
    expect((await loadCheckpoint(output)).config.decoder.kind).toBe(kind);
    expect(start.train).toMatchObject({ copies: kind === 'diffusion' ? 3 : 1 });
  });

  it('plans better than driving straight on at the present speed', async () => {
    const { rows } = await evaluate(planner, await readScenarios(kExamples), {
      split: 'example',
      steps: [1],
      decode: ['median'],
      latencyCalls: 0,
      resamples: 1,
      pdm: false,
    });
    const ade = (name: string) => rows.find((row) => row.planner === name)!.ade;
    expect(ade('wam-flow')).toBeLessThan(ade('constant velocity'));
  });

  it('gives the same plan for the same seed, asynchronous, synchronous and in a batch', async () => {
    const { windows } = await readScenarios(kExamples);
    const observations = windows.slice(0, 3).map(observationFromWindow);
    const options = { decode: 'sample', samples: 2, seed: 5, reduce: 'first' } as const;
    const batch = await planner.planBatch(observations, options);
    for (const [i, observation] of observations.entries()) {
      const plan = await planner.plan(observation, options);
      expect(plan.trajectory).toEqual(batch[i]!.trajectory);
      expect(planner.planSync(observation, options).samples).toEqual(plan.samples);
      expect(plan.stepsRun).toBe(1);
      expect(plan.trajectory.every(Number.isFinite)).toBe(true);
    }
  });

  it('refuses what it has no meaning for, naming it', async () => {
    const { windows } = await readScenarios(kExamples);
    const observation = observationFromWindow(windows[0]!);
    const { trajectory } = await planner.plan(observation);
    const warmStart = { trajectory, elapsedS: 0.5, motion: [3, 0, 0] as [number, number, number] };
    expect(await rejection(planner.plan(observation, { warmStart }))).toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringContaining(`warmStart: the decoder ${kind}`),
    });
    const more = rejection(planner.plan(observation, { steps: 2 }));
    if (kind === 'diffusion') expect(await more).toBeUndefined();
    else expect(await more).toMatchObject({ code: 'ERR_RANGE', message: /steps: .*expected 1/ });
  });
});

describe('weights of another decoder as a start', () => {
  it('turn an autoregressive model into a flow that trains on from it', async () => {
    const output = folder.path('adapted');
    await trainAll({
      ...kSmallRun,
      output,
      model: folder.path('autoregressive'),
      decoder: 'flow',
      steps: 1,
      lr: 1e-12,
      warmup: 0,
    });
    const [before, after] = [
      await loadCheckpoint(folder.path('autoregressive')),
      await loadCheckpoint(output),
    ];
    expect(after.config.decoder.kind).toBe('flow');
    expect({ ...after.config, decoder: null }).toEqual({ ...before.config, decoder: null });
    for (const [i, { name, data }] of before.tensors.entries()) {
      expect(after.tensors[i]!.name).toBe(name);
      const apart = data.reduce(
        (most, x, k) => Math.max(most, Math.abs(x - after.tensors[i]!.data[k]!)),
        0,
      );
      expect(apart).toBeLessThan(1e-6);
    }
  });

  it.each([
    ['regression', 'flow'],
    ['autoregressive', 'diffusion'],
  ] as const)('are refused where they mean nothing: %s as %s', async (from, to) => {
    const run = trainAll({
      ...kSmallRun,
      output: folder.path('refused'),
      model: folder.path(from),
      decoder: to,
    });
    expect(await rejection(run)).toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining(`weights of the decoder ${from}`),
    });
  });

  it('are not aligned or distilled unless they are a flow', async () => {
    const output = folder.path('refused');
    const common = { data: kExamples, splits: ['example'], model: folder.path('autoregressive') };
    for (const stage of ['align', 'distill'] as const) {
      const run = trainAll({ ...common, stage, output, steps: 1 });
      expect(await rejection(run)).toMatchObject({
        code: 'ERR_CONFIG',
        message: expect.stringContaining('decoder: expected flow, received autoregressive'),
      });
    }
  });
});

it('copies of an observation without noise are refused', async () => {
  const run = trainAll({
    ...kSmallRun,
    output: folder.path('copies'),
    decoder: 'regression',
    copies: 2,
  });
  expect(await rejection(run)).toMatchObject({ code: 'ERR_CONFIG', message: /copies: .*1/ });
});
