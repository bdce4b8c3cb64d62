// A run that was stopped, killed or left and then resumed must end with the bits of a run that never was.

import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { loadTraining } from '../lib/model/checkpoint.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { TrainEvent } from '../lib/train/events.js';
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

const reference = folder.path('reference');
let expected: string;
beforeAll(async () => {
  await trainAll({ ...kSmallRun, output: reference });
  expected = weightsOf(reference);
});

async function errorOf(options: Parameters<typeof train>[0]): Promise<WamFlowError> {
  const error = await trainAll(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WamFlowError);
  return error as WamFlowError;
}

const numbersOf = (output: string) =>
  logOf(output)
    .filter(({ type }) => type === 'step')
    .map(({ step }) => step);

describe('a run that is resumed', () => {
  it('after an abort ends with the same bits, with other threads and two interruptions', async () => {
    const output = folder.path('aborted');
    for (const [stopAt, threads] of [
      [3, 1],
      [7, 2],
    ] as const) {
      const controller = new AbortController();
      const events = await trainAll(
        { ...kSmallRun, output, threads, resume: stopAt > 3, signal: controller.signal },
        (event) => {
          if (event.type === 'step' && event.step === stopAt) controller.abort();
        },
      );
      expect(events.slice(-2)).toMatchObject([
        { type: 'checkpoint', step: stopAt },
        { type: 'done', step: stopAt, steps: 12, stopped: true },
      ]);
    }
    const { stage, data } = kSmallRun;
    const events = await trainAll({ stage, data, output, resume: true });
    expect(events[0]).toMatchObject({ type: 'start', step: 7, steps: 12 });
    expect(events.at(-1)).toMatchObject({ type: 'done', step: 12, stopped: false });
    expect(weightsOf(output)).toBe(expected);
  });

  it('is aborted while an update is being made, finishes it and keeps it', async () => {
    const output = folder.path('mid-update');
    const controller = new AbortController();
    const run = { ...kSmallRun, output, logEvery: 1000, checkpointEvery: 1000 };
    const events: TrainEvent[] = [];
    for await (const event of train({ ...run, signal: controller.signal })) {
      events.push(event);
      if (event.type === 'start') setTimeout(() => controller.abort(), 5);
    }
    const done = events.at(-1) as TrainEvent & { type: 'done' };
    await trainAll({ ...run, resume: true });
    expect(weightsOf(output)).toBe(expected);
    expect(done.step).toBeLessThanOrEqual(12);
  });

  it('after leaving the loop goes on from the last checkpoint, and logs every update once', async () => {
    const output = folder.path('left');
    for await (const event of train({ ...kSmallRun, output })) {
      if (event.step === 8) break;
    }
    const events = await trainAll({ ...kSmallRun, output, resume: true });
    expect(events[0]).toMatchObject({ type: 'start', step: 5 });
    expect(weightsOf(output)).toBe(expected);
    expect(numbersOf(output)).toEqual(numbersOf(reference));
  });

  it('when it was finished has nothing left to do', async () => {
    const output = folder.path('finished');
    cpSync(reference, output, { recursive: true });
    const events = await trainAll({ ...kSmallRun, output, resume: true });
    expect(events.map(({ type }) => type)).toEqual(['start', 'done']);
    expect(weightsOf(output)).toBe(expected);
  });

  it('is the tokenizer stage too', async () => {
    const run = {
      stage: 'tokenizer',
      steps: 40,
      batch: 64,
      logEvery: 1,
      checkpointEvery: 7,
    } as const;
    const [once, twice] = [folder.path('table'), folder.path('table-resumed')];
    await trainAll({ ...run, output: once });
    for await (const event of train({ ...run, output: twice })) {
      if (event.type === 'checkpoint' && event.step === 21) break;
    }
    await trainAll({ stage: 'tokenizer', output: twice, resume: true });
    expect(weightsOf(twice)).toBe(weightsOf(once));
  });
});

describe.skipIf(process.platform === 'win32')('a run in a child process', () => {
  let main: Awaited<ReturnType<typeof bundle>>;
  beforeAll(async () => {
    main = await bundle('lib/cli/main.ts');
  });
  afterAll(() => main.remove());
  const args = (output: string) => {
    const { hidden_size, num_hidden_layers, num_attention_heads, ...rest } = kSmallRun.model;
    const recipe = folder.path('recipe.json');
    const model = { hidden_size, num_hidden_layers, num_attention_heads, ...rest };
    writeFileSync(
      recipe,
      JSON.stringify({ model, train: { microBatches: 4, copies: 2, warmup: 2 } }),
    );
    return [
      ...['train', '--data', kExamples, '--split', 'example', '--no-cut', '--config', recipe],
      ...['--steps', '12', '--batch', '8', '--checkpoint-every', '5', '--log-every', '1'],
      ...['--output', output, '--json'],
    ];
  };
  async function cli(
    argv: string[],
    onLine?: (event: TrainEvent, child: ChildProcess) => void,
  ): Promise<{ code: number | null; signal: string | null; lines: TrainEvent[] }> {
    const child = spawn(process.execPath, [main.path, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: TrainEvent[] = [];
    let rest = '';
    child.stdout!.on('data', (text) => {
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop()!;
      for (const part of parts) {
        const event = JSON.parse(part);
        lines.push(event);
        onLine?.(event, child);
      }
    });
    let stderr = '';
    child.stderr!.on('data', (text) => {
      stderr += text;
    });
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
      child.on('close', (...result) => resolve(result));
    });
    if (signal === null && ![0, 130].includes(code!)) throw new Error(stderr);
    return { code, signal, lines };
  }

  it('killed by SIGKILL twice ends with the same bits after --resume', async () => {
    const output = folder.path('killed');
    const die = (step: number) => (event: TrainEvent, child: ChildProcess) => {
      if (event.step >= step) child.kill('SIGKILL');
    };
    expect((await cli(args(output), die(6))).signal).toBe('SIGKILL');
    expect((await cli([...args(output), '--resume'], die(11))).signal).toBe('SIGKILL');
    const { code, lines } = await cli([...args(output), '--resume']);
    expect(code).toBe(0);
    expect(lines.at(-1)).toMatchObject({ type: 'done', step: 12, stopped: false });
    expect(weightsOf(output)).toBe(expected);
    expect(numbersOf(output)).toEqual(numbersOf(reference));
  });

  it('ended by Ctrl-C exits with 130 and a checkpoint of the update it was at', async () => {
    const output = folder.path('interrupted');
    const { code, lines } = await cli([...args(output), '--threads', '1'], (event, child) => {
      if (event.type === 'step' && event.step === 2) child.kill('SIGINT');
    });
    const done = lines.at(-1) as TrainEvent & { type: 'done' };
    expect(code).toBe(130);
    expect(done).toMatchObject({ type: 'done' });
    expect(lines.at(-2)).toMatchObject({ type: 'checkpoint', step: done.step });
    expect((await cli([...args(output), '--resume'])).code).toBe(0);
    expect(weightsOf(output)).toBe(expected);
  });

  it('ended by a second Ctrl-C stops at once and keeps the last checkpoint', async () => {
    const output = folder.path('twice-interrupted');
    // An update takes many times the 60 ms: the first Ctrl-C cannot have been answered when the second comes.
    const slow = [...args(output), '--batch', '4096', '--set', 'train.copies=8', '--steps', '3'];
    const { code, lines } = await cli(slow, (_, child) => {
      setTimeout(() => child.kill('SIGINT'), 20);
      setTimeout(() => child.kill('SIGINT'), 60);
    });
    expect(code).toBe(130);
    expect(lines.map(({ type }) => type)).toEqual(['start']);
    expect(await loadTraining(output)).toMatchObject({ state: { step: 0 } });
  });
});

describe('refusing to resume', () => {
  const output = folder.path('refused');
  const run = { ...kSmallRun, output, resume: true };
  beforeAll(async () => {
    for await (const event of train({ ...kSmallRun, output })) {
      if (event.type === 'checkpoint' && event.step === 5) break;
    }
  });

  it.each([
    ['another learning rate', { lr: 1e-3 }, /train.lr 0.002, now 0.001/],
    ['more updates, which would change the schedule', { steps: 20 }, /train.steps 12, now 20/],
    ['another seed and batch', { seed: 2, batch: 16 }, /train.batch.*train.seed/],
    [
      'another model',
      { model: { ...kSmallRun.model, num_hidden_layers: 2 } },
      /num_hidden_layers 1/,
    ],
    ['the model of the recipe', { model: 'mini' }, /model.hidden_size 16, now \d+/],
    ['other windows', { cut: {} }, /data.fingerprint|data.cut/],
  ] as const)('as %s', async (_, change, message) => {
    const error = await errorOf({ ...run, ...change });
    expect(error.message).toMatch(message);
    expect(error.code).toBe('ERR_CONFIG');
  });

  it('on other data, on data in another order, and as another stage', async () => {
    const data = await readScenarios(kExamples);
    const fewer = { ...data, windows: data.windows.slice(1) };
    expect((await errorOf({ ...run, data: fewer })).message).toMatch(/data.fingerprint/);
    const turned = { ...data, windows: [...data.windows].reverse() };
    expect((await errorOf({ ...run, data: turned })).message).toMatch(/data.fingerprint/);
    const recording = [...data.recordings.values()][0]!;
    recording.tracks[0]!.x[0]! += 0.01;
    expect((await errorOf({ ...run, data })).message).toMatch(/data.fingerprint/);
    const table = await errorOf({ stage: 'tokenizer', output, resume: true });
    expect(table.code).toBe('ERR_CONFIG');
  });

  it.each(['config.json', 'model.safetensors', 'optimizer.safetensors', 'trainer_state.json'])(
    'with a damaged %s, whatever the damage',
    async (name) => {
      const damaged = folder.path(`damaged-${name}`);
      const original = readFileSync(join(output, name));
      for (const damage of [0, 1, 100, original.length - 2, 'flip', 'text'] as const) {
        cpSync(output, damaged, { recursive: true, force: true });
        const path = join(damaged, name);
        if (typeof damage === 'number') truncateSync(path, damage);
        else if (damage === 'text') writeFileSync(path, '[]');
        else {
          const bytes = Buffer.from(original);
          bytes[bytes.length >> 1]! ^= 0x40;
          // A flipped letter of a text may leave a valid one; the test needs a wrong one.
          writeFileSync(path, name.endsWith('json') ? `\u0000${original}` : bytes);
        }
        const error = await errorOf({ ...kSmallRun, output: damaged, resume: true });
        expect(['ERR_CHECKPOINT_CORRUPT', 'ERR_CONFIG']).toContain(error.code);
      }
    },
  );

  it('with the optimiser of another moment', async () => {
    const mixed = folder.path('mixed');
    cpSync(output, mixed, { recursive: true });
    cpSync(join(reference, 'optimizer.safetensors'), join(mixed, 'optimizer.safetensors'));
    const error = await errorOf({ ...run, output: mixed });
    expect(error.code).toBe('ERR_CHECKPOINT_CORRUPT');
    expect(error.message).toMatch(/belongs to another optimizer.safetensors/);
  });
});
