import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  makeTokenizer,
  TextTokenizer,
  type TokenizerFiles,
  WamFlowError,
  writeTokenizerFiles,
} from '../lib/index.js';
import {
  byteCharacter,
  janusSizedTokenizerFiles,
  paperNumbers,
  referenceEncode,
  smallTokenizerFiles,
} from './support/small-tokenizer.js';

const files = smallTokenizerFiles();
const numbers = paperNumbers();
const tokenizer = new TextTokenizer(files);

type Token = { id: number; content: string; special: boolean };
const addedOf = ({ tokenizer: json }: TokenizerFiles) => json.added_tokens as Token[];
const vocabOf = ({ tokenizer: json }: TokenizerFiles) =>
  (json.model as { vocab: Record<string, number> }).vocab;
/** Tokens of the files without numbers. */
const kLength = Object.keys(vocabOf(files)).length + addedOf(files).length;

const encode = (text: string) => [...tokenizer.encode(text, { addSpecial: false })];
const reference = (text: string) => referenceEncode(files, numbers, kLength, text);

/** What making a tokenizer fails with. */
function failure(broken: unknown, options = {}): WamFlowError {
  try {
    new TextTokenizer(broken as TokenizerFiles, options);
  } catch (error) {
    expect(error).toBeInstanceOf(WamFlowError);
    return error as WamFlowError;
  }
  throw new Error('it did not fail');
}

describe('encoding', () => {
  test.each([
    ['a prompt', 'User: turn left at the light.\n\nAssistant: 3.88,-0.06,7.50,-0.07'],
    ['numbers that are one token', '(0.00,0.00) -0.06 100.00 -100.00 99.99'],
    ['numbers that break up', '123.45 3.14159 -123.45 0.005 1.5 -0 .50 100.001 7'],
    ['numbers in words', 'x1.25y-2.50z0.0-0.00--1.00'],
    ['special tokens', 'a<｜end▁of▁sentence｜>b<image_placeholder>\n<｜▁pad▁｜>c<｜pad｜>'],
    ['other scripts', 'Straße 道路 前方。Привет \u{1F697}\u{1F6A6} é ٣٤ ²³ \ud800'],
    ['spaces and lines', '  two   spaces\r\n\n\tand a tab \u00a0end '],
    ['nothing', ''],
  ])('%s is what brute force gives', (_, text) => {
    expect(encode(text)).toEqual(reference(text));
  });

  test('any text is what brute force gives', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'left',
        ' lane',
        'User:',
        '\n\n',
        ' ',
        ',',
        '-',
        '.',
        '1',
        '12.3',
        '<｜',
        '>',
      ),
      fc.constantFrom(...addedOf(files).map(({ content }) => content)),
      fc.integer({ min: -13_000, max: 13_000 }).map((n) => (n / 100).toFixed(2)),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
        expect(encode(parts.join(''))).toEqual(reference(parts.join('')));
      }),
      { numRuns: 120 },
    );
  });

  test('decoding gives the text back, however tokens split its characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text, { addSpecial: false }))).toBe(text);
      }),
      { numRuns: 200 },
    );
    const text = 'User: 3.88,-0.06 道路<｜end▁of▁sentence｜>';
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids)).toBe(`<｜begin▁of▁sentence｜>${text}`);
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('User: 3.88,-0.06 道路');
  });

  test('ids that no token has decode to nothing', () => {
    const { idLimit } = tokenizer;
    expect(tokenizer.decode([idLimit, -1, 1e9, vocabOf(files).a!, idLimit + 5])).toBe('a');
    expect(tokenizer.decode([])).toBe('');
  });

  test('puts the begin of sentence in front once, and only when asked', () => {
    const { id } = tokenizer.special.beginOfSentence;
    expect([...tokenizer.encode('left')]).toEqual([id, ...reference('left')]);
    expect(encode('left')).toEqual(reference('left'));
    const quiet = smallTokenizerFiles();
    quiet.tokenizerConfig = { add_bos_token: false, add_eos_token: true };
    quiet.specialTokensMap = files.specialTokensMap;
    const end = tokenizer.special.endOfSentence.id;
    expect([...new TextTokenizer(quiet).encode('left')]).toEqual([...reference('left'), end]);
    // Without a word about it, the post-processor of tokenizer.json decides.
    quiet.tokenizerConfig = {};
    expect([...new TextTokenizer(quiet).encode('left')]).toEqual([id, ...reference('left')]);
  });

  test('text must be a string', () => {
    expect(() => tokenizer.encode(5 as never)).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});

describe('numbers', () => {
  test('begin where the tokenizer ended before they were added, and are consecutive', () => {
    expect(tokenizer.numbers.firstId).toBe(kLength);
    expect(tokenizer.idLimit).toBe(kLength + 20_001);
    numbers.forEach((text, i) => {
      if (i % 97 === 0 || i > 19_990) expect(encode(text)).toEqual([kLength + i]);
    });
  });

  test('begin one later when the placeholder is missing: it is added first', () => {
    const some = smallTokenizerFiles();
    some.tokenizer = {
      ...some.tokenizer,
      added_tokens: addedOf(some).filter(({ content }) => content !== '<image_placeholder>'),
    };
    const without = new TextTokenizer(some);
    expect(without.special.imagePlaceholder.id).toBe(kLength - 1);
    expect(without.numbers.firstId).toBe(kLength);
    some.processorConfig = { image_tag: '<picture>' };
    const other = new TextTokenizer(some);
    expect(other.special.imagePlaceholder).toEqual({ text: '<picture>', id: kLength - 1 });
    expect([...other.encode('a<picture>', { addSpecial: false })].at(-1)).toBe(kLength - 1);
  });

  test('begin later by the tokens that tokenizer_config adds', () => {
    const some = smallTokenizerFiles();
    some.tokenizerConfig = {
      ...some.tokenizerConfig,
      added_tokens_decoder: { 900: { content: '<new>' }, 3: { content: '<｜▁pad▁｜>' } },
      additional_special_tokens: ['<newer>', '<new>'],
    };
    const more = new TextTokenizer(some);
    expect(more.idOf('<new>')).toBe(kLength);
    expect(more.idOf('<newer>')).toBe(kLength + 1);
    expect(more.numbers.firstId).toBe(kLength + 2);
  });

  test('of another grid, and from a given id on', () => {
    const grid = new TextTokenizer(files, { numbers: { min: -1, max: 1, decimals: 1 } });
    expect(grid.numbers.size).toBe(21);
    expect([...grid.encode('-0.5', { addSpecial: false })]).toEqual([kLength + 5]);
    const moved = new TextTokenizer(files, { firstNumberId: 102_400 });
    expect([...moved.encode('0.00', { addSpecial: false })]).toEqual([112_400]);
    expect(moved.decode([112_400])).toBe('0.00');
    expect(moved.idLimit).toBe(122_401);
  });

  test('that were saved with the tokenizer keep their ids', () => {
    const saved = smallTokenizerFiles();
    const flags = { special: false, normalized: true };
    saved.tokenizer = {
      ...saved.tokenizer,
      added_tokens: [
        ...addedOf(saved),
        ...numbers.map((content, i) => ({ id: kLength + 7 + i, content, ...flags })),
      ],
    };
    const again = new TextTokenizer(saved);
    expect(again.numbers.firstId).toBe(kLength + 7);
    expect([...again.encode('100.00', { addSpecial: false })]).toEqual([kLength + 7 + 20_000]);
    expect(failure(saved, { firstNumberId: 5 }).code).toBe('ERR_TOKENIZER');
  });

  test('one of which is in the vocabulary already make the ids impossible', () => {
    const odd = smallTokenizerFiles();
    vocabOf(odd)['0.50'] = Object.keys(vocabOf(odd)).length + addedOf(odd).length;
    const { code, message } = failure(odd);
    expect(code).toBe('ERR_TOKENIZER');
    expect(message).toMatch(/20001 numbers with consecutive ids; 1 of them .* "0\.50" \(\d+\)$/);
  });

  test('with holes before them must be given their first id', () => {
    const holes = smallTokenizerFiles();
    addedOf(holes).at(-1)!.id += 10;
    const { code, message } = failure(holes);
    expect(code).toBe('ERR_TOKENIZER');
    expect(message).toContain(`${kLength} tokens but its next free id is ${kLength + 10}`);
    expect(failure(holes, { firstNumberId: kLength }).message).toMatch(/is "<image_placeholder>"$/);
    const given = new TextTokenizer(holes, { firstNumberId: kLength + 10 });
    expect(given.numbers.firstId).toBe(kLength + 10);
    expect(failure(holes, { firstNumberId: -1 }).code).toBe('ERR_ARGUMENT');
  });
});

describe('special tokens', () => {
  test('are found by the strings that the files name', () => {
    const strings = Object.values(tokenizer.special).map(({ text }) => text);
    expect(strings).toEqual([
      '<｜begin▁of▁sentence｜>',
      '<｜end▁of▁sentence｜>',
      '<｜▁pad▁｜>',
      '<begin_of_image>',
      '<end_of_image>',
      '<image_placeholder>',
    ]);
    for (const { text, id } of Object.values(tokenizer.special)) {
      expect(addedOf(files).find(({ content }) => content === text)?.id).toBe(id);
    }
    expect([tokenizer.imageTokens, tokenizer.keepsPlaceholder]).toEqual([576, false]);
  });

  test('may be written as objects, and named by tokenizer_config or by the caller', () => {
    const some = smallTokenizerFiles();
    some.specialTokensMap = { bos_token: { content: '<｜begin▁of▁sentence｜>', lstrip: false } };
    some.tokenizerConfig = { eos_token: '<｜▁pad▁｜>', bos_token: 'x' };
    some.processorConfig = { add_special_token: true, num_image_tokens: 4 };
    const other = new TextTokenizer(some, { specialTokens: { pad: '<｜end▁of▁sentence｜>' } });
    expect(other.special.beginOfSentence).toEqual(tokenizer.special.beginOfSentence);
    expect(other.special.endOfSentence).toEqual(tokenizer.special.pad);
    expect(other.special.pad).toEqual(tokenizer.special.endOfSentence);
    expect([other.imageTokens, other.keepsPlaceholder]).toEqual([4, true]);
  });

  test("the pad is the processor's own where the tokenizer names its end of sentence", () => {
    const some = smallTokenizerFiles();
    some.processorConfig = {};
    some.specialTokensMap = { ...files.specialTokensMap, pad_token: '<｜end▁of▁sentence｜>' };
    expect(new TextTokenizer(some).special.pad).toEqual(tokenizer.special.pad);
    some.tokenizer = {
      ...some.tokenizer,
      added_tokens: addedOf(some).map((t) =>
        t.content === '<｜▁pad▁｜>' ? { ...t, content: '<unused>' } : t,
      ),
    };
    expect(new TextTokenizer(some).special.pad).toEqual(tokenizer.special.endOfSentence);
  });

  test('that are missing are listed together', () => {
    const { code, message } = failure(
      { tokenizer: files.tokenizer },
      {
        specialTokens: { imageStart: '<nowhere>' },
      },
    );
    expect(code).toBe('ERR_TOKENIZER');
    expect(message).toContain(
      'beginOfSentence (named in no file), endOfSentence (named in no file)',
    );
    expect(message).toContain('imageStart "<nowhere>"');
  });
});

describe('tokenizer files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wam-flow-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('load from a folder as they were written', async () => {
    await expect(TextTokenizer.load(folder)).rejects.toMatchObject({
      code: 'ERR_TOKENIZER',
      message: expect.stringMatching(/expected a tokenizer\.json, found none/),
    });
    await writeTokenizerFiles(folder, files);
    const loaded = await TextTokenizer.load(folder);
    expect(loaded.special).toEqual(tokenizer.special);
    expect(loaded.encode('Go left: 1.25')).toEqual(tokenizer.encode('Go left: 1.25'));
  });

  test.each([
    ['no JSON', '{"model":', /expected JSON/],
    ['a list', '[]', /expected a JSON object/],
    ['no model', '{}', /model of type BPE/],
    ['another kind of model', '{"model":{"type":"Unigram","vocab":[]}}', /model of type BPE/],
    ['an id that is none', '{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}', /no valid id/],
    [
      'two tokens of one id',
      '{"model":{"type":"BPE","vocab":{"a":1,"b":1},"merges":[]}}',
      /one id/,
    ],
  ])('that hold %s are refused', async (_, text, message) => {
    writeFileSync(join(folder, 'tokenizer.json'), text);
    const error = await TextTokenizer.load(folder).catch((e) => e);
    expect(error).toMatchObject({ code: 'ERR_TOKENIZER' });
    expect(error.message).toMatch(message);
  });

  test.each([
    ['an unknown pre-tokenizer', { type: 'Magic' }, /pre_tokenizer: expected one of .*Magic/],
    [
      'a split that would be done otherwise',
      { type: 'Sequence', pretokenizers: [{ type: 'Split', behavior: 'MergedWithNext' }] },
      /pre_tokenizer\[0\]: expected a Split that isolates/,
    ],
  ])('with %s are refused', (_, pre_tokenizer, message) => {
    const some = smallTokenizerFiles();
    some.tokenizer = { ...some.tokenizer, pre_tokenizer };
    expect(failure(some).message).toMatch(message);
  });

  test('of any shape give a tokenizer or ERR_TOKENIZER', () => {
    const paths = [
      'model',
      'added_tokens',
      'pre_tokenizer',
      'post_processor',
      'decoder',
      'normalizer',
    ];
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom({ type: 'Sequence' }, { type: 'BPE' }));
    fc.assert(
      fc.property(fc.constantFrom(...paths), value, (path, v) => {
        const broken = { ...files, tokenizer: { ...files.tokenizer, [path]: v } };
        try {
          new TextTokenizer(broken, { numbers: { min: 0, max: 1 } });
        } catch (error) {
          expect((error as WamFlowError).code).toBe('ERR_TOKENIZER');
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('makeTokenizer', () => {
  test('has every byte, learns the most frequent pairs first, and is the same every time', () => {
    const texts = ['lane lane lane', 'late late', 'la'];
    const made = makeTokenizer({ texts, size: 260 });
    const vocab = vocabOf(made);
    for (let byte = 0; byte < 256; byte += 1) expect(vocab[byteCharacter(byte)]).toBe(byte);
    const { merges } = made.tokenizer.model as { merges: string[] };
    expect(merges[0]).toBe('l a'); // 6 times
    expect(Object.keys(vocab).length).toBe(260);
    expect(makeTokenizer({ texts, size: 260 })).toEqual(made);
  });

  test('has no merges with digits, and stops when nothing is left to learn', () => {
    const made = makeTokenizer({ texts: ['12 12 12 34', 'ab ab'], size: 5000 });
    const { merges } = made.tokenizer.model as { merges: string[] };
    expect(merges.filter((pair) => /\d/.test(pair))).toEqual([]);
    expect(merges).toEqual(['a b']);
    expect(() => makeTokenizer({ texts: [], size: 10 })).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});

test('a tokenizer of the size of Janus loads and encodes a prompt in time', () => {
  const large = janusSizedTokenizerFiles();
  const started = performance.now();
  const janus = new TextTokenizer(large);
  const loaded = performance.now() - started;
  expect(janus.numbers.firstId).toBe(100_595);
  const prompt = 'User: the road ahead turns left (1.25,-0.06)\n\nAssistant:'.repeat(8);
  const ids = janus.encode(prompt);
  const once = performance.now();
  for (let i = 0; i < 20; i += 1) janus.decode(janus.encode(prompt));
  const each = (performance.now() - once) / 20;
  expect(janus.decode(ids, { skipSpecial: true })).toBe(prompt);
  expect(loaded).toBeLessThan(20_000);
  expect(each).toBeLessThan(200);
});
