import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DrawOrder } from '../lib/conversation/draw-order.js';
import { Permutation } from '../lib/conversation/permutation.js';

describe('a permutation', () => {
  test('has every number once, whatever its size and key', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.array(fc.maxSafeNat(), { maxLength: 3 }),
        (size, key) => {
          const permutation = new Permutation(size, key);
          const seen = new Set(Array.from({ length: size }, (_, i) => permutation.at(i)));
          expect(seen.size).toBe(size);
          expect(Math.max(...seen)).toBe(size - 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of 2^32 numbers stays among them', () => {
    const permutation = new Permutation(2 ** 32 - 5, [1, 2]);
    for (const i of [0, 1, 2 ** 31, 2 ** 32 - 6]) {
      const to = permutation.at(i);
      expect(Number.isInteger(to) && to >= 0 && to < permutation.size).toBe(true);
    }
  });

  test('sends each number everywhere equally often over its keys', () => {
    const [size, keys] = [7, 7000];
    const counts = Array.from({ length: size }, () => new Array<number>(size).fill(0));
    for (let key = 0; key < keys; ++key) {
      const permutation = new Permutation(size, [3, key]);
      for (let i = 0; i < size; ++i) counts[i][permutation.at(i)] += 1;
    }
    const expected = keys / size;
    const chi2 = counts.flat().reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 36 degrees of freedom: 1 in 10^5 is above 85.
    expect(chi2).toBeLessThan(85);
  });

  test('is another one for every part of the key', () => {
    const order = (...key: number[]) => {
      const permutation = new Permutation(50, key);
      return Array.from({ length: 50 }, (_, i) => permutation.at(i)).join();
    };
    const keys = [[1, 2], [2, 1], [1, 2, 0], [1, 2 + 2 ** 32], [1], []];
    expect(new Set(keys.map((key) => order(...key))).size).toBe(keys.length);
  });
});

describe('the order of draws', () => {
  const weights = [3, 0, 1, 6];
  const sizes = [100, 5, 17, 40_000];
  const all = new DrawOrder(weights, sizes).take(5, 0, 50_000);

  test('does not depend on the pieces that it is taken in', () => {
    const order = new DrawOrder(weights, sizes);
    for (const [first, count] of [
      ...[
        [40_000, 10_000],
        [16_384, 1],
        [16_383, 2],
        [0, 3],
        [32_000, 1000],
        [16_000, 20_000],
      ],
    ]) {
      expect(order.take(5, first, count)).toEqual(all.slice(first, first + count));
    }
    expect(order.take(6, 0, 100)).not.toEqual(all.slice(0, 100));
    expect(order.take(5, 100, 50)).toEqual(all.slice(100, 150));
  });

  test('has every row of a set once an epoch', () => {
    for (const [set, size] of sizes.entries()) {
      const rows = all.filter((draw) => draw.set === set).map(({ row }) => row);
      for (let at = 0; at < rows.length; at += size) {
        const epoch = rows.slice(at, at + size);
        expect(new Set(epoch).size).toBe(epoch.length);
        expect(epoch.every((row) => row >= 0 && row < size)).toBe(true);
      }
    }
  });

  test('has sets in the shares of their weights', () => {
    for (const [set, weight] of weights.entries()) {
      const p = weight / 10;
      const n = all.filter((draw) => draw.set === set).length;
      const deviation = Math.sqrt(all.length * p * (1 - p));
      expect(Math.abs(n - all.length * p)).toBeLessThanOrEqual(4 * deviation);
    }
  });

  test('of one set that has a weight counts nothing', () => {
    const order = new DrawOrder([0, 2], [3, 4]);
    const late = order.take(1, 2 ** 32 - 8, 8);
    expect(late.every(({ set }) => set === 1)).toBe(true);
    expect(new Set(late.slice(0, 4).map(({ row }) => row)).size).toBe(4);
  });
});
