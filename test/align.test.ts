// Stages `align` and `distill`: what they report, that they end with the same bits however they are run, and what they
// refuse.

import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { loadCheckpoint } from '../lib/model/checkpoint.js';
import { native } from '../lib/native.js';
import { readScenarios } from '../lib/scenario/read.js';
import { alignRecipe } from '../lib/train/align-recipe.js';
import { setUpScenes } from '../lib/train/align-scenes.js';
import type { ProbeEvent, TrainEvent } from '../lib/train/events.js';
import type { AlignOptions, DistillOptions, TrainOptions } from '../lib/train/options.js';
import { train } from '../lib/train/train.js';
import { bundle } from './support/bundle.js';
import {
  kExamples,
  kSmallRun,
  logOf,
  temporaryFolder,
  trainAll,
  weightsOf,
} from './support/small-training.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const start = folder.path('start');
beforeAll(async () => {
  await trainAll({ ...kSmallRun, output: start });
});

const kAlign = {
  stage: 'align',
  data: kExamples,
  splits: ['example'],
  model: start,
  steps: 8,
  batch: 4,
  microBatches: 2,
  group: 4,
  rolloutSteps: [1, 3],
  scenes: 6,
  probeScenes: 4,
  probeEvery: 4,
  warmup: 2,
  lr: 1e-3,
  logEvery: 1,
  checkpointEvery: 3,
} as const satisfies Omit<AlignOptions, 'output'>;

const kDistill = {
  ...kSmallRun,
  stage: 'distill',
  model: start,
  steps: 6,
  teacherSteps: 3,
  teacherSamples: 4,
  zeroFraction: 0.75,
} as const satisfies Omit<DistillOptions, 'output'>;

async function errorOf(options: unknown): Promise<WamFlowError> {
  const error = await trainAll(options as TrainOptions).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WamFlowError);
  return error as WamFlowError;
}

const of = <Type extends TrainEvent['type']>(events: readonly TrainEvent[], type: Type) =>
  events.filter((event): event is TrainEvent & { type: Type } => event.type === type);

describe('an alignment', () => {
  const output = folder.path('aligned');
  let events: TrainEvent[];
  beforeAll(async () => {
    events = await trainAll({ ...kAlign, output });
  });

  it('reports rewards, sub-scores, divergence, diversity and times of every update', () => {
    expect(events[0]).toMatchObject({ type: 'setup', step: 0 });
    const [started] = of(events, 'start');
    expect(started).toMatchObject({ stage: 'align', step: 0, steps: 8 });
    expect(started!.scenes!.scenes).toBeGreaterThan(0);
    expect(started!.scenes!.probes).toBe(4);
    const steps = of(events, 'step');
    expect(steps).toHaveLength(8);
    for (const step of steps) {
      for (const share of ['reward', 'best', 'uneven', 'nc', 'dac', 'ttc', 'ep', 'c'] as const) {
        expect(step[share], share).toBeGreaterThanOrEqual(0);
        expect(step[share], share).toBeLessThanOrEqual(1);
      }
      expect(step.best!).toBeGreaterThanOrEqual(step.reward!);
      expect(step.diversity!).toBeGreaterThan(0);
      expect(step.ade!).toBeGreaterThan(0);
      expect(step.kl!).toBeGreaterThanOrEqual(0);
      expect(Object.keys(step.seconds!)).toEqual(['rollout', 'judge', 'update']);
    }
    // Before the first update the policy is where it started.
    expect(steps[0]!.kl!).toBeLessThan(1e-6);
    expect(steps.at(-1)!.kl!).toBeGreaterThan(steps[0]!.kl!);
  });

  it('probes the start, every probeEvery updates and the end', () => {
    const probes = of(events, 'probe');
    expect(probes.map(({ step }) => step)).toEqual([0, 4, 8]);
    expect(probes[0]!.kl).toBeLessThan(1e-6);
    for (const probe of probes) {
      expect(probe.heldBack!).toBeGreaterThan(0);
      expect(probe.heldBack!).toBeLessThanOrEqual(1);
      expect(probe.medianReward).toBeGreaterThanOrEqual(0);
    }
  });

  it('writes the model, other weights than it started from, and logs all but setup', async () => {
    const [before, after] = [await loadCheckpoint(start), await loadCheckpoint(output)];
    expect(after.config).toEqual(before.config);
    const differs = after.tensors.filter(
      ({ data }, i) => !data.every((value, k) => value === before.tensors[i]!.data[k]),
    );
    expect(differs.length).toBeGreaterThan(10);
    expect(logOf(output).map(({ type }) => type)).toEqual(
      events.map(({ type }) => type).filter((type) => type !== 'setup'),
    );
  });

  it('is the same on one and two threads', async () => {
    for (const threads of [1, 2]) {
      const again = folder.path(`threads-${threads}`);
      await trainAll({ ...kAlign, output: again, threads });
      expect(weightsOf(again)).toBe(weightsOf(output));
    }
  });

  it('ends with the same bits after it was left and resumed', async () => {
    const left = folder.path('left');
    for await (const event of train({ ...kAlign, output: left })) {
      if (event.type === 'step' && event.step === 5) break;
    }
    const { stage, data } = kAlign;
    const resumed = await trainAll({ stage, data, output: left, resume: true });
    expect(of(resumed, 'start')[0]).toMatchObject({ step: 3, steps: 8 });
    expect(weightsOf(left)).toBe(weightsOf(output));
    expect(of(logOf(left), 'probe').map(({ step }) => step)).toEqual([0, 4, 8]);
  });

  it('ends by a stop rule, which a resumed run keeps to', async () => {
    const stopped = folder.path('stopped');
    const rule = { ...kAlign, output: stopped, maxKl: 1e-9, checkpointEvery: 50 };
    const done = { type: 'done', step: 4, steps: 8, stopped: false, stopRule: 'kl' };
    expect((await trainAll(rule)).at(-1)).toMatchObject(done);
    const resumed = await trainAll({ ...rule, resume: true });
    expect(resumed.at(-1)).toMatchObject(done);
    expect(of(resumed, 'step')).toEqual([]);
  });

  it('rewards by version 2 as well, where nothing is held back', async () => {
    const second = await trainAll({
      ...kAlign,
      output: folder.path('v2'),
      steps: 2,
      version: 'v2',
      weights: { lane: 2 },
    });
    const probes: ProbeEvent[] = of(second, 'probe');
    expect(probes).toHaveLength(2);
    for (const probe of probes) expect(probe).not.toHaveProperty('heldBack');
    expect(of(second, 'start')[0]!.train).toMatchObject({
      weights: { ...alignRecipe().weights, lane: 2 },
    });
  });

  it('leaves no thread and no job behind', () => {
    expect(native().counters()).toMatchObject({ threads: 0, jobs: 0 });
  });

  it.each([
    [{ group: 0 }, 'ERR_ARGUMENT', /group/],
    [{ rolloutSteps: [] }, 'ERR_ARGUMENT', /rolloutSteps/],
    [{ rolloutSteps: [1.5] }, 'ERR_ARGUMENT', /rolloutSteps/],
    [{ microBatches: 3 }, 'ERR_ARGUMENT', /microBatches/],
    [{ weights: { ttc: -1 } }, 'ERR_ARGUMENT', /ttc/],
    [{ weights: { ttc: 0, progress: 0, comfort: 0 } }, 'ERR_ARGUMENT', /weight above 0/],
    [{ version: 'v3' }, 'ERR_ARGUMENT', /version/],
    [{ estimator: 'all' }, 'ERR_ARGUMENT', /estimator/],
    [{ lr: Number.NaN }, 'ERR_ARGUMENT', /lr/],
    [{ dropout: 0.1 }, 'ERR_ARGUMENT', /dropout/],
    [{ cut: false }, 'ERR_ARGUMENT', /cut/],
    [{ model: undefined }, 'ERR_ARGUMENT', /model/],
    [{ model: folder.path('nowhere') }, 'ERR_CHECKPOINT_NOT_FOUND', /nowhere/],
    [{ splits: ['nothing'] }, 'ERR_ARGUMENT', /no windows/],
  ])('refuses %o', async (change, code, message) => {
    const error = await errorOf({ ...kAlign, output: folder.path('refused'), ...change });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('cannot be resumed as another one', async () => {
    const error = await errorOf({ ...kAlign, output, resume: true, klBeta: 0.5 });
    expect(error.code).toBe('ERR_CONFIG');
    expect(error.message).toMatch(/klBeta/);
  });
});

describe('scenes', () => {
  it('are the same for a seed, others for another, and probes are not among them', async () => {
    const { windows } = await readScenarios(kExamples);
    const draw = async (seed: number) => {
      const options = { scenes: 3, probeScenes: 2, version: 'v1', seed, step: 0 } as const;
      const events = setUpScenes(windows, { ...options, signal: undefined });
      let next = await events.next();
      while (!next.done) next = await events.next();
      const { scenes, probes } = next.value;
      for (const { scorer } of [...scenes, ...probes]) await native().closeScorer(scorer);
      for (const { heldBack } of probes) await native().closeScorer(heldBack!);
      return {
        scenes: scenes.map(({ window }) => window),
        probes: probes.map(({ window }) => window),
      };
    };
    const first = await draw(1);
    expect(await draw(1)).toEqual(first);
    expect(await draw(2)).not.toEqual(first);
    expect(first.scenes.filter((window) => first.probes.includes(window))).toEqual([]);
  });
});

describe('a distillation', () => {
  const output = folder.path('distilled');
  let events: TrainEvent[];
  beforeAll(async () => {
    events = await trainAll({ ...kDistill, output });
  });

  it('trains on the plans of a frozen teacher', () => {
    expect(events[0]).toMatchObject({ type: 'start', stage: 'distill', steps: 6 });
    const steps = of(events, 'step');
    expect(steps).toHaveLength(6);
    for (const { loss } of steps) expect(loss).toBeGreaterThan(0);
  });

  it('learns other targets with another teacher', async () => {
    const other = folder.path('sampled');
    await trainAll({ ...kDistill, output: other, teacherTarget: 'sample' });
    expect(weightsOf(other)).not.toBe(weightsOf(output));
  });

  it('ends with the same bits on two threads, left and resumed', async () => {
    const left = folder.path('distill-left');
    for await (const event of train({
      ...kDistill,
      output: left,
      threads: 2,
      checkpointEvery: 2,
    })) {
      if (event.type === 'step' && event.step === 5) break;
    }
    const { stage, data } = kDistill;
    const resumed = await trainAll({ stage, data, output: left, resume: true });
    expect(resumed[0]).toMatchObject({ type: 'start', step: 4 });
    expect(weightsOf(left)).toBe(weightsOf(output));
  });

  it.each([
    [{ teacherSamples: 0 }, /teacherSamples/],
    [{ teacherTarget: 'mean' }, /teacherTarget/],
    [{ model: undefined }, /model/],
  ])('refuses %o', async (change, message) => {
    const error = await errorOf({ ...kDistill, output: folder.path('refused'), ...change });
    expect(error.code).toBe('ERR_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});

describe.skipIf(process.platform === 'win32')('wam-flow align in a child process', () => {
  let main: Awaited<ReturnType<typeof bundle>>;
  beforeAll(async () => {
    main = await bundle('lib/cli/main.ts');
  });
  afterAll(() => main.remove());
  const args = (output: string) => [
    ...['align', '--data', kExamples, '--split', 'example', '--model', start, '--output', output],
    ...['--steps', '8', '--batch', '4', '--group', '4', '--rollout-steps', '1,3', '--scenes', '6'],
    ...[
      '--lr',
      '0.001',
      '--log-every',
      '1',
      '--checkpoint-every',
      '1',
      '--set',
      'train.microBatches=2',
    ],
    ...['--set', 'train.probeScenes=4', '--set', 'train.probeEvery=4', '--set', 'train.warmup=2'],
  ];
  const run = (args: readonly string[], onStart?: (child: ChildProcess) => void) =>
    new Promise<{ code: number | null; stdout: string }>((settle) => {
      const child = spawn(process.execPath, [main.path, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let stdout = '';
      child.stdout!.on('data', (chunk) => {
        stdout += chunk;
        if (stdout.includes('"type":"step"')) onStart?.(child);
      });
      child.on('close', (code) => settle({ code, stdout }));
    });

  it('ends with the same bits when it is killed at random moments', async () => {
    const output = folder.path('killed');
    let kills = 0;
    for (let attempt = 0; attempt < 12; ++attempt) {
      let armed = kills < 2;
      const resume = attempt === 0 ? [] : ['--resume'];
      const { code } = await run([...args(output), ...resume, '--json'], (child) => {
        if (!armed) return;
        armed = false;
        setTimeout(() => child.kill('SIGKILL'), 10 * Math.random());
      });
      if (code === 0) break;
      ++kills;
    }
    expect(kills).toBe(2);
    expect(weightsOf(output)).toBe(weightsOf(folder.path('aligned')));
  });
});
