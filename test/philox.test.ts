import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { philox } from '../lib/kernels.js';
import { codeOf } from './support/reference.js';

/** Philox4x32-10 in big integers, round by round as the paper describes it. */
function reference(counter: readonly number[], key: readonly number[]): number[] {
  const mask = 0xffffffffn;
  let [a, b, c, d] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round += 1) {
    const p0 = 0xd2511f53n * a;
    const p1 = 0xcd9e8d57n * c;
    [a, b, c, d] = [(p1 >> 32n) ^ b ^ k0, p1 & mask, (p0 >> 32n) ^ d ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [a, b, c, d].map(Number);
}

describe('philox', () => {
  it('gives the known answers of its authors', () => {
    const ones = 0xffffffff;
    expect([...philox([0, 0, 0, 0], [0, 0]).words]).toEqual([
      0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8,
    ]);
    expect([...philox([ones, ones, ones, ones], [ones, ones]).words]).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    const digitsOfPi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    expect([...philox(digitsOfPi, [0xa4093822, 0x299f31d0]).words]).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });

  it('agrees with big-integer arithmetic for any counter and key', () => {
    const word = fc.nat({ max: 0xffffffff });
    const words = fc.array(word, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(words, { minLength: 1, maxLength: 5 }),
        fc.tuple(word, word),
        (many, key) => {
          const got = philox(many.flat(), key);
          const want = many.flatMap((counter) => reference(counter, key));
          expect([...got.words]).toEqual(want);
          expect([...got.unit]).toEqual(want.map((value) => (value >>> 8) * 2 ** -24));
        },
      ),
    );
  });

  it('refuses what is no list of unsigned words', () => {
    expect(codeOf(() => philox([1, 2, 3], [0, 0]))).toBe('ERR_SHAPE');
    expect(codeOf(() => philox([], [0, 0]))).toBe('ERR_SHAPE');
    for (const bad of [-1, 2 ** 32, 0.5, Number.NaN]) {
      expect(codeOf(() => philox([0, bad, 0, 0], [0, 0]))).toBe('ERR_RANGE');
      expect(codeOf(() => philox([0, 0, 0, 0], [bad, 0]))).toBe('ERR_RANGE');
    }
  });
});
