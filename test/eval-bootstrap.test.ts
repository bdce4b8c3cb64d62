import { describe, expect, it } from 'vitest';
import { GroupBootstrap, quantile } from '../lib/eval/bootstrap.js';
import { randomNumbers } from './support/small-planner.js';

describe('the bootstrap', () => {
  it('has the intervals of the mean that theory gives for equal groups', () => {
    const random = randomNumbers(3);
    const values = Array.from({ length: 400 }, () => random());
    const bootstrap = new GroupBootstrap(
      values.map((_, i) => `${i}`),
      4000,
    );
    const [low, high] = bootstrap.interval(values);
    const mean = values.reduce((a, b) => a + b, 0) / 400;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 400);
    const half = (1.96 * deviation) / 20;
    expect(Math.abs(low - (mean - half))).toBeLessThan(0.1 * half);
    expect(Math.abs(high - (mean + half))).toBeLessThan(0.1 * half);
  });

  it('is as wide for ten copies of each value as for one, since groups are drawn', () => {
    const random = randomNumbers(4);
    const values = Array.from({ length: 60 }, () => random());
    const one = new GroupBootstrap(values.map((_, i) => `${i}`)).interval(values);
    const copies = values.flatMap((v) => new Array<number>(10).fill(v));
    const ten = new GroupBootstrap(copies.map((_, i) => `${Math.floor(i / 10)}`)).interval(copies);
    expect(ten[0]).toBeCloseTo(one[0], 12);
    expect(ten[1]).toBeCloseTo(one[1], 12);
  });

  it('equals resampling done by hand', () => {
    const keys = ['a', 'b', 'a', 'c', 'b', 'a'];
    const values = [1, 5, 2, 9, 4, 0];
    // All 27 draws of three groups out of three, each as likely as the others.
    const groups = [[1, 2, 0], [5, 4], [9]];
    const means: number[] = [];
    for (const x of groups) {
      for (const y of groups) {
        for (const z of groups) {
          const drawn = [...x, ...y, ...z];
          means.push(drawn.reduce((a, b) => a + b, 0) / drawn.length);
        }
      }
    }
    means.sort((a, b) => a - b);
    const [low, high] = new GroupBootstrap(keys, 20_000, 5).interval(values);
    // 1 of 27 is 3.7 %: both ends are the extremes.
    expect(low).toBe(means[0]);
    expect(high).toBe(means[26]);
    expect(new GroupBootstrap(keys, 20_000, 5).interval(values)).toEqual([low, high]);
  });

  it('pairs differences: a constant shift has no spread', () => {
    const random = randomNumbers(6);
    const values = Array.from({ length: 50 }, () => 10 * random());
    const bootstrap = new GroupBootstrap(values.map((_, i) => `${i % 17}`));
    const [low, high] = bootstrap.interval(values.map((v) => v + 0.3 - v));
    expect(low).toBeCloseTo(0.3, 12);
    expect(high).toBeCloseTo(0.3, 12);
  });

  it('takes quantiles between neighbours', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 0)).toBe(1);
    expect(quantile([1, 2, 3, 4], 1)).toBe(4);
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });
});
