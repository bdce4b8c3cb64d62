import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompandedTokenizer } from '../lib/tokens/companded-tokenizer.js';
import { formatDecimal } from '../lib/tokens/decimal.js';
import { NumericTokenizer } from '../lib/tokens/numeric-tokenizer.js';
import { assemblePrompt } from '../lib/tokens/prompt.js';
import { END_OF_SENTENCE, formatNumberList, parseNumberList } from '../lib/tokens/text-form.js';

/** Exact decimal rounding, half to even, by integer arithmetic on the bits of the double. */
function referenceFormat(value: number, decimals: number): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const raw = bits.getBigUint64(0);
  const exponentBits = Number(raw >> 52n);
  const fraction = raw & ((1n << 52n) - 1n);
  const significand = exponentBits === 0 ? fraction : fraction | (1n << 52n);
  const exponent = Math.max(exponentBits, 1) - 1075;
  let numerator = significand * 10n ** BigInt(decimals);
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  let units = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  if (twice > denominator || (twice === denominator && units % 2n === 1n)) units += 1n;
  const text = units.toString().padStart(decimals + 1, '0');
  const body = decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
  return value < 0 && units !== 0n ? `-${body}` : body;
}

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'no error';
};

describe('formatDecimal', () => {
  it('rounds the exact binary value, ties to even', () => {
    const cases: [number, string][] = [
      [0.125, '0.12'],
      [0.375, '0.38'],
      [-0.125, '-0.12'],
      [-0.625, '-0.62'],
      [2.675, '2.67'],
      [1.005, '1.00'],
      [0.015, '0.01'],
      [-0.004, '0.00'],
      [-0, '0.00'],
      [99.995, '100.00'],
      [1099.875, '1099.88'],
      [0.005, '0.01'],
    ];
    for (const [value, text] of cases) expect(formatDecimal(value, 2)).toBe(text);
  });

  it('agrees with exact integer arithmetic on any number and on exact ties', () => {
    const wide = fc.double({ min: -1e15, max: 1e15, noNaN: true });
    const near = fc.double({ min: -101, max: 101, noNaN: true });
    const ties = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((n) => n / 64);
    const hundredths = fc.integer({ min: -20_000, max: 20_000 }).map((n) => n / 200);
    fc.assert(
      fc.property(
        fc.oneof(wide, near, ties, hundredths),
        fc.integer({ min: 0, max: 6 }),
        (v, d) => {
          expect(formatDecimal(v, d)).toBe(referenceFormat(v, d));
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('NumericTokenizer', () => {
  const tokenizer = new NumericTokenizer({ firstId: 100_594 });

  it('has 20,001 distinct tokens with 0.00 in the middle and no -0.00', () => {
    const vocabulary = tokenizer.vocabulary();
    expect(vocabulary).toHaveLength(20_001);
    expect(new Set(vocabulary).size).toBe(20_001);
    expect([vocabulary[0], vocabulary[10_000], vocabulary[20_000]]).toEqual([
      '-100.00',
      '0.00',
      '100.00',
    ]);
    expect(vocabulary).not.toContain('-0.00');
  });

  it('decodes every token to the double of its text and encodes it back', () => {
    const ids = Array.from({ length: tokenizer.size }, (_, i) => tokenizer.firstId + i);
    expect(ids.filter((id) => tokenizer.decode(id) !== Number(tokenizer.text(id)))).toEqual([]);
    expect(ids.filter((id) => tokenizer.encode(tokenizer.decode(id)) !== id)).toEqual([]);
    expect(ids.filter((id) => tokenizer.idOf(tokenizer.text(id)) !== id)).toEqual([]);
  });

  it('encodes to the token of the rounded text', () => {
    fc.assert(
      fc.property(fc.double({ min: -100, max: 100, noNaN: true }), (value) => {
        const id = tokenizer.encode(value);
        expect(tokenizer.text(id)).toBe(referenceFormat(value, 2));
        expect(Math.abs(tokenizer.decode(id) - value)).toBeLessThanOrEqual(0.005 + 1e-12);
      }),
    );
  });

  it('throws ERR_RANGE beyond the last half step and clamps on request', () => {
    expect(tokenizer.encode(100.004)).toBe(tokenizer.firstId + 20_000);
    expect(code(() => tokenizer.encode(100.006))).toBe('ERR_RANGE');
    expect(code(() => tokenizer.encode(-1e300))).toBe('ERR_RANGE');
    expect(code(() => tokenizer.encode(Number.NaN, { clamp: true }))).toBe('ERR_NOT_FINITE');
    expect(code(() => tokenizer.encode(Number.POSITIVE_INFINITY))).toBe('ERR_NOT_FINITE');
    const clamped = tokenizer.encodeAll([123.45, -1e300, Number.NEGATIVE_INFINITY, 1e22], {
      clamp: true,
    });
    expect([...clamped].map((id) => id - tokenizer.firstId)).toEqual([20_000, 0, 0, 20_000]);
    expect(tokenizer.contains(100.004)).toBe(true);
    expect(tokenizer.contains(100.006)).toBe(false);
    expect(tokenizer.contains(Number.NaN)).toBe(false);
  });

  it('tells numeric ids from others', () => {
    expect(code(() => tokenizer.decode(tokenizer.firstId - 1))).toBe('ERR_RANGE');
    expect(code(() => tokenizer.decode(tokenizer.firstId + 20_001))).toBe('ERR_RANGE');
    expect(code(() => tokenizer.decode(tokenizer.firstId + 0.5))).toBe('ERR_RANGE');
    expect(tokenizer.isNumeric(tokenizer.firstId + 20_000)).toBe(true);
    expect(
      ['1.5', '-0.00', '123.45', '', ' 1.00', '0x1.00', '1.000'].map((t) => tokenizer.idOf(t)),
    ).toEqual(Array(7).fill(undefined));
  });

  it('takes other grids and refuses impossible ones', () => {
    const coarse = new NumericTokenizer({ min: -10, max: 20, decimals: 1 });
    expect(coarse.size).toBe(301);
    expect(coarse.text(coarse.encode(19.95))).toBe('19.9'); // 19.95 is just below the tie
    for (const bad of [
      { min: 0.001 },
      { max: -200 },
      { decimals: 9 },
      { firstId: -1 },
      { min: Number.NaN },
    ]) {
      expect(code(() => new NumericTokenizer(bad))).toBe('ERR_CONFIG');
    }
  });
});

describe('the x1,y1,... text form', () => {
  const tokenizer = new NumericTokenizer();

  it('goes to text and back at the resolution of the grid', () => {
    const value = fc.double({ min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 16, maxLength: 16 }), (values) => {
        const text = formatNumberList(values, tokenizer);
        const parsed = parseNumberList(` ${text}${END_OF_SENTENCE}tail,1`, tokenizer, 16);
        expect(parsed.problems).toEqual([]);
        expect([...parsed.values]).toEqual(values.map((v) => Number(referenceFormat(v, 2))));
      }),
    );
  });

  it('never throws on malformed text, and says what is wrong', () => {
    const likely = fc.constantFrom(...'0123456789.,- +e', END_OF_SENTENCE);
    const any = fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit));
    const texts = fc.array(fc.oneof(likely, any)).map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseNumberList(text, tokenizer, 4);
        expect(parsed.ok).toBe(parsed.problems.length === 0);
      }),
    );
    const cases: [string, RegExp][] = [
      ['', /found 0/],
      ['1.00,2.00', /expected 4 numbers, found 2/],
      ['1,2,3,4,5', /more than 4/],
      ['1,x,3,4', /field 1 is not a number: "x"/],
      ['1,2,0x10,4', /field 2/],
      ['1,2,3,1e3', /field 3/],
      ['1,2,3,101', /field 3 is out of range: 101/],
      [`1,2,3,${'9'.repeat(400)}`, /field 3 is out of range/],
    ];
    for (const [text, problem] of cases) {
      const parsed = parseNumberList(text, tokenizer, 4);
      expect(parsed.ok).toBe(false);
      expect(parsed.problems.join('; ')).toMatch(problem);
    }
    expect(code(() => parseNumberList('1', tokenizer, 0))).toBe('ERR_ARGUMENT');
  });

  it('refuses to write a number that has no token', () => {
    expect(code(() => formatNumberList([1, 250], tokenizer))).toBe('ERR_RANGE');
  });
});

describe('assemblePrompt', () => {
  it('puts a blank line after the user and the end marker after an answer', () => {
    const prompt = assemblePrompt({
      system: 'SYS',
      turns: [
        { role: 'User', text: ' go \n' },
        { role: 'Assistant', text: '1.00,2.00' },
        { role: 'User', text: 'on' },
        { role: 'Assistant', text: '' },
      ],
      endOfSentence: '</s>',
    });
    expect(prompt).toBe('SYS\n\nUser: go\n\nAssistant: 1.00,2.00</s>User: on\n\nAssistant:');
  });

  it('leaves out an empty system text', () => {
    expect(assemblePrompt({ turns: [{ role: 'User', text: 'hi' }] })).toBe('User: hi');
  });
});

describe('CompandedTokenizer', () => {
  const scales = [0.8, 25, 1.4];
  const tokenizer = new CompandedTokenizer({ scales });
  const gridValue = (token: number, slot: number) =>
    (scales[slot]! * Math.sinh((-1 + token / 200) * Math.asinh(5))) / 5;

  it('holds the companded values, and 0 exactly', () => {
    const tokens = [0, 200, 400, 37, 123, 399];
    const values = tokenizer.decode(tokens);
    tokens.forEach((token, i) => {
      expect(values[i]).toBeCloseTo(gridValue(token, i % 3), 12);
    });
    expect(values[1]).toBe(0);
    expect(tokenizer.coordinates()[400]).toBe(1);
    expect(tokenizer.coordinate(100)).toBe(-0.5);
  });

  it('encodes to the nearest value of the slot', () => {
    const value = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 3, maxLength: 3 }), (units) => {
        const values = units.map((u, slot) => u * scales[slot]!);
        const { tokens, clipped } = tokenizer.encode(values);
        expect(clipped).toBe(0);
        tokens.forEach((token, slot) => {
          const error = Math.abs(gridValue(token, slot) - values[slot]!);
          for (const other of [token - 1, token + 1]) {
            if (other < 0 || other > 400) continue;
            expect(error).toBeLessThanOrEqual(
              Math.abs(gridValue(other, slot) - values[slot]!) + 1e-12,
            );
          }
        });
        expect([...tokenizer.encode(tokenizer.decode(tokens)).tokens]).toEqual([...tokens]);
      }),
    );
  });

  it('reports values beyond their slot, or clamps them', () => {
    const values = [0.9, 0, 0, 0, -1e6, 2];
    expect(code(() => tokenizer.encode(values))).toBe('ERR_RANGE');
    const { tokens, clipped } = tokenizer.encode(values, { clamp: true });
    expect(clipped).toBe(3);
    expect([...tokens]).toEqual([400, 200, 200, 200, 0, 400]);
  });

  it('refuses impossible grids, rows and tokens', () => {
    for (const bad of [
      { size: 400 },
      { size: 1 },
      { compand: -1 },
      { scales: [] },
      { scales: [0] },
    ]) {
      expect(code(() => new CompandedTokenizer({ scales, ...bad }))).toBe('ERR_CONFIG');
    }
    expect(code(() => tokenizer.encode([1, 2]))).toBe('ERR_SHAPE');
    expect(code(() => tokenizer.encode([Number.NaN, 0, 0]))).toBe('ERR_NOT_FINITE');
    expect(code(() => tokenizer.decode([0, 401, 0]))).toBe('ERR_RANGE');
    expect(code(() => tokenizer.decode([0, 0.5, 0]))).toBe('ERR_RANGE');
    expect([...tokenizer.decode([])]).toEqual([]);
  });
});
