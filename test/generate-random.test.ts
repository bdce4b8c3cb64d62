import { describe, expect, it } from 'vitest';
import { philox as ofEngine } from '../lib/kernels.js';
import { philox, Random } from '../lib/generate/random.js';

describe('random numbers of the generator', () => {
  it('are those of the engine, word for word', () => {
    const words = Uint32Array.from({ length: 400 }, (_, i) => (i * 2654435761) >>> 0);
    for (let i = 0; i + 6 <= words.length; i += 6) {
      const counter = [...words.subarray(i, i + 4)];
      const key = [words[i + 4], words[i + 5]] as const;
      expect([...philox(new Uint32Array(4), counter, key)]).toEqual([
        ...ofEngine(counter, key).words,
      ]);
    }
  });

  it('differ with every part of the key, also beyond 32 bits of the seed', () => {
    const key = { seed: 5, scene: 1, attempt: 0, stream: 2 };
    const first = (part: Partial<typeof key>) => new Random({ ...key, ...part }).next();
    const all = [
      {},
      { seed: 5 + 2 ** 32 },
      { seed: 6 },
      { scene: 2 },
      { attempt: 1 },
      { stream: 3 },
    ];
    expect(new Set(all.map(first)).size).toBe(all.length);
    expect(first({})).toBe(first({}));
  });

  it('have the distributions that they are named for', () => {
    const random = new Random({ seed: 1, scene: 0, attempt: 0, stream: 0 });
    const n = 20_000;
    const draw = <T>(of: () => T) => Array.from({ length: n }, of);
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const uniform = draw(() => random.range(-1, 3));
    expect(mean(uniform)).toBeCloseTo(1, 1);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...uniform)).toBeLessThan(3);
    const integers = draw(() => random.integer(2, 5));
    for (const value of [2, 3, 4, 5]) {
      expect(integers.filter((i) => i === value).length / n).toBeCloseTo(0.25, 1);
    }
    expect(new Set(integers).size).toBe(4);
    const normal = draw(() => random.normal(2, 0.5));
    expect(mean(normal)).toBeCloseTo(2, 1);
    expect(mean(normal.map((v) => (v - 2) ** 2))).toBeCloseTo(0.25, 1);
    const weighted = draw(() =>
      random.weighted(['a', 'b', 'c'], (x) => ({ a: 1, b: 3, c: 0 })[x] ?? 0),
    );
    expect(weighted.filter((x) => x === 'b').length / n).toBeCloseTo(0.75, 1);
    expect(weighted).not.toContain('c');
    expect(random.shuffled([1, 2, 3, 4, 5, 6]).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
