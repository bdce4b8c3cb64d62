import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  assemblePrompt,
  buildModelInput,
  type ConversationOptions,
  type ConversationSource,
  encodePng,
  formatNumberList,
  letterbox,
  openConversations,
  publishedAnswer,
  scenePrompt,
  TextTokenizer,
  WamFlowError,
} from '../lib/index.js';
import { splitMix32 } from '../lib/scenario/random.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-flow-conversations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kImageTokens = 9;
const tokenizer = new TextTokenizer(smallTokenizerFiles(), { imageTokens: kImageTokens });
const { special, numbers } = tokenizer;
const kSize = 12;

/** A picture whose bytes depend on `seed`. */
function picture(seed: number, width = 20, height = 10) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + seed * 31) % 256);
  return { data, width, height };
}

beforeAll(async () => {
  mkdirSync(join(folder, 'images'));
  for (let i = 0; i < 4; ++i) {
    writeFileSync(join(folder, 'images', `${i}.png`), await encodePng(picture(i)));
  }
});

let files = 0;
/** A file of rows, or of raw lines. */
function file(rows: readonly (object | string)[], name = `${++files}.jsonl`): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  const lines = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row)));
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

const open = (
  source: string | readonly ConversationSource[],
  options: Partial<ConversationOptions> = {},
) =>
  openConversations(typeof source === 'string' ? [{ path: source }] : source, {
    tokenizer,
    imageSize: kSize,
    ...options,
  });

const row = (question: string, answer: string, more: object = {}) => ({
  conversations: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
  ...more,
});

const where = (mask: Uint8Array) => [...mask.keys()].filter((i) => mask[i] === 1);
const failing = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a text answer', () => {
  test('is the prompt of the front end, its answer, the end, and pads that count', async () => {
    const given = row('What is ahead?', 'left turn', { image: 'images/1.png', id: 'a', kind: 'k' });
    await using mix = await open(file([{ ...given, answer: 'left' }]), { answerTokens: 10 });
    const [got] = await mix.batch({ step: 0, count: 1, seed: 3 });
    const prompt = assemblePrompt({
      turns: [
        { role: 'User', text: '<image_placeholder>\nWhat is ahead?' },
        { role: 'Assistant', text: 'left turn' },
      ],
    });
    const input = buildModelInput(tokenizer, prompt, {
      purpose: 'training',
      padding: 'none',
      mask: 'answer',
      images: 1,
    });
    const pads = input.answerStart + 10 - input.tokens;
    expect(pads).toBeGreaterThan(1);
    expect([...got.ids]).toEqual([...input.ids, ...Array(pads).fill(special.pad.id)]);
    expect([...got.imageMask]).toEqual([...input.imageMask, ...Array(pads).fill(0)]);
    expect(got.answerStart).toBe(input.answerStart);
    expect(where(got.counted)).toEqual(Array.from({ length: 10 }, (_, i) => input.answerStart + i));
    expect(got.ids[input.tokens - 1]).toBe(special.endOfSentence.id);
    expect(got).toMatchObject({ id: 'a', kind: 'k', form: 'text', answer: 'left' });
  });

  test('has pictures as letterbox gives them, to the bit', async () => {
    await using mix = await open(file([row('q', 'a', { image: 'images/2.png' })]));
    const { pixels } = await mix.at(0, 0);
    const { values } = await letterbox(picture(2), { size: kSize });
    expect(pixels).toEqual(values);
  });

  test('of every byte is letterboxed to the bit', async () => {
    const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => Math.floor(i / 3));
    writeFileSync(
      join(folder, 'images', 'all.png'),
      await encodePng({ data, width: 16, height: 16 }),
    );
    await using mix = await open(file([row('q', 'a', { image: 'images/all.png' })]), {
      imageSize: 16,
    });
    const { values } = await letterbox({ data, width: 16, height: 16 }, { size: 16 });
    expect((await mix.at(0, 0)).pixels).toEqual(values);
  });

  test('is the last one of a conversation, what is before it the prompt', async () => {
    const conversations = [
      { from: 'human', value: 'see <image> there' },
      { from: 'gpt', value: 'stop' },
      { from: 'human', value: 'and next?' },
      { from: 'gpt', value: 'wait' },
      { from: 'human', value: 'thanks' },
    ];
    await using mix = await open(file([{ id: 7, image: 'images/0.png', conversations }]));
    const got = await mix.at(0, 0);
    const decoded = tokenizer.decode(got.ids.filter((_, i) => got.imageMask[i] === 0));
    const { beginOfSentence, endOfSentence, imageStart, imageEnd, pad } = special;
    const pads = got.ids.length - 1 - got.ids.lastIndexOf(endOfSentence.id);
    expect(decoded).toBe(
      `${beginOfSentence.text}User: see ${imageStart.text}${imageEnd.text} there\n\n` +
        `Assistant: stop${endOfSentence.text}User: and next?\n\n` +
        `Assistant: wait${endOfSentence.text}${pad.text.repeat(pads)}`,
    );
    expect(tokenizer.decode(got.ids.slice(0, got.answerStart))).toMatch(/next\?\n\nAssistant:$/);
    expect(got.id).toBe('7');
  });

  test('may have a system text of its own, of the options or of the template', async () => {
    const turns = row('go', 'left').conversations;
    const own = [{ role: 'system', content: 'stop' }, ...turns];
    const path = file([{ conversations: own }, { conversations: turns }]);
    await using mix = await open(path, { system: 'wait' });
    const text = async (i: number) => tokenizer.decode((await mix.at(0, i)).ids.slice(1));
    expect(await text(0)).toMatch(/^stop\n\nUser: go/);
    expect(await text(1)).toMatch(/^wait\n\nUser: go/);
    expect((await mix.at(0, 1)).pixels).toBeUndefined();
  });

  test('that is longer than its room is left out, and one that just fits is not', async () => {
    const texts = ['left', 'left right', 'left right left', 'left right left right left'];
    const length = (text: string) => tokenizer.encode(` ${text}`, { addSpecial: false }).length + 1;
    const answerTokens = length(texts[2]);
    await using mix = await open(file(texts.map((text) => row('q', text))), { answerTokens });
    expect(mix.summary[0]).toMatchObject({ rows: 4, used: 3, skipped: { 'answer too long': 1 } });
    const { ids } = await mix.at(0, 2);
    expect(ids.at(-1)).toBe(special.endOfSentence.id);
  });
});

describe('labels of patches', () => {
  const labels = 'ABCABCABC';
  const given = (patches: unknown, more: object = { image: 'images/1.png' }) => ({
    conversations: [{ role: 'user', content: 'what is where?' }],
    patches,
    ...more,
  });

  test('are what image tokens say, each at its own position; there is no answer', async () => {
    await using mix = await open(file([given(labels)]), { answerTokens: 4 });
    const got = await mix.at(0, 0);
    const prompt = await scenePrompt(
      tokenizer,
      { user: '<image_placeholder>\nwhat is where?', imageSize: kSize },
      { images: [picture(1)], fields: {} },
    );
    expect([...got.ids]).toEqual([...Array.from(prompt.ids)]);
    expect([...got.imageMask]).toEqual(Array.from(prompt.imageMask!, Number));
    expect(got.pixels).toEqual(prompt.pixels);
    expect(got).toMatchObject({ form: 'patches', answerStart: got.ids.length });
    const places = where(got.imageMask);
    expect(where(got.counted)).toEqual(places.map((i) => i + 1));
    const said = places.map((i) => tokenizer.decode([got.targets![i + 1]!]));
    expect(said.join('')).toBe(labels);
  });

  test('of several pictures follow each other', async () => {
    const two = { image: ['images/0.png', 'images/1.png'] };
    const path = file([given(labels + labels.replaceAll('A', 'D'), two)]);
    await using mix = await open(path, { maxImages: 2 });
    const { targets, imageMask } = await mix.at(0, 0);
    const said = where(imageMask).map((i) => tokenizer.decode([targets![i + 1]!]));
    expect(said.join('')).toBe('ABCABCABCDBCDBCDBC');
  });

  test('that are no token each, or of another number, are left out and counted', async () => {
    const rows = ['ABC', `${labels}A`, 'ABCABCAB\u4e00', ''].map((text) => given(text));
    const path = file([...rows, given(labels, {}), given(labels)]);
    await using mix = await open(path);
    const skipped = { patches: 4, pictures: 1 };
    expect(mix.summary[0]).toMatchObject({ rows: 6, used: 1, skipped });
    await expect(open(file([given(7)]))).rejects.toEqual(failing('ERR_CONVERSATION', /patches/));
  });

  test('other rows have no targets of their own', async () => {
    await using mix = await open(file([row('q', 'a')]));
    expect((await mix.at(0, 0)).targets).toBeUndefined();
  });
});

describe('an answer in numbers', () => {
  const values = Array.from({ length: 16 }, (_, i) => i * 1.25 - 3);
  const list = formatNumberList(values, numbers);

  test('is the prompt of VlaPlanner and its form, of which the numbers count', async () => {
    const given = row('go (1.00,0.00)', list, { image: 'images/3.png' });
    await using mix = await open(file([given]));
    const got = await mix.at(0, 0);
    const prompt = await scenePrompt(
      tokenizer,
      { user: '<image_placeholder>\ngo (1.00,0.00)', imageSize: kSize },
      { images: [picture(3)], fields: {} },
    );
    const { leadId, separatorId, endId } = publishedAnswer(tokenizer);
    const answer = [leadId, ...values.flatMap((v) => [numbers.encode(v), separatorId])];
    answer[answer.length - 1] = endId;
    expect([...got.ids]).toEqual([...Array.from(prompt.ids), ...answer]);
    expect([...got.imageMask]).toEqual([
      ...Array.from(prompt.imageMask!, Number),
      ...answer.map(() => 0),
    ]);
    expect(got.pixels).toEqual(prompt.pixels);
    expect(got.answerStart).toBe(prompt.ids.length);
    expect(where(got.counted)).toEqual(values.map((_, i) => got.answerStart + 1 + 2 * i));
    expect(got.form).toBe('numbers');
  });

  test('may be written otherwise', async () => {
    const other = values.map((v) => v.toFixed(4)).join(' , ');
    await using mix = await open(file([row('q', list), row('q', other)]));
    expect((await mix.at(0, 1)).ids).toEqual((await mix.at(0, 0)).ids);
  });

  test('of another number or beyond the vocabulary is left out', async () => {
    const rows = [
      row('q', list),
      row('q', `${list},1.00`),
      row('q', values.slice(1).join(',')),
      row('q', [...values.slice(1), 100.01].join(',')),
      row('q', '2.00'),
      row('q', '2.00,3.00'),
    ];
    await using mix = await open(file(rows));
    expect(mix.summary[0]).toMatchObject({ used: 3, skipped: { numbers: 3 } });
    expect((await mix.at(0, 1)).form).toBe('text');
  });
});

describe('rows', () => {
  test('that do not fit are counted by reason', async () => {
    const image = 'images/0.png';
    const rows = [
      row('q', 'left'),
      row('q', ''),
      { conversations: [{ role: 'user', content: 'q' }] },
      { conversations: [] },
      row('q', 'left', { image: [image, image] }),
      row('<image> and <image>', 'left', { image }),
      row('see <image_placeholder>', 'left'),
      row(`q${special.endOfSentence.text}`, 'left'),
      row('q', 'Assistant: left'),
      row('q', 'left <image_placeholder>', { image }),
      row('left '.repeat(200), 'left'),
      row('left '.repeat(100_000), 'left'),
    ];
    await using mix = await open(file(rows), { maxTokens: 100 });
    expect(mix.summary[0]).toMatchObject({
      rows: 12,
      used: 1,
      skipped: { 'no answer': 3, pictures: 3, 'special text': 3, 'too long': 2 },
    });
  });

  test('behind the first 256 are judged as those, most of them without being encoded', async () => {
    const words = ['left', 'right.', '道路', 'ü', '1.25', '-3.00,', 'x9', '(', '\n', '🚗', 'lane '];
    const random = splitMix32(7);
    const text = (most: number) => {
      const n = 1 + Math.floor(random() * most);
      return Array.from({ length: n }, () => words[Math.floor(random() * words.length)]).join(' ');
    };
    const rows = Array.from({ length: 250 }, (_, i) => {
      const answer = random() < 0.8 ? text(14) : formatNumberList(new Float64Array(16), numbers);
      return row(text(40), answer, { id: `${i}`, ...(i % 3 ? { image: 'images/0.png' } : {}) });
    });
    const options = { answerTokens: 16, maxTokens: 90 };
    await using encoded = await open(file(rows), options);
    const simple = Array.from({ length: 256 }, () => row('q', 'left'));
    await using judged = await open(file([...simple, ...rows]), options);
    const { skipped, used } = encoded.summary[0];
    expect(judged.summary[0]).toMatchObject({ skipped, used: used + 256 });
    expect(skipped['answer too long']).toBeGreaterThan(20);
    expect(skipped['too long']).toBeGreaterThan(20);
    expect(used).toBeGreaterThan(50);
    for (let i = 0; i < used; ++i) {
      const [a, b] = await Promise.all([encoded.at(0, i), judged.at(0, 256 + i)]);
      expect(b).toEqual({ ...a, set: b.set });
    }
  });

  test('belong to who asked for them', async () => {
    await using mix = await open(file([row('q', 'left', { image: 'images/0.png' })]));
    const first = await mix.at(0, 0);
    const second = structuredClone(first);
    for (const array of [first.ids, first.counted, first.imageMask, first.pixels!]) array.fill(9);
    expect(await mix.at(0, 0)).toEqual(second);
  });

  test('are chosen by kind and split', async () => {
    const rows = [
      row('q', 'left', { kind: 'a', split: 'train' }),
      row('q', 'left', { kind: 'b', split: 'train' }),
      row('q', 'left', { kind: 'a', split: 'val' }),
      row('q', 'left', { kind: 'a' }),
    ];
    const path = file(rows);
    await using mix = await open([
      { path, kinds: ['a'], splits: ['train'] },
      { path, name: 'all' },
      { path, name: 'val', splits: ['val'] },
    ]);
    expect(mix.summary.map(({ used }) => used)).toEqual([1, 4, 1]);
    expect(mix.summary[0].skipped).toEqual({ 'other kind': 1, 'other split': 2 });
    expect(mix.size).toBe(6);
    expect((await mix.at('val', 0)).id).toBe('3');
    await expect(open([{ path, kinds: ['c'] }])).rejects.toEqual(
      failing('ERR_CONVERSATION', /none of 4 can \(other kind 4\)/),
    );
  });

  test('with several pictures have them in the order of their placeholders', async () => {
    const images = ['images/1.png', 'images/0.png'];
    const path = file([row('<image> then <image>', 'left', { image: images }), row('q', 'stop')]);
    await using mix = await open(path, { maxImages: 2 });
    const { pixels, imageMask } = await mix.at(0, 0);
    expect(where(imageMask)).toHaveLength(2 * kImageTokens);
    const values = await Promise.all([1, 0].map((i) => letterbox(picture(i), { size: kSize })));
    expect(pixels).toEqual(Float32Array.from(values.flatMap((v) => [...v.values])));
  });
});

describe('a mixture', () => {
  const sets = (weights: readonly number[], sizes: readonly number[]): ConversationSource[] =>
    weights.map((weight, k) => ({
      path: file(Array.from({ length: sizes[k] }, (_, i) => row('q', 'left', { id: `${k}/${i}` }))),
      weight,
      name: String(k),
    }));
  const ids = async (mix: Awaited<ReturnType<typeof open>>, steps: number, seed = 1) => {
    const out: string[] = [];
    for (let step = 0; step < steps; ++step) {
      out.push(...(await mix.batch({ step, count: 50, seed })).map(({ id }) => id));
    }
    return out;
  };

  test('draws sets by weight, independently of each other', async () => {
    const weights = [5, 3, 0, 2];
    await using mix = await open(sets(weights, [40, 7, 3, 100]));
    const drawn = (await ids(mix, 80)).map((id) => Number(id[0]));
    const n = drawn.length;
    const expected = weights.map((w) => w / 10);
    const count = (of: (i: number) => boolean) => drawn.filter((_, i) => of(i)).length;
    for (const [a, p] of expected.entries()) {
      const deviation = Math.sqrt(n * p * (1 - p));
      expect(Math.abs(count((i) => drawn[i] === a) - n * p)).toBeLessThanOrEqual(4 * deviation);
      // One after the other.
      for (const [b, q] of expected.entries()) {
        const pairs = count((i) => drawn[i] === a && drawn[i + 1] === b);
        expect(Math.abs(pairs - n * p * q)).toBeLessThanOrEqual(4.5 * Math.sqrt(n * p * q));
      }
    }
  });

  test('takes every row of a set once before it takes one again, in another order', async () => {
    const sizes = [37, 11];
    await using mix = await open(sets([1, 2], sizes));
    const drawn = await ids(mix, 12);
    const orders = new Set<string>();
    for (const [k, size] of sizes.entries()) {
      const own = drawn.filter((id) => id.startsWith(`${k}/`));
      expect(own.length).toBeGreaterThan(3 * size);
      for (let at = 0; at + size <= own.length; at += size) {
        const epoch = own.slice(at, at + size);
        expect(new Set(epoch).size).toBe(size);
        orders.add(epoch.join());
      }
    }
    expect(orders.size).toBeGreaterThan(30);
  });

  test('goes on where it stopped, and depends on the seed', async () => {
    const given = sets([1, 1], [30, 20]);
    await using mix = await open(given);
    const all = await ids(mix, 6);
    expect(await ids(mix, 6, 2)).not.toEqual(all);
    await using again = await open(given);
    expect(again.fingerprint).toBe(mix.fingerprint);
    for (const step of [5, 2, 3, 0]) {
      const batch = await again.batch({ step, count: 50, seed: 1 });
      expect(batch.map(({ id }) => id)).toEqual(all.slice(step * 50, step * 50 + 50));
    }
    const halves = await again.batch({ step: 3, count: 25, seed: 1 });
    expect(halves.map(({ id }) => id)).toEqual(all.slice(75, 100));
  });

  test('has a fingerprint of contents, weights, and how they are read', async () => {
    const [set] = sets([1], [5]);
    const print = async (source: ConversationSource, options = {}) => {
      await using mix = await open([source], options);
      return mix.fingerprint;
    };
    const other = file(Array.from({ length: 5 }, (_, i) => row('q', 'right', { id: `0/${i}` })));
    const prints = await Promise.all([
      print(set),
      print({ ...set, weight: 2 }),
      print({ ...set, path: other }),
      print(set, { system: 'left' }),
      print(set, { answerTokens: 30 }),
      print(set, { imageSize: 13 }),
    ]);
    expect(new Set(prints).size).toBe(prints.length);
    expect(await print({ ...set, name: 'else' })).toBe(prints[0]);
  });

  test('without a weight can be read by place only', async () => {
    await using mix = await open(sets([0], [3]));
    expect((await mix.at('0', 2)).id).toBe('0/2');
    await expect(mix.batch({ step: 0, count: 1, seed: 1 })).rejects.toEqual(
      failing('ERR_ARGUMENT', /weight/),
    );
  });
});

describe('errors', () => {
  const good = row('q', 'left');
  const turn = (value: unknown) => ({ conversations: [value] });
  const path = (image: unknown) => row('q', 'left', { image });

  test.each<[string, object | string, RegExp]>([
    ['no JSON', '{"a":', /JSON object on one line/],
    ['no object', '3', /row: expected a JSON object.*received 3/],
    ['a list of rows', '[{}]', /row: expected a JSON object/],
    ['null', 'null', /received null/],
    ['no conversations', {}, /conversations: expected a list.*undefined/],
    ['conversations of another type', { conversations: 'x' }, /conversations: expected a list/],
    ['a turn that is none', turn(3), /conversations\[0\]: expected a turn/],
    ['a turn that is null', turn(null), /conversations\[0\]: expected a turn.*null/],
    ['an unknown role', turn({ role: 'robot', content: 'x' }), /\[0\].role: expected one of/],
    ['a role of Object', turn({ role: 'toString', content: 'x' }), /\[0\].role: expected one of/],
    ['a turn without a text', turn({ from: 'human' }), /\[0\].value: expected a text/],
    ['a number as a text', turn({ role: 'user', content: 3 }), /\[0\].content: expected a text/],
    ['an id that is an object', { ...good, id: {} }, /id: expected a text/],
    ['a kind that is a number', { ...good, kind: 3 }, /kind: expected a text/],
    ['a split that is a list', { ...good, split: [] }, /split: expected a text/],
    ['a picture that is a number', path(3), /image: expected a path below/],
    ['a picture without a name', path(''), /image: expected a path below/],
    ['a picture above', path('../x.png'), /image: expected a path below/],
    ['a picture above, in the end', path('a/../../x.png'), /image: expected a path below/],
    ['a picture from the root', path('/etc/passwd'), /image: expected a path below/],
    ['a picture of a drive', path('C:x.png'), /image: expected a path below/],
    ['a picture with backslashes', path('a\\..\\..\\x.png'), /image: expected a path below/],
    ['a picture with a zero byte', path('a\0.png'), /image: expected a path below/],
  ])('%s is refused with its line', async (_, bad, message) => {
    const given = file([good, '', bad, good]);
    const opening = open(given);
    await expect(opening).rejects.toEqual(failing('ERR_CONVERSATION', message));
    await expect(opening).rejects.toThrow(`${given}:3: `);
  });

  test('a list instead of lines says what to do', async () => {
    await expect(open(file(['[', JSON.stringify(good), ']']))).rejects.toEqual(
      failing('ERR_CONVERSATION', /:1: .*jq -c/),
    );
  });

  test('a file that is missing, none, empty, or not of UTF-8', async () => {
    await expect(open(join(folder, 'none'))).rejects.toEqual(failing('ERR_IO', /none/));
    await expect(open(folder)).rejects.toEqual(failing('ERR_IO', /cannot read/));
    await expect(open(file([]))).rejects.toEqual(failing('ERR_CONVERSATION', /none of 0 can/));
    const bytes = join(folder, 'bytes.jsonl');
    writeFileSync(
      bytes,
      Buffer.concat([Buffer.from(`${JSON.stringify(good)}\n"`), Buffer.of(255)]),
    );
    await expect(open(bytes)).rejects.toEqual(
      failing('ERR_CONVERSATION', /bytes.jsonl:2: .*UTF-8/),
    );
  });

  test('a line of more than 16 MiB', async () => {
    const path = file([good, ' '.repeat(2 ** 24), `"${'x'.repeat(2 ** 24)}"`]);
    await expect(open(path)).rejects.toEqual(failing('ERR_CONVERSATION', /:3: .*16777216 bytes/));
  });

  test('pictures that are missing or damaged, at the call that needs them', async () => {
    writeFileSync(join(folder, 'images', 'bad.png'), 'no picture');
    const rows = ['0', 'none', 'bad'].map((name) =>
      row('q', 'left', { image: `images/${name}.png`, id: name }),
    );
    const given = file(rows);
    await using mix = await open(given);
    expect((await mix.at(0, 0)).id).toBe('0');
    await expect(mix.at(0, 1)).rejects.toEqual(failing('ERR_IO', /jsonl:2: .*none\.png/));
    await expect(mix.at(0, 2)).rejects.toEqual(failing('ERR_IMAGE', /jsonl:3: .*bad\.png/));
    // One batch a row: the good one comes through although what is prepared behind it fails.
    const outcomes: string[] = [];
    for (let step = 0; step < 6; ++step) {
      const call = mix.batch({ step, count: 1, seed: 1 });
      outcomes.push(
        await call.then(
          ([{ id }]) => id,
          (error: WamFlowError) => error.code,
        ),
      );
    }
    expect([outcomes.slice(0, 3).sort(), outcomes.slice(3).sort()]).toEqual([
      ['0', 'ERR_IMAGE', 'ERR_IO'],
      ['0', 'ERR_IMAGE', 'ERR_IO'],
    ]);
    // It is looked for again once it is there.
    writeFileSync(join(folder, 'images', 'none.png'), await encodePng(picture(1)));
    expect((await mix.at(0, 1)).pixels).toHaveLength(3 * kSize * kSize);
  });

  test('a file that changes after it was opened', async () => {
    const given = file([good, good]);
    await using mix = await open(given);
    writeFileSync(given, JSON.stringify(row('q', '')).padEnd(400));
    await expect(mix.at(0, 0)).rejects.toEqual(failing('ERR_CONVERSATION', /:1: /));
    writeFileSync(given, '');
    await expect(mix.at(0, 0)).rejects.toEqual(failing('ERR_IO', /shorter/));
  });

  test('impossible options and arguments', async () => {
    const path = file([good]);
    const set = (more: object) => [{ path, ...more }] as ConversationSource[];
    await expect(open([])).rejects.toEqual(failing('ERR_ARGUMENT', /sets/));
    await expect(open(set({ path: 3 }))).rejects.toEqual(failing('ERR_ARGUMENT', /path/));
    await expect(open(set({ weight: -1 }))).rejects.toEqual(failing('ERR_RANGE', /weight/));
    await expect(open(set({ weight: Number.NaN }))).rejects.toEqual(failing('ERR_RANGE', /weight/));
    await expect(open(set({ kinds: 'a' }))).rejects.toEqual(failing('ERR_ARGUMENT', /kinds/));
    await expect(open([{ path }, { path }])).rejects.toEqual(failing('ERR_ARGUMENT', /name/));
    const wrong = (options: object) => open(path, options);
    await expect(wrong({ imageSize: 0 })).rejects.toEqual(failing('ERR_RANGE', /imageSize/));
    await expect(wrong({ tokenizer: {} })).rejects.toEqual(failing('ERR_ARGUMENT', /tokenizer/));
    await expect(wrong({ answerTokens: 1.5 })).rejects.toEqual(failing('ERR_ARGUMENT', /answerT/));
    const mix = await open(path);
    await expect(mix.batch({ step: -1, count: 1, seed: 1 })).rejects.toEqual(
      failing('ERR_RANGE', /step/),
    );
    await expect(mix.batch({ step: 0, count: 0, seed: 1 })).rejects.toEqual(
      failing('ERR_RANGE', /count/),
    );
    await expect(mix.batch({ step: 2 ** 31, count: 2, seed: 1 })).rejects.toEqual(
      failing('ERR_RANGE', /draws/),
    );
    await expect(mix.at(1, 0)).rejects.toEqual(failing('ERR_RANGE', /set/));
    await expect(mix.at(0, 1)).rejects.toEqual(failing('ERR_RANGE', /index/));
    await expect(mix.at('x', 0)).rejects.toEqual(failing('ERR_ARGUMENT', /set/));
    await mix.close();
    await mix.close();
    await expect(mix.at(0, 0)).rejects.toEqual(failing('ERR_CLOSED', /closed/));
  });

  test('a signal stops the opening', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const path = file(Array.from({ length: 3000 }, () => good));
    const stop = () => controller.abort(reason);
    setTimeout(stop, 20);
    await expect(open(path, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('whatever a line holds, opening works or says which line it is', async () => {
    const value = fc.anything({ maxDepth: 3, key: fc.constantFrom('image', 'id', 'role', 'from') });
    const turns = fc.array(
      fc.record(
        {
          role: fc.oneof(fc.constantFrom('user', 'assistant', 'system'), value),
          content: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('1.00,2.00'), value),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    );
    const line = fc.oneof(
      fc.string(),
      fc.record(
        { conversations: fc.oneof(turns, value), image: value, id: value, kind: value },
        { requiredKeys: [] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(line, async (given) => {
        const text = typeof given === 'string' ? given : (JSON.stringify(given) ?? 'null');
        try {
          await using mix = await open(file([good, text], 'fuzz.jsonl'));
          for (let i = 0; i < mix.size; ++i) {
            const { ids, counted, imageMask, answerStart } = await mix.at(0, i);
            expect([counted.length, imageMask.length]).toEqual([ids.length, ids.length]);
            expect(answerStart).toBeLessThan(ids.length);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(WamFlowError);
          expect((error as Error).message).toMatch(/fuzz\.jsonl:\d+: /);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('files', () => {
  test('may end without a line feed, have a byte order mark, carriage returns, and pieces', async () => {
    const filler = 'right '.repeat(4000);
    const rows = Array.from({ length: 120 }, (_, i) =>
      JSON.stringify(row('straße 道路', 'left', { id: `${i}`, filler: `${filler}道`.repeat(1) })),
    );
    const path = join(folder, 'pieces.jsonl');
    writeFileSync(path, `\uFEFF${rows.join('\r\n')}`);
    await using mix = await open(path);
    expect(mix.size).toBe(120);
    const { ids } = await mix.at(0, 0);
    for (const i of [1, 40, 41, 42, 119]) {
      const got = await mix.at(0, i);
      expect([got.id, [...got.ids]]).toEqual([`${i}`, [...ids]]);
    }
  });

  test('are read with progress', async () => {
    const path = file(Array.from({ length: 500 }, () => row('q', 'left')));
    const seen: number[] = [];
    await using mix = await open([{ path }, { path, name: 'b' }], {
      onProgress: ({ bytes, totalBytes }) => seen.push(bytes / totalBytes),
    });
    expect(mix.size).toBe(1000);
    expect(seen.at(-1)).toBe(1);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  });

  test('pictures beyond the room that is given are read again', async () => {
    const rows = [0, 1, 2].map((i) => row('q', 'left', { image: `images/${i}.png`, id: `${i}` }));
    await using mix = await open(file(rows), { cacheBytes: 2 * 3 * kSize * kSize });
    for (let round = 0; round < 3; ++round) {
      for (let i = 0; i < 3; ++i) {
        const { values } = await letterbox(picture(i), { size: kSize });
        expect((await mix.at(0, i)).pixels).toEqual(values);
      }
    }
  });
});
