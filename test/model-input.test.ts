import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  assemblePrompt,
  buildModelInput,
  fillTemplate,
  formatNumberList,
  kFudokiTemplate,
  type ModelInputOptions,
  parseConversationTemplate,
  TextTokenizer,
} from '../lib/index.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';

const files = smallTokenizerFiles();
const tokenizer = new TextTokenizer(files);
const { special, numbers } = tokenizer;
const kAnswer = '3.88,-0.06,7.50,-0.07';

const failing = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** A prompt with a picture, and an answer if there is one. */
function prompt(answer = '', question = 'ahead <image_placeholder> go (0.00,0.00)'): string {
  return assemblePrompt({
    system: 'SYSTEM',
    turns: [
      { role: 'User', text: question },
      { role: 'Assistant', text: answer },
    ],
  });
}

const build = (text: string, options?: ModelInputOptions) =>
  buildModelInput(tokenizer, text, options);
/** Positions where a mask is 1. */
const where = (mask: Uint8Array) => [...mask.keys()].filter((i) => mask[i] === 1);
const from = (a: number, b: number) => Array.from({ length: b - a }, (_, i) => a + i);

describe('a released sequence', () => {
  const input = build(prompt());
  const head = [...tokenizer.encode('SYSTEM\n\nUser: ahead ')];

  test('has the picture between its begin and end instead of the placeholder', () => {
    const start = head.length;
    expect([...input.ids.subarray(0, start)]).toEqual(head);
    expect(input.ids[0]).toBe(special.beginOfSentence.id);
    expect(input.ids[start]).toBe(special.imageStart.id);
    expect(where(input.imageMask)).toEqual(from(start + 1, start + 577));
    expect(input.ids.subarray(start + 1, start + 577).every((id) => id === 0)).toBe(true);
    expect(input.ids[start + 577]).toBe(special.imageEnd.id);
    const after = tokenizer.encode(' go (0.00,0.00)\n\nAssistant:', { addSpecial: false });
    expect([...input.ids.subarray(start + 578, input.tokens)]).toEqual([...after]);
    expect(input.images).toBe(1);
  });

  test('is padded to 500 + 576 positions, all of them attended to', () => {
    expect(input.ids.length).toBe(1076);
    expect(input.ids.subarray(input.tokens).every((id) => id === special.pad.id)).toBe(true);
    expect(input.attentionMask.every((bit) => bit === 1)).toBe(true);
    const none = build('Assistant:');
    expect([none.ids.length, none.images]).toEqual([500, 0]);
    const two = build('<image_placeholder><image_placeholder>\nAssistant:');
    expect([two.ids.length, two.images]).toEqual([500 + 2 * 576, 2]);
  });

  test('is answered from after the marker to the very end', () => {
    expect(input.answerStart).toBe(input.tokens);
    expect(where(input.textMask)).toEqual(from(input.tokens, 1076));
    expect(input.numberPositions.length).toBe(0);
    const taught = build(prompt(kAnswer), { purpose: 'training' });
    expect(taught.answerStart).toBe(input.answerStart);
    expect(where(taught.textMask)).toEqual(from(input.answerStart, 1076));
  });

  test('that fills its block has room for an answer all the same', () => {
    const long = prompt('', `<image_placeholder> ${'left 1.25 '.repeat(300)}`);
    const { ids, tokens } = build(long);
    expect(tokens).toBeGreaterThan(1076);
    expect(ids.length).toBe(tokens + 100);
    expect(build(long, { leastPads: 7 }).ids.length).toBe(tokens + 7);
    const taught = build(`${long} 1.00${special.endOfSentence.text}`, { purpose: 'training' });
    expect(taught.ids.length).toBe(taught.tokens);
  });
});

describe('the answer', () => {
  const text = prompt(kAnswer);
  const start = build(text).answerStart;

  test('is one space, numbers and commas in turn, and the end of sentence', () => {
    const { ids, numberPositions } = build(text);
    const answer = [...ids.subarray(start, start + 9)];
    const comma = tokenizer.idOf(',');
    const expected = [3.88, -0.06, 7.5, -0.07].flatMap((v) => [comma, numbers.encode(v)]).slice(1);
    expect(answer).toEqual([
      tokenizer.encode(' ', { addSpecial: false })[0],
      ...expected,
      special.endOfSentence.id,
    ]);
    expect([...numberPositions]).toEqual([1, 3, 5, 7].map((k) => start + k));
    expect(numbers.decodeAll(numberPositions.map((i) => ids[i]!))).toEqual(
      Float64Array.of(3.88, -0.06, 7.5, -0.07),
    );
  });

  test('alone is learnt from where the mask says so, without pads', () => {
    const answer = build(text, { mask: 'answer', padding: 'none' });
    expect(answer.ids.length).toBe(answer.tokens);
    expect(where(answer.textMask)).toEqual(from(start, start + 9));
    const only = build(text, { mask: 'numbers', padding: 'none' });
    expect(where(only.textMask)).toEqual([...only.numberPositions]);
  });

  test('of a fixed form is filled in where its numbers stand', () => {
    for (const count of [16, 24]) {
      const form = formatNumberList(new Float64Array(count), numbers);
      const input = build(prompt(form), { mask: 'numbers', padding: 700 });
      expect(input.numberPositions.length).toBe(count);
      expect(where(input.textMask)).toEqual([...input.numberPositions]);
      expect(input.ids.length).toBe(700);
      expect(where(input.attentionMask)).toEqual(from(0, input.tokens));
      expect(new Set(input.numberPositions.map((i) => input.ids[i]!))).toEqual(
        new Set([numbers.encode(0)]),
      );
    }
  });

  test('begins after the first marker in inference and after the last in training', () => {
    const turns = ['one', 'two'].flatMap((answer) => [
      { role: 'User' as const, text: 'question' },
      { role: 'Assistant' as const, text: answer },
    ]);
    const both = assemblePrompt({ turns });
    const first = build(both, { padding: 'none', mask: 'answer' });
    const last = build(both, { padding: 'none', mask: 'answer', purpose: 'training' });
    const words = (input: typeof first) =>
      tokenizer.decode(where(input.textMask).map((i) => input.ids[i]!));
    expect(words(first)).toBe(` one${special.endOfSentence.text}`);
    expect(words(last)).toBe(` two${special.endOfSentence.text}`);
  });

  test('ends at the last token when a prompt has no end of sentence', () => {
    const input = build('Assistant: 1.00 left', { mask: 'answer' });
    expect(where(input.textMask).at(-1)).toBe(input.tokens - 1);
  });
});

describe('any prompt', () => {
  const piece = fc.constantFrom(
    'left',
    ' ',
    '1.25',
    ',',
    '\n\n',
    'User:',
    '<image_placeholder>',
    '道',
  );
  const sizes = fc.record({
    padding: fc.constantFrom<ModelInputOptions['padding']>('released', 'none', 2500),
    mask: fc.constantFrom<ModelInputOptions['mask']>('released', 'answer', 'numbers'),
    purpose: fc.constantFrom<ModelInputOptions['purpose']>('inference', 'training'),
  });

  test('gives masks that agree with its ids', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), sizes, (pieces, options) => {
        const images = pieces.filter((p) => p.startsWith('<image')).length;
        fc.pre(images <= 3);
        const text = `${pieces.join('')}\nAssistant: 1.00,2.00${special.endOfSentence.text}`;
        const input = build(text, { ...options, images });
        const { ids, imageMask, textMask, attentionMask, tokens, numberPositions } = input;
        const { length } = ids;
        expect([imageMask, textMask, attentionMask].map((m) => m.length)).toEqual([
          length,
          length,
          length,
        ]);
        expect(where(imageMask).length).toBe(images * 576);
        for (const i of where(imageMask)) expect([ids[i], textMask[i]]).toEqual([0, 0]);
        expect(where(attentionMask).length).toBe(options.padding === 'released' ? length : tokens);
        expect([...numberPositions].map((i) => numbers.decode(ids[i]!))).toEqual([1, 2]);
        expect(where(textMask)[0]).toBeGreaterThanOrEqual(input.answerStart);
        const words = ids.subarray(0, tokens).filter((_, i) => imageMask[i] === 0);
        const tags = `${special.imageStart.text}${special.imageEnd.text}`;
        const read = tokenizer.decode(words).replaceAll(tags, '<image_placeholder>');
        expect(read).toBe(special.beginOfSentence.text + text);
      }),
      { numRuns: 80 },
    );
  });
});

describe('buildModelInput refuses', () => {
  test('a prompt of 10,000 tokens, with the counts', () => {
    const long = prompt('', `${'1.25,'.repeat(5000)}<image_placeholder>`);
    expect(() => build(long)).toThrow(
      failing(
        'ERR_RANGE',
        /at most 4096 tokens, received 10594 \(10016 of text, 1 pictures of 578\)/,
      ),
    );
    expect(() => build(prompt(), { maxTokens: 1000 })).toThrow(
      failing('ERR_RANGE', /at most 1000 tokens, received 1076 \(6\d\d of them before pads\)/),
    );
    expect(() => build(prompt(), { padding: 600 })).toThrow(
      failing('ERR_RANGE', /at most 600 tokens, received 6\d\d \(the fixed length\)/),
    );
  });

  test('a text of 100 million characters without encoding it', () => {
    const started = performance.now();
    expect(() => build('a'.repeat(1e8))).toThrow(
      failing('ERR_RANGE', /received at least \d+ \(100000000 characters\)/),
    );
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('another number of pictures than are given', () => {
    const message = /expected 2 of <image_placeholder>, one a picture, received 1/;
    expect(() => build(prompt(), { images: 2 })).toThrow(failing('ERR_ARGUMENT', message));
    const injected = prompt('', 'a <image_placeholder> and <image_placeholder>');
    expect(() => build(injected, { images: 1 })).toThrow(failing('ERR_ARGUMENT', /received 2/));
  });

  test('a prompt without a marker or without the answer that the mask needs', () => {
    expect(() => build('User: hello')).toThrow(failing('ERR_ARGUMENT', /Assistant:.*none/));
    expect(() => build(prompt(), { mask: 'answer' })).toThrow(failing('ERR_ARGUMENT', /an answer/));
    expect(() => build(prompt('left'), { mask: 'numbers' })).toThrow(
      failing('ERR_ARGUMENT', /an answer with numbers/),
    );
  });

  test.each([
    ['purpose', 'fun'],
    ['mask', 3],
    ['padding', 'some'],
    ['padding', -1],
    ['marker', ''],
    ['textTokens', 1.5],
    ['leastPads', Number.NaN],
    ['maxTokens', 1e12],
    ['images', '1'],
  ])('%s %s', (name, value) => {
    const options = { [name]: value } as ModelInputOptions;
    expect(() => build(prompt(), options)).toThrow(
      failing('ERR_ARGUMENT', new RegExp(`^${name}: `)),
    );
  });
});

test('a processor that keeps the placeholder has it before the picture', () => {
  const kept = new TextTokenizer({
    ...files,
    processorConfig: { ...files.processorConfig, add_special_token: true, num_image_tokens: 3 },
  });
  const { ids, imageMask } = buildModelInput(kept, '<image_placeholder>Assistant:', {
    padding: 'none',
    mask: 'answer',
    marker: 'Assistant',
  });
  const { beginOfSentence, imagePlaceholder, imageStart, imageEnd } = kept.special;
  const before = [beginOfSentence.id, imagePlaceholder.id, imageStart.id];
  expect([...ids.subarray(0, 7)]).toEqual([...before, 0, 0, 0, imageEnd.id]);
  expect(where(imageMask)).toEqual([3, 4, 5]);
});

describe('fillTemplate', () => {
  test('writes numbers as tokens and texts as they are', () => {
    const template = 'Go {command}: ({vx},{vy}) {{not {x}}} {$&}';
    const fields = { command: 'le$1ft', vx: 8.345, vy: -0.004, x: 1e9, '$&': -200 };
    expect(fillTemplate(template, fields)).toBe('Go le$1ft: (8.35,0.00) {not 100.00} -100.00');
    expect(fillTemplate('{a} {b} {c}', { a: -0, b: 0.125, c: -0.06 })).toBe('0.00 0.12 -0.06');
  });

  test('every finite number becomes one token', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const ids = tokenizer.encode(fillTemplate('{v}', { v: value }), { addSpecial: false });
        expect([...ids].map((id) => numbers.isNumeric(id))).toEqual([true]);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a name without a field', '{who}', {}, 'ERR_CONFIG', /no field \{who\}; there are: none/],
    ['an inherited name', '{toString}', { a: 1 }, 'ERR_CONFIG', /there are: a/],
    ['an open brace', 'a { b', {}, 'ERR_CONFIG', /\{ at 2 has no other; write \{\{/],
    ['a closed brace', 'a } b', {}, 'ERR_CONFIG', /\} at 2/],
    ['a number that is none', '{v}', { v: Number.NaN }, 'ERR_NOT_FINITE', /fields\.v/],
    ['an infinite number', '{v}', { v: -Infinity }, 'ERR_NOT_FINITE', /fields\.v/],
    ['another thing', '{v}', { v: null }, 'ERR_ARGUMENT', /fields\.v: expected a text or a number/],
  ])('refuses %s', (_, template, fields, code, message) => {
    expect(() => fillTemplate(template, fields as never)).toThrow(failing(code, message));
  });
});

describe('conversation templates', () => {
  test('are data: another layout from JSON', () => {
    const json =
      '{"system":"Sys","systemEnd":"|","userRole":"<u>","assistantRole":"<a>","roleEnd":">","textStart":"","userEnd":"/","trim":false}';
    const template = parseConversationTemplate(JSON.parse(json));
    expect(template.assistantEnd).toBe(kFudokiTemplate.assistantEnd);
    const turns = [
      { role: 'User' as const, text: ' a ' },
      { role: 'Assistant' as const, text: 'b' },
      { role: 'Assistant' as const, text: '' },
    ];
    expect(assemblePrompt({ turns, template, endOfSentence: '$&' })).toBe(
      'Sys|<u>> a /<a>>b$&<a>>',
    );
    expect(assemblePrompt({ turns, template, system: '' })).toMatch(/^<u>> a \//);
  });

  test.each([
    [{ sytem: 'a' }, /sytem/],
    [{ userRole: 5 }, /userRole/],
    [{ assistantRole: '' }, /assistantRole/],
    [null, /expected object/],
    [[], /expected object/],
  ])('%j is refused', (value, message) => {
    expect(() => parseConversationTemplate(value)).toThrow(failing('ERR_CONFIG', message));
  });
});
