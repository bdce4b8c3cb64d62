import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { trainCommand } from '../lib/cli/train.js';
import type { WamFlowError } from '../lib/errors.js';
import { loadCheckpoint } from '../lib/model/checkpoint.js';
import { loadTable } from '../lib/model/table-checkpoint.js';
import type { StartEvent, TrainEvent } from '../lib/train/events.js';
import { kExamples, logOf, temporaryFolder } from './support/small-training.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Runs the command in this process; what it writes comes back. */
async function run(...argv: string[]): Promise<{ out: string; err: string }> {
  const written = { out: '', err: '' };
  const catchIn = (key: 'out' | 'err') => (text: string | Uint8Array) => {
    written[key] += text;
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(catchIn('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(catchIn('err')),
  ];
  try {
    await trainCommand().parseAsync(argv, { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return written;
}

async function failure(...argv: string[]): Promise<{ code: string; message: string }> {
  const error = await run(...argv).then(
    () => undefined,
    (reason: WamFlowError) => reason,
  );
  expect(error).toBeDefined();
  return error as WamFlowError;
}

const kSmall = ['--data', kExamples, '--split', 'example', '--no-cut', '--batch', '4'];
const kSmallModel = [
  ...['--set', 'model.hidden_size=16', '--set', 'model.num_attention_heads=2'],
  ...['--set', 'model.num_hidden_layers=1', '--set', 'model.intermediate_size=32'],
  ...['--set', 'model.encoder.hidden_size=16', '--set', 'model.tokens.vocab_size=31'],
];

describe('wam-flow train', () => {
  it('prints its events as JSON lines, as the log holds them', async () => {
    const output = folder.path('json');
    const argv = [...kSmall, ...kSmallModel, '--steps', '3', '--output', output, '--json'];
    const { out, err } = await run(...argv, '--log-every', '1', '--seed', '9');
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TrainEvent);
    expect(err).toBe('');
    expect(events.map(({ type }) => type)).toEqual([
      ...['start', 'step', 'step', 'step', 'checkpoint', 'done'],
    ]);
    expect(logOf(output).map(({ time: _, ...event }) => event)).toEqual(events);
    expect((events[0] as StartEvent).train).toMatchObject({ steps: 3, batch: 4, seed: 9 });
    expect((await loadCheckpoint(output)).config).toMatchObject({
      hidden_size: 16,
      tokens: { vocab_size: 31 },
    });
  });

  it('tells people what it trains on, how far it is and how to go on', async () => {
    const output = folder.path('plain');
    const { out, err } = await run(...kSmall, ...kSmallModel, '--steps', '2', '--output', output);
    expect(out).toBe('');
    expect(err).toMatch(/67 listed windows|\d+ listed windows and 0 cut/);
    expect(err).toMatch(/checkpoint/);
    expect(err).toMatch(/2\/2 .*loss \d/);
    expect(err).toContain(output);
  });

  it('takes a recipe file; --set and options of their own win over it', async () => {
    const recipe = folder.path('recipe.json');
    const model = { hidden_size: 16, num_attention_heads: 2, num_hidden_layers: 1 };
    const train = { lr: 0.5, copies: 2, batch: 4, dropout: 0 };
    writeFileSync(recipe, JSON.stringify({ model, train, cut: { strideS: 2 } }));
    const output = folder.path('recipe');
    const argv = [
      '--data',
      kExamples,
      '--split',
      'example',
      '--config',
      recipe,
      '--output',
      output,
    ];
    const { out } = await run(
      ...argv,
      '--set',
      'train.copies=1',
      '--lr',
      '0.25',
      '--steps=1',
      '--json',
    );
    const start = JSON.parse(out.split('\n')[0]!) as StartEvent;
    expect(start.train).toMatchObject({ lr: 0.25, copies: 1, dropout: 0, steps: 1 });
    expect(start.config).toMatchObject(model);
    expect(start.data?.cut).toMatchObject({ strideS: 2, standingStrideS: 1.2 });
  });

  it('trains a tokenizer', async () => {
    const output = folder.path('table');
    const argv = ['--stage', 'tokenizer', '--output', output, '--steps', '5', '--batch', '16'];
    await run(
      ...argv,
      '--set',
      'model.tokens.vocab_size=31',
      '--set',
      'model.numeric.table_size=4',
    );
    expect((await loadTable(output)).config).toMatchObject({ vocab_size: 31, table_size: 4 });
  });

  it.each([
    ['no output', ['--data', kExamples], /--output/],
    ['no data', ['--output', 'x'], /--data/],
    [
      'data for a tokenizer',
      ['--stage', 'tokenizer', '--output', 'x', '--data', 'y'],
      /takes no data/,
    ],
    ['an unknown stage', ['--stage', 'dream', '--output', 'x'], /Allowed choices/],
    ['steps that are no number', ['--steps', 'many', '--output', 'x'], /Expected an integer/],
    [
      'a setting without value',
      [...kSmall, '--output', 'x', '--set', 'model.norm'],
      /section.key=value/,
    ],
    [
      'a setting without section',
      [...kSmall, '--output', 'x', '--set', 'lr=1'],
      /section.key=value/,
    ],
    [
      'an unknown section',
      [...kSmall, '--output', 'x', '--set', 'optimizer.lr=1'],
      /found "optimizer"/,
    ],
    [
      'a polluting key',
      [...kSmall, '--output', 'x', '--set', 'model.__proto__.a=1'],
      /section.key=value/,
    ],
    [
      'an unknown parameter',
      [...kSmall, '--output', 'x', '--set', 'train.momentum=1'],
      /momentum; known/,
    ],
    ['an unknown field', [...kSmall, '--output', 'x', '--set', 'model.depth=1'], /depth/],
    [
      'a recipe that is not there',
      [...kSmall, '--output', 'x', '--config', '/none'],
      /cannot read \/none/,
    ],
    [
      'a model folder and a configuration',
      [...kSmall, '--output', 'x', '--model', 'runs/a', '--set', 'model.hidden_size=16'],
      /leave model/,
    ],
  ])('refuses %s', async (_, argv, message) => {
    expect((await failure(...argv)).message).toMatch(message);
  });

  it('refuses a recipe that is no JSON object', async () => {
    const recipe = folder.path('broken.json');
    for (const text of ['{', '[]', '3', '{"model": 3}']) {
      writeFileSync(recipe, text);
      const error = await failure(...kSmall, '--output', 'x', '--config', recipe);
      expect(error.code).toBe('ERR_USAGE');
    }
  });
});
