// Models of one's own: what createVla writes is a Janus directory that loads, with numbers of the promised size.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createVla,
  inspectCheckpoint,
  loadModel,
  readCheckpointValues,
  readVlaSettings,
  TextTokenizer,
} from '../lib/index.js';
import { conversationTexts } from '../lib/vla-train/conversation-texts.js';
import { normalValues } from '../lib/vla-train/draws.js';

const root = mkdtempSync(join(tmpdir(), 'wam-create-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const sizes = {
  imageSize: 24,
  patch: 8,
  hidden: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  visionWidth: 16,
  visionLayers: 1,
  visionHeads: 2,
} as const;
const texts = Array.from({ length: 40 }, (_, i) => `the lane to the ${i % 2 ? 'left' : 'right'}`);

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
}

describe('createVla', () => {
  it('writes a directory that is inspected without a warning, loads and runs', async () => {
    const output = join(root, 'plain');
    const made = await createVla({ output, sizes, tokenizer: { texts, size: 300 } });
    const opened = await inspectCheckpoint(output, { checkValues: true });
    expect(opened.warnings).toEqual([]);
    expect(opened.parameters).toBe(made.parameters);
    expect(opened.usedParameters).toBe(made.parameters);
    expect(opened.config.language).toMatchObject({
      hidden_size: 32,
      num_key_value_heads: 2,
      intermediate_size: 96,
      vocab_size: made.vocab,
      tie_word_embeddings: true,
    });
    const tokenizer = await TextTokenizer.load(output);
    expect(tokenizer.imageTokens).toBe(9);
    expect(made).toMatchObject({ vocab: tokenizer.numbers.firstId, imageTokens: 9 });
    const settings = await readVlaSettings(output);
    expect(settings?.maskToken).toEqual({ text: '<mask>', id: made.vocab - 1 });
    expect(tokenizer.encode('<mask>', { addSpecial: false })).toEqual(
      Int32Array.of(made.vocab - 1),
    );
    expect(settings).toMatchObject({ mask: 'causal', numbers: null, image: { size: 24 } });
    const model = await loadModel(output);
    const { logits } = await model.forward({ ids: [1, 2, 3], rows: [2] });
    expect(logits.every(Number.isFinite)).toBe(true);
    await model.close();
  });

  it('starts weights as transformers are started', async () => {
    const output = join(root, 'untied');
    const wide = { ...sizes, hidden: 64, tied: false };
    await createVla({ output, sizes: wide, tokenizer: { texts, size: 300 } });
    const values = (name: string) => readCheckpointValues(output, name);
    const layer = 'language_model.model.layers.1';
    expect(deviation(await values('language_model.model.embed_tokens.weight'))).toBeCloseTo(
      0.02,
      3,
    );
    expect(deviation(await values('language_model.lm_head.weight'))).toBeCloseTo(0.02, 3);
    expect(deviation(await values(`${layer}.mlp.up_proj.weight`))).toBeCloseTo(0.02, 3);
    expect(deviation(await values(`${layer}.mlp.down_proj.weight`))).toBeCloseTo(0.01, 3);
    expect(new Set(await values(`${layer}.input_layernorm.weight`))).toEqual(new Set([1]));
    expect(new Set(await values('aligner.layers.0.bias'))).toEqual(new Set([0]));
  });

  it('gives the same bytes for the same options, others for another seed', async () => {
    const bytes = async (name: string, seed: number) => {
      const output = join(root, name);
      await createVla({ output, sizes, tokenizer: { texts, size: 300 }, seed });
      return readdirSync(output)
        .sort()
        .map((file) => readFileSync(join(output, file)));
    };
    const first = await bytes('seed-a', 7);
    expect(await bytes('seed-b', 7)).toEqual(first);
    expect(await bytes('seed-c', 8)).not.toEqual(first);
  });

  it('takes the tokenizer of a folder, and rows for the numbers when asked to', async () => {
    const output = join(root, 'numbers');
    const made = await createVla({
      output,
      sizes,
      tokenizer: { directory: join(root, 'plain') },
      maskToken: false,
      numbers: true,
    });
    expect(made.vocab).toBe(made.firstNumberId + 20_001);
    expect(await readVlaSettings(output)).toMatchObject({
      numbers: { firstId: made.firstNumberId, min: -100, max: 100, decimals: 2 },
      maskToken: null,
    });
  });

  it.each([
    [{ sizes: { patch: 7 } }, 'ERR_ARGUMENT', /patch.*divisor/],
    [{ sizes: { heads: 3, layer: 2 } }, 'ERR_ARGUMENT', /layer/],
    [{ sizes: { heads: 128 } }, 'ERR_ARGUMENT', /even/],
    [{ seed: -1 }, 'ERR_ARGUMENT', /seed/],
    [{ output: '' }, 'ERR_ARGUMENT', /output/],
    [{ maskToken: '' }, 'ERR_ARGUMENT', /maskToken/],
    [{ tokenizer: 3 }, 'ERR_ARGUMENT', /tokenizer/],
    [{ tokenizer: { directory: '/nowhere' } }, 'ERR_TOKENIZER', /tokenizer.json/],
    [{ output: join(root, 'plain') }, 'ERR_ARGUMENT', /holds a model/],
  ])('refuses %j', async (wrong, code, message) => {
    const options = { output: join(root, 'wrong'), tokenizer: { texts, size: 300 }, ...wrong };
    const made = createVla(options as Parameters<typeof createVla>[0]);
    await expect(made).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('normalValues', () => {
  it('have mean 0 and the deviation, and begin alike whatever their number', () => {
    const values = normalValues('a', 3, 40_001, 2);
    expect(Math.abs(values.reduce((sum, v) => sum + v, 0) / values.length)).toBeLessThan(0.04);
    expect(deviation(values)).toBeGreaterThan(1.97);
    expect(deviation(values)).toBeLessThan(2.03);
    expect(normalValues('a', 3, 7, 2)).toEqual(values.slice(0, 7));
    expect(normalValues('b', 3, 7, 2)).not.toEqual(values.slice(0, 7));
  });
});

describe('conversationTexts', () => {
  const file = join(root, 'rows.jsonl');
  const read = async () => {
    const all: string[] = [];
    for await (const text of conversationTexts([file])) all.push(text);
    return all;
  };

  it('reads both forms of a conversation, without the places of pictures', async () => {
    const rows = [
      {
        conversations: [
          { role: 'user', content: 'What <image_placeholder>\nis it?' },
          { role: 'assistant', content: 'A car.' },
        ],
      },
      { conversations: [{ from: 'human', value: '<image>\nHow many?' }] },
    ];
    writeFileSync(file, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n\n`);
    expect(await read()).toEqual([
      'User: What is it?\n\nAssistant: A car.<｜end▁of▁sentence｜>',
      'User: How many?',
    ]);
  });

  it.each(['{', '{"a":1}', '{"conversations":[3]}', 'null'])('refuses %s', async (text) => {
    writeFileSync(file, `${text}\n`);
    await expect(read()).rejects.toMatchObject({
      code: 'ERR_CONVERSATION',
      message: expect.stringContaining(`${file}:1`),
    });
  });
});

describe('wam-flow create', () => {
  it('makes a model from conversation files', () => {
    const file = join(root, 'texts.jsonl');
    const row = (text: string) =>
      JSON.stringify({ conversations: [{ role: 'user', content: text }] });
    writeFileSync(file, texts.map(row).join('\n'));
    const output = join(root, 'command');
    const args = ['create', '--texts', file, '--output', output, '--sizes', JSON.stringify(sizes)];
    const made = JSON.parse(
      execFileSync(process.execPath, ['dist/cli/main.js', ...args, '--json'], { encoding: 'utf8' }),
    );
    expect(made).toMatchObject({ directory: output, imageTokens: 9 });
    expect(readdirSync(output)).toContain('model.safetensors');
  });
});
