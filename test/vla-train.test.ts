// Stages of a vision-language model: what they learn, what they leave alone, and what a directory says afterwards.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createVla,
  encodePng,
  exportVla,
  inspectCheckpoint,
  openConversations,
  openVla,
  readCheckpointValues,
  readVlaSettings,
  type StartEvent,
  TextTokenizer,
  trainVla,
  VlaPlanner,
  vlaRecipe,
} from '../lib/index.js';
import { readSafetensors } from '../lib/model/safetensors.js';
import { noisedExample, noiseSeed, noiseTimes } from '../lib/vla-train/noised-examples.js';
import { learningRateAt } from '../lib/vla-train/vla-recipe.js';
import { editJson, JanusFolder } from './support/janus-folder.js';
import { eventsOf, kSmallVla, lossesOf, SmallVla } from './support/small-vla.js';

const kTable = 'language_model.model.embed_tokens.weight';
let world: SmallVla;
let causal: string;
let adapted: string;
let embedded: string;

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

async function tensorsOf(directory: string) {
  return (await readSafetensors(join(directory, 'model.safetensors'))).tensors;
}

/** Names of tensors that differ between two models of one form. */
async function changed(a: string, b: string): Promise<string[]> {
  const [before, after] = [await tensorsOf(a), await tensorsOf(b)];
  return [...before.keys()].filter((name) => {
    const [x, y] = [before.get(name)!.data, after.get(name)!.data];
    return x.length !== y.length || x.some((v, i) => v !== y[i]);
  });
}

beforeAll(async () => {
  world = await SmallVla.make();
});
afterAll(() => world.remove());

describe('a model goes through the stages', () => {
  it('causal: it learns what it sees, everything trains', async () => {
    const options = world.options({ stage: 'causal', steps: 200, batch: 6, lr: 1e-2 });
    causal = options.output;
    const losses = lossesOf(await eventsOf(options));
    expect(losses).toHaveLength(200);
    expect(losses[0]).toBeGreaterThan(4);
    // Guessing the colour would cost log 3 / 8 = 0.137.
    expect(mean(losses.slice(-5))).toBeLessThan(0.08);
    const all = [...(await tensorsOf(causal)).keys()];
    expect((await changed(world.model, causal)).length).toBe(all.length);
    expect(await readVlaSettings(causal)).toMatchObject({
      stages: ['causal'],
      mask: 'causal',
      decoding: 'next',
      numbers: null,
      plan: null,
    });
  });

  it('adapt: the same conversations by flow; only the language model changes', async () => {
    const options = world.options({ stage: 'adapt', model: causal, steps: 60, batch: 6 });
    adapted = options.output;
    const losses = lossesOf(await eventsOf(options));
    expect(mean(losses.slice(-10))).toBeLessThan(0.5 * losses[0]!);
    const names = await changed(causal, adapted);
    expect(names.length).toBeGreaterThan(10);
    expect(names.every((name) => name.startsWith('language_model.model'))).toBe(true);
    expect(names).not.toContain(kTable);
    expect(await readVlaSettings(adapted)).toMatchObject({
      stages: ['causal', 'adapt'],
      mask: 'prefix',
      decoding: 'flow',
      answerTokens: 8,
      maskToken: { text: '<mask>' },
      schedule: { kind: 'published', a: 0.9, c: 3 },
      image: { size: 16 },
    });
  });

  it('embed: rows for numbers follow those of texts, start from the digits, and learn', async () => {
    const options = world.options({
      stage: 'embed',
      model: adapted,
      data: [{ path: world.numbers }],
      ...{ steps: 20, batch: 4, lr: 2e-2 },
    });
    embedded = options.output;
    // What the run begins with.
    const begun = { ...options, output: world.output() };
    const stop = new AbortController();
    const events = [];
    for await (const event of trainVla({ ...begun, signal: stop.signal })) {
      events.push(event);
      if (event.type === 'start') stop.abort();
    }
    expect(events.map(({ type }) => type)).toEqual(['start', 'done']);
    const tokenizer = await TextTokenizer.load(begun.output);
    const { firstId, size } = tokenizer.numbers;
    const [before, after] = [
      await readCheckpointValues(adapted, kTable),
      await readCheckpointValues(begun.output, kTable),
    ];
    const width = kSmallVla.hidden;
    expect(before.length).toBe(firstId * width);
    expect(after.length).toBe((firstId + size) * width);
    expect(after.slice(0, before.length)).toEqual(before);
    const row = (id: number) => after.subarray(id * width, (id + 1) * width);
    const digits = [...'0123456789'].map((digit) => row(tokenizer.idOf(digit)!));
    const dot = row(tokenizer.idOf('.')!);
    for (const column of [0, width - 1]) {
      const expected = (mean(digits.map((values) => values[column]!)) + dot[column]!) / 2;
      const found = Array.from({ length: size }, (_, i) => row(firstId + i)[column]!);
      const centre = mean(found);
      expect(centre).toBeCloseTo(expected, 3);
      const spread = Math.sqrt(mean(found.map((v) => (v - centre) ** 2)));
      expect(spread).toBeGreaterThan(0.0097);
      expect(spread).toBeLessThan(0.0103);
    }
    expect((await changed(adapted, begun.output)).sort()).toEqual([kTable]);
    const config = JSON.parse(readFileSync(join(begun.output, 'config.json'), 'utf8'));
    expect(config.language_config.vocab_size).toBe(firstId + size);
    const source = JSON.parse(readFileSync(join(adapted, 'config.json'), 'utf8'));
    source.language_config.vocab_size = firstId + size;
    expect(config).toEqual(source);

    const run = await eventsOf(options);
    const start = run[0] as StartEvent;
    expect(start.config).toMatchObject({ language: { vocab_size: firstId + size } });
    expect(start.parameters).toBe((firstId + size) * width);
    const losses = lossesOf(run);
    expect(mean(losses.slice(-3))).toBeLessThan(0.8 * losses[0]!);
    expect(run[1]).toMatchObject({ type: 'step', tripletLoss: expect.any(Number) });
    expect(await changed(begun.output, embedded)).toEqual([kTable]);
    expect(await readVlaSettings(embedded)).toMatchObject({
      numbers: { firstId, min: -100, max: 100, decimals: 2 },
    });
    expect((await openVla(embedded)).tokenizer.hasNumbers).toBe(true);
    expect((await openVla(adapted)).tokenizer.hasNumbers).toBe(false);
  });

  it('sft: plans by flow, after which the directory plans', async () => {
    const wording = { user: '<image_placeholder>\nWhere next at {v}?' };
    const options = world.options({
      stage: 'sft',
      model: embedded,
      data: [{ path: world.plans, weight: 3 }, { path: world.numbers }],
      ...{ steps: 6, maxTokens: 80, wording, mask: 'full', copies: 1 },
    });
    await eventsOf(options);
    const settings = await readVlaSettings(options.output);
    expect(settings).toMatchObject({
      stages: ['causal', 'adapt', 'embed', 'sft'],
      mask: 'full',
      plan: { waypoints: 8, coordinates: 2 },
      wording,
    });
    const planner = await VlaPlanner.load(options.output, { mask: settings!.mask });
    const prompt = await planner.prompt(settings!.wording!, {
      images: [{ data: new Uint8Array(768), width: 16, height: 16 }],
      fields: { v: 3.5 },
    });
    const { trajectory } = await planner.plan(prompt, { steps: 2 });
    expect(trajectory).toHaveLength(16);
    await planner.close();
  });

  it('pretrain: kinds of conversations are mixed, nothing of which needs rows for numbers', async () => {
    const options = world.options({
      stage: 'pretrain',
      model: adapted,
      data: [{ path: world.colours }, { path: world.numbers, weight: 2, splits: ['train'] }],
      trainable: ['language', 'aligner'],
      answerTokens: 16,
    });
    const [start] = await eventsOf(options);
    expect(start).toMatchObject({
      conversations: {
        used: 44,
        sets: [
          { used: 24, weight: 1 },
          { used: 20, weight: 2, skipped: { 'other split': 4 } },
        ],
      },
    });
    const names = await changed(adapted, options.output);
    expect(names.some((name) => name.startsWith('aligner.'))).toBe(true);
    expect(names.some((name) => name.startsWith('vision_model.'))).toBe(false);
  });
});

describe('labels of patches', () => {
  const kColours = { R: [220, 30, 30], G: [30, 200, 40], B: [40, 60, 220] };
  let labelled: string;

  /** Pictures of four patches, each of a colour of its own, and rows that say which. */
  beforeAll(async () => {
    labelled = join(world.root, 'patches.jsonl');
    const rows = Array.from({ length: 48 }, (_, i) => {
      const patches = Array.from({ length: 4 }, (_, k) => 'RGB'[Math.floor(i / 3 ** k + k) % 3]!);
      return { image: `images/patches-${i}.png`, patches: patches.join('') };
    });
    for (const { image, patches } of rows) {
      const data = new Uint8Array(3 * 256);
      for (let p = 0; p < 256; p += 1) {
        const patch = 2 * (p >> 7) + ((p >> 3) & 1);
        data.set(kColours[patches[patch] as keyof typeof kColours], 3 * p);
      }
      const png = await encodePng({ data, width: 16, height: 16 });
      writeFileSync(join(world.root, image), png);
    }
    const conversations = [{ role: 'user', content: 'Which colours?' }];
    const lines = rows.map((row) => JSON.stringify({ ...row, conversations }));
    writeFileSync(labelled, `${lines.join('\n')}\n`);
  });

  it.each([
    ['causal', 1],
    ['adapt', 2],
  ] as const)(
    'stage %s learns from each image token what its patch shows',
    async (stage, copies) => {
      const data = [{ path: labelled, weight: 3 }, { path: world.colours }];
      const training = { steps: 150, batch: 6, lr: 1e-2, trainable: 'all', copies } as const;
      const options = world.options({ stage, data, ...training });
      await eventsOf(options);
      const losses = lossesOf(
        await eventsOf({
          ...world.options({ stage, model: options.output, data: [{ path: labelled }], copies }),
          ...{ steps: 2, batch: 48, lr: 1e-9 },
        }),
      );
      // Who does not look at its own patch guesses one of three.
      expect(losses[0]).toBeLessThan(0.1 * Math.log(3));
    },
  );

  it('make rows that are learnt as they are: without noise, before an answer would begin', async () => {
    const tokenizer = await TextTokenizer.load(world.model, { addNumbers: false });
    const sets = [{ path: labelled }];
    await using mix = await openConversations(sets, { tokenizer, imageSize: 16 });
    const conversation = await mix.at(0, 0);
    const train = { ...vlaRecipe('adapt'), copies: 3 };
    const example = noisedExample(conversation, { train, numeric: undefined }, 1, 0);
    expect(example).toMatchObject({ mask: 'prefix', prefixRows: conversation.ids.length });
    expect(example.noise).toBeUndefined();
    expect(example.targets).toBe(conversation.targets);
  });
});

describe('directories from elsewhere', () => {
  const folder = new JanusFolder();
  afterAll(() => folder.remove());

  /** Sharded weights of 16 bits, and the tokenizer of the small model. */
  async function foreign(): Promise<string> {
    const tokenizer = await TextTokenizer.load(world.model, { addNumbers: false });
    const directory = await folder.tiny({
      dtype: 'bf16',
      shards: 3,
      generation: true,
      sizes: { vocab: tokenizer.idLimit + 5, imageSize: 8 },
    });
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
      writeFileSync(join(directory, name), readFileSync(join(world.model, name)));
    }
    return directory;
  }

  it('keep the bytes of all that is not trained, and their fields', async () => {
    const model = await foreign();
    const options = world.options({ stage: 'adapt', model, steps: 2 });
    await eventsOf(options);
    expect(await readVlaSettings(model)).toBeUndefined();
    const [before, after] = [
      await inspectCheckpoint(model),
      await inspectCheckpoint(options.output),
    ];
    expect(after.files.map(({ name }) => name)).toEqual(['model.safetensors']);
    expect(after.tensors.map(({ name }) => name)).toEqual(before.tensors.map(({ name }) => name));
    const trained = after.tensors.filter(({ dtype }) => dtype === 'F32');
    expect(trained.every(({ name }) => name.startsWith('language_model.'))).toBe(true);
    expect(trained.map(({ name }) => name)).not.toContain(kTable);
    for (const { name, dtype } of after.tensors) {
      if (dtype === 'F32') continue;
      expect(await readCheckpointValues(options.output, name)).toEqual(
        await readCheckpointValues(model, name),
      );
    }
    expect(readFileSync(join(options.output, 'config.json'), 'utf8')).toBe(
      readFileSync(join(model, 'config.json'), 'utf8'),
    );
  });

  it('get numbers in place of rows that their tokenizer never used, and an untied head grows too', async () => {
    const model = await foreign();
    const options = world.options({
      stage: 'embed',
      model,
      rows: 'random',
      triplet: false,
      data: [{ path: world.numbers }],
      ...{ steps: 1, answerTokens: 16 },
    });
    const events = await eventsOf(options);
    const { tokenizer, opened } = await openVla(options.output);
    expect(opened.config.language.vocab_size).toBe(tokenizer.idLimit);
    expect(events[1]).not.toHaveProperty('tripletLoss');
    const head = await readCheckpointValues(options.output, 'language_model.lm_head.weight');
    expect(head.length).toBe(tokenizer.idLimit * opened.config.language.hidden_size);
    expect(head.every(Number.isFinite)).toBe(true);
  });

  it('are replaced as a whole when they are in the way, and only when that is allowed', async () => {
    const model = await foreign();
    const options = world.options({ stage: 'causal', output: await foreign(), steps: 1 });
    await expect(eventsOf(options)).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    await eventsOf({ ...options, model, overwrite: true });
    expect(existsSync(join(options.output, 'model.safetensors.index.json'))).toBe(false);
    await inspectCheckpoint(options.output, { checkValues: true });
  });
});

describe('exportVla', () => {
  it('writes 16-bit weights that are the nearest ones, without what training needs', async () => {
    const output = world.output();
    await exportVla({ model: causal, output });
    const [before, after] = [await inspectCheckpoint(causal), await inspectCheckpoint(output)];
    expect(Object.keys(after.dtypes)).toEqual(['BF16']);
    expect(after.bytes).toBe(before.bytes / 2);
    expect(readdirSync(output).sort()).toEqual(
      readdirSync(causal)
        .filter((name) => !/^(optimizer|trainer_state|train_log)/.test(name))
        .sort(),
    );
    const [wide, narrow] = [
      await readCheckpointValues(causal, kTable),
      await readCheckpointValues(output, kTable),
    ];
    wide.forEach((value, i) => {
      expect(Math.abs(narrow[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8);
    });
    const back = world.output();
    await exportVla({ model: output, output: back, dtype: 'f32' });
    expect(await readCheckpointValues(back, kTable)).toEqual(narrow);
    await expect(exportVla({ model: causal, output })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
  });

  it('averages models that were trained from one, with the rest of the first', async () => {
    const [other, output] = [world.output(), world.output()];
    await exportVla({ model: causal, output: other, dtype: 'bf16' });
    await exportVla({ model: [causal, other], weights: [3, 1], output, dtype: 'f32' });
    const [a, b, mean] = [
      await readCheckpointValues(causal, kTable),
      await readCheckpointValues(other, kTable),
      await readCheckpointValues(output, kTable),
    ];
    expect(b).not.toEqual(a);
    expect(mean).toEqual(a.map((value, i) => 0.75 * value + 0.25 * b[i]!));
    const { config } = await inspectCheckpoint(output, { checkValues: true });
    expect(config).toEqual((await inspectCheckpoint(causal)).config);
  });

  it('averages nothing of other shapes, nor with weights that have no sum', async () => {
    const [other, output] = [world.output(), world.output()];
    const sizes = { ...kSmallVla, layers: 1 };
    await createVla({ output: other, sizes, tokenizer: { directory: world.model } });
    const refused = (options: object) => expect(exportVla({ output, ...options } as never)).rejects;
    await refused({ model: [causal, other] }).toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining(`expected the tensors of ${causal}`),
    });
    const pair = [causal, causal];
    for (const wrong of [
      { model: [] },
      { model: pair, weights: [1] },
      { model: pair, weights: [1, -1] },
      { model: pair, weights: 'equal' },
      { model: pair, weights: null },
    ]) {
      await refused(wrong).toMatchObject({ code: 'ERR_ARGUMENT' });
    }
    expect(existsSync(output)).toBe(false);
  });
});

describe('wrong options', () => {
  const cases: [string, () => object, string, RegExp][] = [
    ['an unknown stage', () => ({ stage: 'align' }), 'ERR_ARGUMENT', /stage/],
    ['a misspelled name', () => ({ learningRate: 1 }), 'ERR_ARGUMENT', /learningRate/],
    ['no model', () => ({ model: undefined }), 'ERR_ARGUMENT', /model/],
    ['a model that is none', () => ({ model: '/nowhere' }), 'ERR_CHECKPOINT_NOT_FOUND', /nowhere/],
    ['no data', () => ({ data: [] }), 'ERR_ARGUMENT', /sets/],
    ['data that is not there', () => ({ data: [{ path: '/x.jsonl' }] }), 'ERR_IO', /x\.jsonl/],
    ['a batch of 0', () => ({ batch: 0 }), 'ERR_ARGUMENT', /batch/],
    ['a learning rate of 0', () => ({ lr: 0 }), 'ERR_ARGUMENT', /lr/],
    ['a causal mask', () => ({ mask: 'causal', copies: 1 }), 'ERR_CONFIG', /mask/],
    ['copies without a prefix', () => ({ mask: 'full' }), 'ERR_CONFIG', /copies/],
    ['nothing to train', () => ({ trainable: [] }), 'ERR_ARGUMENT', /trainable/],
    ['names of nothing', () => ({ trainable: 'heads' }), 'ERR_CONFIG', /heads/],
    ['an unknown mask token', () => ({ maskToken: '<none>' }), 'ERR_TOKENIZER', /<none>/],
    ['a path of no form', () => ({ path: 3 }), 'ERR_ARGUMENT', /schedule/],
    ['bf16', () => ({ precision: 'bf16' }), 'ERR_ARGUMENT', /fp32/],
    ['a resume of nothing', () => ({ resume: true }), 'ERR_CHECKPOINT_NOT_FOUND', /resume/],
    ['plans without rows', () => ({ stage: 'sft' }), 'ERR_CONFIG', /embed/],
    ['a signal that is none', () => ({ signal: 1 }), 'ERR_ARGUMENT', /signal/],
    ['conversations too long', () => ({ maxTokens: 9 }), 'ERR_CONVERSATION', /./],
  ];
  it.each(cases)('%s: refused, and nothing is written', async (_, wrong, code, message) => {
    const options = { ...world.options({ stage: 'adapt' }), ...wrong() };
    await expect(eventsOf(options as never)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(existsSync(options.output)).toBe(false);
  });

  it('an aborted signal rejects with its reason', async () => {
    const signal = AbortSignal.abort(new Error('no'));
    const options = world.options({ stage: 'adapt', signal });
    await expect(eventsOf(options)).rejects.toThrow('no');
    expect(existsSync(options.output)).toBe(false);
  });

  it('settings that are damaged are named', async () => {
    const output = world.output();
    await createVla({ output, sizes: kSmallVla, tokenizer: { directory: world.model } });
    editJson(join(output, 'wam_flow.json'), (value) => {
      value.mask = 'some';
    });
    await expect(eventsOf(world.options({ stage: 'adapt', model: output }))).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('mask'),
    });
  });
});

describe('draws', () => {
  const draws = { seed: 5, copies: 4, zeroFraction: 0.25 };

  it('are one time in each part, 0 for the share that is asked for, and depend on nothing else', () => {
    let zeros = 0;
    const all: number[] = [];
    for (let update = 1; update <= 500; update += 1) {
      for (let place = 0; place < 4; place += 1) {
        const times = noiseTimes(draws, update, place);
        expect(times).toEqual(noiseTimes(draws, update, place));
        times.forEach((t, copy) => {
          if (t === 0) zeros += 1;
          else {
            expect(Math.floor((t / 0.999) * 4)).toBe(copy);
            all.push(t);
          }
        });
      }
    }
    expect(Math.abs(zeros / 8000 - 0.25)).toBeLessThan(0.02);
    expect(Math.abs(mean(all) - 0.4995)).toBeLessThan(0.02);
    expect(new Set(all).size).toBe(all.length);
    const seeds = Array.from({ length: 2000 }, (_, i) => noiseSeed(draws, i % 50, i / 50));
    expect(new Set(seeds).size).toBe(2000);
    expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
  });

  it('the learning rate rises, and falls to almost 0 or stays', () => {
    const train = { ...vlaRecipe('sft'), lr: 1, warmup: 10, steps: 100 };
    expect([1, 5, 10].map((update) => learningRateAt(train, update))).toEqual([0.1, 0.5, 1]);
    expect(learningRateAt(train, 55)).toBeCloseTo(0.5, 1);
    expect(learningRateAt(train, 100)).toBeGreaterThan(0);
    expect(learningRateAt(train, 100)).toBeLessThan(1e-3);
    expect(learningRateAt({ ...train, schedule: 'constant' }, 100)).toBe(1);
  });
});

describe('an example', () => {
  it('has its pictures as they were letterboxed: the trainer alone knows how its tower takes them', async () => {
    const pixels = Float32Array.of(-1, 0, 1);
    const conversation = {
      ...{ id: '1', kind: '', set: 'a', form: 'text' as const, answerStart: 2, pixels },
      ids: Int32Array.of(1, 2, 3, 4),
      imageMask: new Uint8Array(4),
      counted: Uint8Array.of(0, 0, 1, 1),
    };
    const form = { train: { ...vlaRecipe('sft'), copies: 2 }, numeric: undefined };
    const example = noisedExample(conversation, form, 1, 0);
    expect(example.pixels).toBe(pixels);
    expect(example.noise!.times).toHaveLength(2);
  });
});
