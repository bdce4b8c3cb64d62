import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { evaluate } from '../lib/eval/evaluate.js';
import { loadCheckpoint, saveCheckpoint } from '../lib/model/checkpoint.js';
import { loadTable } from '../lib/model/table-checkpoint.js';
import { native } from '../lib/native.js';
import { Planner } from '../lib/planner.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { EvalEvent, StartEvent, StepEvent, TrainEvent } from '../lib/train/events.js';
import { train } from '../lib/train/train.js';
import { randomCheckpoint } from './support/small-planner.js';
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

async function errorOf(options: unknown): Promise<WamFlowError> {
  const error = await trainAll(options as Parameters<typeof train>[0]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WamFlowError);
  return error as WamFlowError;
}

const steps = (events: readonly TrainEvent[]) =>
  events.filter((event): event is StepEvent => event.type === 'step');

describe('stage sft', () => {
  const output = folder.path('sft');
  let events: TrainEvent[];
  beforeAll(async () => {
    events = await trainAll({
      ...kSmallRun,
      output,
      steps: 150,
      checkpointEvery: 100,
      logEvery: 10,
    });
  });

  it('reports start, progress, checkpoints and the end, and logs the same', () => {
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      ...Array(10).fill('step'),
      'checkpoint',
      ...Array(5).fill('step'),
      'checkpoint',
      'done',
    ]);
    expect(steps(events).map(({ step }) => step)).toEqual(
      Array.from({ length: 15 }, (_, i) => 10 * (i + 1)),
    );
    expect(events.at(-1)).toMatchObject({ type: 'done', step: 150, steps: 150, stopped: false });
    const log = logOf(output).map(({ time, ...event }) => {
      expect(Number.isNaN(Date.parse(time))).toBe(false);
      return event;
    });
    expect(log).toEqual(JSON.parse(JSON.stringify(events)));
  });

  it('learns: the loss falls from that of a blind guess', () => {
    const losses = steps(events).map(({ loss }) => loss);
    // 61 tokens: ln 61 = 4.1 nats before anything is learned.
    expect(losses[0]).toBeGreaterThan(3.2);
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.7);
    for (const { gradNorm, lr, windowsPerSecond } of steps(events)) {
      expect(gradNorm).toBeGreaterThan(0);
      expect(lr).toBeGreaterThanOrEqual(0);
      expect(windowsPerSecond).toBeGreaterThan(0);
    }
  });

  it('warms up and then follows a cosine to 0', () => {
    const at = (step: number) => steps(events).find((event) => event.step === step)!.lr!;
    expect(at(10)).toBeCloseTo(1e-3 * (1 + Math.cos((Math.PI * 8) / 148)), 12);
    expect(at(80)).toBeCloseTo(1e-3 * (1 + Math.cos((Math.PI * 78) / 148)), 12);
    expect(at(150)).toBeCloseTo(0, 12);
  });

  it('leaves a model that loads, with measured slot scales', async () => {
    expect(readdirSync(output).sort()).toEqual([
      'config.json',
      expect.stringMatching(/^events\.out\.tfevents\.\d+\.wam-flow$/),
      'model.safetensors',
      'optimizer.safetensors',
      'train_log.jsonl',
      'trainer_state.json',
    ]);
    const { config, tensors } = await loadCheckpoint(output);
    const start = events[0] as StartEvent;
    expect(start.config).toEqual(config);
    expect(config.tokens).toMatchObject({ vocab_size: 61, kind: 'residual_companded' });
    const scale = config.tokens.kind === 'residual_companded' ? config.tokens.slot_scale : [];
    expect(scale).toHaveLength(24);
    // Residuals to constant velocity grow with time.
    for (const slot of [0, 1, 2]) expect(scale[21 + slot]).toBeGreaterThan(scale[slot]!);
    const trained = native()
      .parameterLayout((await loadCheckpoint(output)).native)
      .filter((tensor) => tensor.trained)
      .map(({ name }) => tensors.find((tensor) => tensor.name === name)!.data.length);
    expect(start.parameters).toBe(trained.reduce((a, b) => a + b, 0));
    expect(start.data).toMatchObject({ recordings: 4, cutWindows: 0, cut: false });
  });

  it('gives the same bits whatever the number of threads', async () => {
    const outputs = [1, 2, 3].map((threads) => folder.path(`threads-${threads}`));
    for (const [i, at] of outputs.entries()) {
      await trainAll({ ...kSmallRun, output: at, threads: i + 1 });
    }
    expect(weightsOf(outputs[1]!)).toBe(weightsOf(outputs[0]!));
    expect(weightsOf(outputs[2]!)).toBe(weightsOf(outputs[0]!));
    const other = folder.path('seed');
    await trainAll({ ...kSmallRun, output: other, seed: 2 });
    expect(weightsOf(other)).not.toBe(weightsOf(outputs[0]!));
  });

  it('takes scenarios from memory, and cuts windows from the tracks', async () => {
    const at = folder.path('memory');
    const data = await readScenarios(kExamples);
    const [start] = await trainAll({
      ...kSmallRun,
      output: at,
      data,
      steps: 1,
      cut: { strideS: 1 },
    });
    expect((start as StartEvent).data).toMatchObject({
      sources: ['memory'],
      listedWindows: data.windows.length,
      cut: { strideS: 1, standingStrideS: 1.2 },
    });
    expect((start as StartEvent).data!.cutWindows).toBeGreaterThan(100);
  });

  it('starts from the weights of a model folder', async () => {
    const from = folder.path('from');
    const { config, tensors } = randomCheckpoint();
    await saveCheckpoint(from, { config, tensors });
    const at = folder.path('continued');
    for await (const event of train({ ...kSmallRun, output: at, model: from })) {
      // The checkpoint before the first update holds the weights as they were given.
      if (event.type === 'start') break;
    }
    const continued = await loadCheckpoint(at);
    expect(continued.config).toEqual(config);
    expect(continued.tensors).toEqual(tensors);
  });

  it('tries the weights on a split that is not trained on', async () => {
    const data = await readScenarios(kExamples);
    for (const recording of data.recordings.values()) {
      recording.split = recording.id === 'curve' ? 'val' : 'train';
    }
    for (const window of data.windows) window.split = window.recording.split;
    const run = { ...kSmallRun, data, splits: ['train'], steps: 8, logEvery: 8, evalEvery: 4 };
    const plain = folder.path('untried');
    await trainAll({ ...run, output: plain, evalEvery: 0 });
    const output = folder.path('tried');
    const events = await trainAll({ ...run, output });
    expect(events.map(({ type, step }) => `${type} ${step}`)).toEqual([
      'start 0',
      'step 4',
      'eval 4',
      'step 5',
      'checkpoint 5',
      'step 8',
      'checkpoint 8',
      'eval 8',
      'done 8',
    ]);
    // The last figures are those of the written model, as `wam-flow evaluate` computes them.
    const planner = await Planner.load(output);
    const { rows, reference, n } = await evaluate(planner, data, {
      steps: [1],
      decode: ['median'],
    });
    await planner.close();
    const trial = events.find(({ type, step }) => type === 'eval' && step === 8);
    const { ade, fde } = rows[reference]!;
    expect(trial).toMatchObject({ split: 'val', windows: n, ade, fde });
    expect((trial as EvalEvent).minAde).toBeGreaterThan(0);
    // Trying does not disturb training.
    expect(weightsOf(output)).toBe(weightsOf(plain));
    const other = { ...run, output: folder.path('untriable') };
    expect((await errorOf({ ...other, evalSplit: 'train' })).message).toMatch(/not trained on/);
    expect((await errorOf({ ...other, evalSplit: 'test' })).message).toMatch(
      /no windows of split test/,
    );
  });

  it('leaves the event loop free', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await trainAll({ ...kSmallRun, output: folder.path('free'), steps: 60, logEvery: 60 });
    clearInterval(timer);
    // One native call makes all 60 updates, in some hundred milliseconds.
    expect(ticks).toBeGreaterThan(20);
  });

  it('frees its engine when the loop is left or an error ends it', async () => {
    for await (const event of train({ ...kSmallRun, output: folder.path('left') })) {
      if (event.type === 'step') break;
    }
    const diverging = { ...kSmallRun, output: folder.path('diverging'), lr: 1e30, steps: 50 };
    expect((await errorOf(diverging)).code).toBe('ERR_NOT_FINITE');
    // The last checkpoint before it is whole.
    await loadCheckpoint(diverging.output);
    expect(native().counters().threads).toBe(0);
  });
});

describe('stage tokenizer', () => {
  const output = folder.path('tokenizer');
  const run = { stage: 'tokenizer', output, steps: 600, batch: 256, logEvery: 50 } as const;
  const model = { tokens: { vocab_size: 61 }, numeric: { table_size: 8 } };

  it('learns the order of numbers', async () => {
    const events = await trainAll({ ...run, model });
    const violations = steps(events).map(({ orderViolations }) => orderViolations!);
    expect(violations[0]).toBeGreaterThan(0.15);
    expect(violations.at(-1)).toBeLessThan(violations[0]! / 3);
    const { config, table } = await loadTable(output);
    expect(config).toEqual({ model_type: 'wam-flow-tokenizer', vocab_size: 61, table_size: 8 });
    // Seen from a token in the middle, distances grow with the difference of the values.
    const row = (token: number) => {
      const values = table.subarray(8 * token, 8 * token + 8);
      const norm = Math.hypot(...values);
      return values.map((value) => value / norm);
    };
    const distance = (a: number, b: number) => {
      const other = row(b);
      return Math.hypot(...row(a).map((value, i) => value - other[i]!));
    };
    const far = [5, 10, 20, 30].map((gap) => distance(30, 30 + gap));
    expect(far).toEqual([...far].sort((a, b) => a - b));
  });

  it('gives a table that a model can be trained on', async () => {
    const at = folder.path('with-table');
    const tableModel = {
      ...kSmallRun.model,
      numeric: { features: 'table', table_size: 8 },
      path: { metric: 'table' },
    } as const;
    await trainAll({ ...kSmallRun, output: at, model: tableModel, tokenizer: output, steps: 3 });
    const { tensors } = await loadCheckpoint(at);
    const { table } = await loadTable(output);
    expect(tensors.find(({ name }) => name === 'numeric.table')?.data).toEqual(table);
    const without = { ...kSmallRun, output: folder.path('none'), model: tableModel };
    expect((await errorOf(without)).message).toMatch(/uses a trained table/);
    const other = { ...tableModel, numeric: { features: 'table', table_size: 9 } };
    const mismatch = await errorOf({ ...without, model: other, tokenizer: output });
    expect(mismatch.message).toMatch(/expected a table of 61 x 9/);
    const unused = await errorOf({ ...without, model: kSmallRun.model, tokenizer: output });
    expect(unused.message).toMatch(/uses no table/);
    expect((await errorOf({ ...without, tokenizer: at })).code).toBe('ERR_CONFIG');
  });
});

describe('refusing', () => {
  const at = folder.path('refused');
  const run = { ...kSmallRun, output: at };
  it.each([
    ['no options', undefined, 'ERR_ARGUMENT', /options/],
    ['an unknown stage', { ...run, stage: 'pretrain' }, 'ERR_ARGUMENT', /stage/],
    ['a misspelled option', { ...run, step: 3 }, 'ERR_ARGUMENT', /step; known are/],
    ['an option of the other stage', { ...run, marginPerGap: 1 }, 'ERR_ARGUMENT', /marginPerGap/],
    ['no output', { ...run, output: '' }, 'ERR_ARGUMENT', /output/],
    ['no data', { ...run, data: undefined }, 'ERR_ARGUMENT', /data/],
    ['something else as data', { ...run, data: [{}] }, 'ERR_ARGUMENT', /data/],
    ['data that is not there', { ...run, data: '/nonexistent' }, 'ERR_IO', /nonexistent/],
    [
      'a split without windows',
      { ...run, splits: ['train'] },
      'ERR_ARGUMENT',
      /the data has example/,
    ],
    ['splits that are no list', { ...run, splits: 'example' }, 'ERR_ARGUMENT', /splits/],
    ['half a batch', { ...run, batch: 7.5 }, 'ERR_ARGUMENT', /batch/],
    ['a batch that does not divide', { ...run, batch: 6 }, 'ERR_ARGUMENT', /multiple of micro/],
    ['a negative rate', { ...run, lr: -1 }, 'ERR_ARGUMENT', /lr/],
    ['no threads', { ...run, threads: 0 }, 'ERR_ARGUMENT', /threads/],
    ['a wrong cut', { ...run, cut: { stride: 1 } }, 'ERR_ARGUMENT', /cut: .*stride/],
    [
      'a wrong configuration',
      { ...run, model: { hidden_size: 17 } },
      'ERR_CONFIG',
      /num_attention/,
    ],
    ['an unknown field', { ...run, model: { depth: 17 } }, 'ERR_CONFIG', /depth/],
    [
      'no model to start from',
      { ...run, model: '/nonexistent' },
      'ERR_CHECKPOINT_NOT_FOUND',
      /nonex/,
    ],
    ['nothing to resume', { ...run, resume: true }, 'ERR_CHECKPOINT_NOT_FOUND', /no run/],
    ['a signal that is none', { ...run, signal: {} }, 'ERR_ARGUMENT', /signal/],
  ])('%s', async (_, options, code, message) => {
    const error = await errorOf(options);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('a folder that holds a model, unless it may be overwritten', async () => {
    const output = folder.path('twice');
    await trainAll({ ...kSmallRun, output, steps: 2 });
    const before = weightsOf(output);
    expect((await errorOf({ ...kSmallRun, output, steps: 2 })).message).toMatch(/holds a model/);
    expect(weightsOf(output)).toBe(before);
    await trainAll({ ...kSmallRun, output, steps: 2, seed: 5, overwrite: true });
    expect(weightsOf(output)).not.toBe(before);
    expect(logOf(output).filter(({ type }) => type === 'start')).toHaveLength(1);
  });

  it('a signal that is aborted already, with its reason', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(trainAll({ ...run, signal })).rejects.toBe(reason);
  });
});
