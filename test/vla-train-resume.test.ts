// A run of a vision-language model that is stopped, killed or given other threads ends with the same bits.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVla, inspectCheckpoint, openVla, trainVla } from '../lib/index.js';
import type { VlaTrainOptions } from '../lib/vla-train/vla-options.js';
import { loadVlaRun } from '../lib/vla-train/vla-state.js';
import { editJson } from './support/janus-folder.js';
import { eventsOf, kSmallVla, SmallVla } from './support/small-vla.js';

const kWindows = process.platform === 'win32';
const kFiles = ['config.json', 'model.safetensors', 'optimizer.safetensors', 'wam_flow.json'];

let world: SmallVla;
beforeAll(async () => {
  world = await SmallVla.make();
});
afterAll(() => world.remove());

function bytesOf(directory: string): Record<string, string> {
  const files = [...kFiles, ...readdirSync(directory).filter((name) => name.startsWith('lora_'))];
  return Object.fromEntries(
    files.map((name) => [name, readFileSync(join(directory, name)).toString('base64')]),
  );
}

/** Runs until update `step` was logged, then aborts. */
async function abortedAt(step: number, options: VlaTrainOptions): Promise<void> {
  const stop = new AbortController();
  let last: unknown;
  for await (const event of trainVla({ ...options, signal: stop.signal })) {
    if (event.type === 'step' && event.step === step) stop.abort();
    last = event;
  }
  expect(last).toMatchObject({ type: 'done', step, stopped: true });
}

/** What a run that goes on needs to be told. */
const resumed = ({ stage, output, data, threads, ...rest }: VlaTrainOptions): VlaTrainOptions => ({
  ...{ stage, output, data, resume: true, tensorboard: false, logEvery: 1 },
  ...(threads === undefined ? {} : { threads }),
  ...(rest.recompute === undefined ? {} : { recompute: rest.recompute }),
});

describe('a run that was stopped', () => {
  const cases: [string, Partial<VlaTrainOptions> & Pick<VlaTrainOptions, 'stage'>][] = [
    ['causal, everything', { stage: 'causal' }],
    ['adapt, copies on one prompt', { stage: 'adapt' }],
    ['adapt, full mask, recomputed', { stage: 'adapt', mask: 'full', copies: 1, recompute: true }],
    ['adapt, adapters', { stage: 'adapt', lora: { rank: 2 }, trainable: ['aligner'] }],
    ['embed, triplets', { stage: 'embed', steps: 4 }],
  ];
  it.each(cases)('%s: goes on to the same bits', async (_, stage) => {
    const whole = world.options(stage);
    await eventsOf(whole);
    const options = { ...whole, output: world.output() };
    await abortedAt(whole.steps! === 4 ? 2 : 5, options);
    await abortedAt(whole.steps! === 4 ? 3 : 6, resumed(options));
    const rest = await eventsOf(resumed(options));
    expect(rest.at(-1)).toMatchObject({ type: 'done', stopped: false, step: whole.steps });
    expect(bytesOf(options.output)).toEqual(bytesOf(whole.output));
    // Nothing lies about that belonged to the run.
    expect(readdirSync(options.output).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('threads change nothing', async () => {
    const [one, two] = [1, 2].map((threads) => world.options({ stage: 'adapt', threads }));
    await eventsOf(one!);
    await eventsOf(two!);
    expect(bytesOf(two!.output)).toEqual(bytesOf(one!.output));
  });

  it('recomputed activations change nothing', async () => {
    const [kept, again] = [false, true].map((recompute) =>
      world.options({ stage: 'causal', recompute }),
    );
    await eventsOf(kept!);
    await eventsOf(again!);
    expect(bytesOf(again!.output)).toEqual(bytesOf(kept!.output));
  });

  it('does not go on as another one', async () => {
    const options = world.options({ stage: 'adapt' });
    await abortedAt(3, options);
    const wrong: [object, RegExp][] = [
      [{ stage: 'pretrain' }, /stage/],
      [{ lr: 1e-2 }, /lr/],
      [{ lora: { rank: 2 } }, /lora/],
      [
        {
          data: [
            { path: world.colours, weight: 2 },
            { path: world.colours, name: 'b' },
          ],
        },
        /data/,
      ],
      [{ data: [{ path: world.colours, splits: ['train'] }] }, /data/],
    ];
    for (const [change, message] of wrong) {
      await expect(eventsOf({ ...resumed(options), ...change })).rejects.toMatchObject({
        code: 'ERR_CONFIG',
        message: expect.stringMatching(message),
      });
    }
  });

  it('is not taken up with weights of another moment, or a damaged state', async () => {
    const [options, other] = [
      world.options({ stage: 'adapt' }),
      world.options({ stage: 'adapt', seed: 2 }),
    ];
    await abortedAt(3, options);
    await abortedAt(3, other);
    const before = readFileSync(join(options.output, 'trainer_state.json'));
    renameSync(
      join(other.output, 'optimizer.safetensors'),
      join(options.output, 'optimizer.safetensors'),
    );
    await expect(eventsOf(resumed(options))).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT_CORRUPT',
      message: expect.stringContaining('another optimizer.safetensors'),
    });
    writeFileSync(join(options.output, 'trainer_state.json'), before);
    editJson(join(options.output, 'trainer_state.json'), (state) => {
      state.step = -1;
    });
    await expect(eventsOf(resumed(options))).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT_CORRUPT',
    });
  });

  it('leaving the loop ends it at its last checkpoint', async () => {
    const options = world.options({ stage: 'adapt', checkpointEvery: 2 });
    for await (const event of trainVla(options)) {
      if (event.type === 'step' && event.step === 5) break;
    }
    expect((await loadVlaRun(options.output, 'adapt')).state.step).toBe(4);
    await eventsOf(resumed(options));
    const whole = world.options({ stage: 'adapt' });
    await eventsOf(whole);
    expect(bytesOf(options.output)).toEqual(bytesOf(whole.output));
  });
});

describe.skipIf(kWindows)('a run that is killed by SIGKILL', () => {
  it('leaves a model that loads and a run that goes on to the same bits, wherever it was', async () => {
    const whole = world.options({ stage: 'adapt', steps: 24, checkpointEvery: 1 });
    await eventsOf(whole);
    const options = { ...whole, output: world.output() };
    mkdirSync(options.output);
    const kills = 6;
    let step = 0;
    for (let round = 0; round < kills; round += 1) {
      const going = round === 0 ? options : resumed(options);
      const child = start({ ...going, checkpointEvery: 1, logEvery: 1 });
      await killedSoonAfterItsFirstCheckpoint(child, 3 + 7 * round);
      const { opened } = await openVla(options.output);
      expect(opened.warnings).toEqual([]);
      await inspectCheckpoint(options.output, { checkValues: true });
      const { state } = await loadVlaRun(options.output, 'adapt');
      expect(state.step).toBeGreaterThanOrEqual(step);
      step = state.step;
      if (step === 24) break;
    }
    expect(step).toBeGreaterThan(0);
    await eventsOf(resumed(options));
    expect(bytesOf(options.output)).toEqual(bytesOf(whole.output));
  }, 120_000);

  it('in the middle of a commit: readers see the new set', async () => {
    const output = world.output();
    await createVla({ output, sizes: kSmallVla, tokenizer: { directory: world.model } });
    const other = world.output();
    const sizes = { ...kSmallVla, layers: 1 };
    await createVla({ output: other, sizes, tokenizer: { directory: world.model } });
    // As it is after the rename that commits: everything new in one folder, the old beside it.
    renameSync(other, join(output, '.committed'));
    const { opened } = await openVla(output);
    expect(opened.config.language.num_hidden_layers).toBe(1);
    expect(readdirSync(output)).not.toContain('.committed');
  });
});

function start(options: VlaTrainOptions): ChildProcess {
  const code = `
    import { trainVla } from './dist/index.js';
    for await (const event of trainVla(${JSON.stringify(options)})) console.log(event.type);
  `;
  const args = ['--input-type=module', '-e', code];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function killedSoonAfterItsFirstCheckpoint(child: ChildProcess, ms: number): Promise<void> {
  const closed = new Promise((resolve) => child.on('close', resolve));
  let output = '';
  child.stdout!.on('data', (text) => {
    const isFirst = !output.includes('checkpoint');
    output += text;
    if (isFirst && output.includes('checkpoint')) setTimeout(() => child.kill('SIGKILL'), ms);
  });
  await closed;
}
