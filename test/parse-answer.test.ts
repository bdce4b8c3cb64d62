import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NumericTokenizer, parseAnswer, parseAnswerIds, TextTokenizer } from '../lib/index.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';

const tokenizer = new TextTokenizer(smallTokenizerFiles());
const { numbers, special } = tokenizer;

/** The waypoints of the one sample with a known answer. */
const kPlan = [
  3.88, -0.06, 7.5, -0.07, 10.86, -0.1, 13.95, -0.11, 16.75, -0.13, 19.29, -0.15, 21.6, -0.12,
  23.67, -0.11,
];
const written = kPlan.map((v) => v.toFixed(2));
const pairs = Array.from({ length: 8 }, (_, i) => written.slice(2 * i, 2 * i + 2));

describe('a whole plan is understood', () => {
  test.each([
    ['in the released form', ` ${written.join(',')}<｜end▁of▁sentence｜>1,2,3`],
    ['with spaces', written.join(', ')],
    ['in lines', pairs.map((p) => p.join(' ')).join('\n')],
    ['in brackets', pairs.map((p) => `(${p.join(',')})`).join(', ')],
    ['as JSON', JSON.stringify(pairs.map((p) => p.map(Number)))],
    ['in words', `Here it is: ${written.join(', ')}.`],
    ['with units', pairs.map(([x, y]) => `(${x} m, ${y}m)`).join('; ')],
    ['with a minus sign of its own', written.join(',').replaceAll('-', '\u2212')],
  ])('%s', (_, text) => {
    expect(parseAnswer(text)).toEqual({
      waypoints: Float64Array.from(kPlan),
      complete: true,
      problems: [],
    });
  });

  test('among other numbers, which are mentioned', () => {
    const list = pairs.map((p) => `(${p.join(', ')})`);
    const text = `For the next 4 s, 8 waypoints: ${list.join(', then ')}. Speed 8.3 m/s, 2nd lane.`;
    const { waypoints, complete, problems } = parseAnswer(text);
    expect(waypoints).toEqual(Float64Array.from(kPlan));
    expect(complete).toBe(true);
    expect(problems).toEqual(['4 numbers elsewhere were left out: 4 8 8.3 2']);
  });

  test('with headings', () => {
    const rows = [
      [1, 0, 0.1],
      [2, 0.5, 0.2],
    ];
    const text = rows.map((row) => `[${row.join(', ')}]`).join(' ');
    const { waypoints, complete } = parseAnswer(text, { waypoints: 2, values: 3 });
    expect([...waypoints]).toEqual(rows.flat());
    expect(complete).toBe(true);
  });
});

describe('what is wrong is said, and the rest kept', () => {
  test.each([
    ['nothing', '', 0, /expected 16 numbers, found 0/],
    ['words', 'turn left', 0, /found 0/],
    ['too few', '1.00,2.00,3.00', 1, /expected 16 numbers, found 3/],
    ['too many', `${written.join(',')},1.00,2.00`, 8, /expected 16 numbers, found 18/],
    [
      'a number out of range',
      '1.00,2.00,3.00,123.45,5.00,6.00',
      1,
      /number 3 is out of range: 123\.45/,
    ],
    ['no comma', '1.00-2.00,3.00,4.00', 2, /nothing between 1\.00 and -2\.00/],
    ['digits that run together', '1.00,2.00,3.003.50,4.00', 1, /left out: 3\.003\.50/],
    ['an infinite number', `1,2,${'9'.repeat(400)},4`, 1, /left out: 9999/],
    ['scientific notation', '1,2,3e0,4', 1, /left out: 3e0/],
  ])('%s', (_, text, rows, message) => {
    const { waypoints, complete, problems } = parseAnswer(text);
    expect(waypoints.length).toBe(rows * 2);
    expect(complete).toBe(rows === 8);
    expect(problems.join('\n')).toMatch(message);
  });

  test('at most 20 problems', () => {
    expect(parseAnswer('1.00-'.repeat(500)).problems.length).toBeLessThanOrEqual(20);
  });
});

describe('parsing never throws', () => {
  const sound = (result: ReturnType<typeof parseAnswer>) => {
    expect(result.waypoints.length % 2).toBe(0);
    expect(result.waypoints.length).toBeLessThanOrEqual(16);
    expect(result.waypoints.every((v) => numbers.contains(v))).toBe(true);
    expect(result.complete).toBe(result.waypoints.length === 16);
    if (!result.complete) expect(result.problems).not.toEqual([]);
  };

  test('whatever the text', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.constantFrom(...'0123456789.,-+()[]; \n'.split('')),
      fc.double().map(String),
      fc.constantFrom('1.25', '-0.06,', '(1,2)', 'm', 'e', '<｜end▁of▁sentence｜>'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (parts) =>
        sound(parseAnswer(parts.join(''))),
      ),
      { numRuns: 1000 },
    );
    for (const odd of [undefined, null, 5, {}, [1, 2]]) sound(parseAnswer(odd as never));
  });

  test('whatever the token ids', () => {
    const id = fc.oneof(
      fc.integer({ min: -10, max: tokenizer.idLimit + 3000 }),
      fc.integer({ min: numbers.firstId, max: numbers.firstId + 20_000 }),
      fc.constantFrom(tokenizer.idOf(',')!, special.pad.id, special.endOfSentence.id),
    );
    fc.assert(
      fc.property(fc.array(id, { maxLength: 60 }), (ids) => sound(parseAnswerIds(ids, tokenizer))),
      { numRuns: 500 },
    );
  });

  test('nor takes long over a long text', () => {
    const texts = ['.', ' ', '( ', '1', '-', 'a.1', '1m '].map((s) => s.repeat(100_000));
    for (const text of [...texts, `1${' '.repeat(100_000)}x 2`]) {
      const started = performance.now();
      sound(parseAnswer(text));
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  });
});

describe('token ids', () => {
  const ids = (text: string) => tokenizer.encode(text, { addSpecial: false });

  test('are read as the text that they are', () => {
    const answer = ids(` ${written.join(',')}<｜end▁of▁sentence｜><｜▁pad▁｜>5.00`);
    const expected = { waypoints: Float64Array.from(kPlan), complete: true, problems: [] };
    expect(parseAnswerIds(answer, tokenizer)).toEqual(expected);
    const digits = new TextTokenizer(smallTokenizerFiles(), {
      numbers: { min: 0, max: 1, decimals: 6 },
      firstNumberId: 1_000_000,
    });
    expect(digits.encode('3.88').length).toBeGreaterThan(2);
  });

  test('of numbers side by side stay numbers of their own', () => {
    const two = [numbers.encode(3.88), numbers.encode(7.5)];
    expect(parseAnswerIds(two, tokenizer, { waypoints: 1 })).toEqual({
      waypoints: Float64Array.of(3.88, 7.5),
      complete: true,
      problems: ['nothing between 3.88 and 7.50'],
    });
  });

  test('of single digits are a number too', () => {
    const answer = Int32Array.of(...ids('1'), ...ids('.'), ...ids('5'), ...ids(','), ...ids('2'));
    const { waypoints } = parseAnswerIds(answer, tokenizer, { waypoints: 1 });
    expect([...waypoints]).toEqual([1.5, 2]);
  });
});

test('impossible options are refused', () => {
  for (const options of [{ waypoints: 0 }, { waypoints: 1.5 }, { values: 4 as never }]) {
    expect(() => parseAnswer('', options)).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  }
  const grid = new NumericTokenizer({ min: 0, max: 5 });
  expect(parseAnswer('1,2,3,6', { numbers: grid, waypoints: 2 }).waypoints.length).toBe(2);
});
