import { describe, expect, test } from 'vitest';
import { generateScenarios, headingsOfPath, posesOfPath } from '../lib/index.js';
import { futureFromWindow, wrapAngle } from '../lib/scenario/observe.js';
import { reducePlans } from '../lib/vla/reduce-plans.js';

/** Positions after arcs of these lengths on a circle of curvature `k`, from the origin with heading 0. */
function onCircle(k: number, driven: readonly number[]): number[] {
  return driven.flatMap((s) => [Math.sin(k * s) / k, (1 - Math.cos(k * s)) / k]);
}

describe('headings of a path', () => {
  test.each([0.05, -0.12, 0.001])('are the tangents of a circle of curvature %d', (curvature) => {
    const even = Array.from({ length: 8 }, (_, i) => 4 * (i + 1));
    const headings = headingsOfPath(onCircle(curvature, even));
    for (const [i, s] of even.entries()) expect(headings[i]).toBeCloseTo(curvature * s, 9);
    const uneven = [4, 9, 13, 15, 20, 22, 27, 31];
    const near = headingsOfPath(onCircle(curvature, uneven));
    for (const [i, s] of uneven.entries()) {
      expect(Math.abs(near[i]! - curvature * s)).toBeLessThan(0.01);
    }
  });

  test('turn through more than half a turn without a jump', () => {
    const driven = Array.from({ length: 8 }, (_, i) => 3 * (i + 1));
    const headings = headingsOfPath(onCircle(0.2, driven));
    for (const [i, s] of driven.entries()) expect(headings[i]).toBeCloseTo(0.2 * s, 9);
    expect(headings[7]).toBeGreaterThan(Math.PI);
  });

  test('stay where the vehicle hardly moves', () => {
    expect([...headingsOfPath([0, 0, 0.01, -0.02, 0.3, 0.9, 0, 0])]).toEqual([0, 0, 0, 0]);
    // Straight, then around a corner to a stop, where positions jitter.
    const driven = [5, 10, 14, 16];
    const path = [...onCircle(0.1, driven)];
    const [x, y] = [path[6]!, path[7]!];
    const headings = headingsOfPath([...path, x + 0.1, y - 0.2, x - 0.05, y, x, y + 0.02]);
    const stopped = headings[3]!;
    expect(stopped).toBeCloseTo(1.6, 2);
    expect([...headings.slice(4)]).toEqual([stopped, stopped, stopped]);
  });

  test('creeping is motion once it has gone far enough', () => {
    const crawl = Array.from({ length: 8 }, (_, i) => 0.4 * (i + 1));
    const headings = headingsOfPath(onCircle(0.15, crawl));
    for (const [i, s] of crawl.entries()) expect(headings[i]).toBeCloseTo(0.15 * s, 0);
    expect(headings[7]!).toBeGreaterThan(0.3);
  });

  test('a vehicle that drives backwards does not turn around', () => {
    const headings = headingsOfPath([-1, 0, -2, 0, -3, 0.1, -4, 0.3]);
    for (const heading of headings) expect(Math.abs(heading)).toBeLessThan(0.3);
    expect(headings[3]).toBeLessThan(0);
  });

  test('are those of drivers in generated traffic', async () => {
    const { windows } = await generateScenarios({ windows: 24, seed: 11 });
    let [sum, most, count] = [0, 0, 0];
    for (const window of windows) {
      const { poses, valid } = futureFromWindow(window);
      const positions = Array.from({ length: 2 * valid }, (_, k) => {
        const value = poses[3 * Math.floor(k / 2) + (k % 2)]!;
        return Math.round(100 * value) / 100; // as the numeric tokens are
      });
      for (const [i, heading] of headingsOfPath(positions).entries()) {
        const error = Math.abs(wrapAngle(heading - poses[3 * i + 2]!));
        sum += error;
        most = Math.max(most, error);
        count += 1;
      }
    }
    expect(sum / count).toBeLessThan(0.002);
    expect(most).toBeLessThan(0.05);
  });

  test('poses are positions with them; bad positions are refused', () => {
    const poses = posesOfPath([2, 0, 4, 0]);
    expect([...poses]).toEqual([2, 0, 0, 4, 0, 0]);
    expect(headingsOfPath([])).toHaveLength(0);
    expect(() => headingsOfPath([1, 2, 3])).toThrow(expect.objectContaining({ code: 'ERR_SHAPE' }));
    expect(() => headingsOfPath([1, Number.NaN])).toThrow(
      expect.objectContaining({ code: 'ERR_NOT_FINITE' }),
    );
    expect(() => headingsOfPath([1, 2], { leastM: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_RANGE' }),
    );
  });
});

describe('several plans as one', () => {
  const plans = [
    [0, 0, 10, 0],
    [1, 0, 11, 0],
    [2, 0, 12, 0],
    [2, 9, 12, 9],
  ].map((values) => Float32Array.from(values));

  test('first, medoid, mean', () => {
    expect(reducePlans('first', plans, 2)).toBe(plans[0]);
    expect(reducePlans('medoid', plans, 2)).toBe(plans[1]);
    expect([...reducePlans('mean', plans, 2)]).toEqual([1.25, 2.25, 11.25, 2.25]);
  });

  test('the first of equally near ones, and headings as directions', () => {
    expect(reducePlans('medoid', [plans[2]!, plans[0]!], 2)).toBe(plans[2]);
    const turned = [3, -3].map((heading) => Float32Array.from([1, 2, heading]));
    expect(Math.abs(reducePlans('mean', turned, 3)[2]!)).toBeCloseTo(Math.PI, 6);
  });
});
