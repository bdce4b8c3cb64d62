import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePosterior,
  metricDistance,
  nearestToken,
  orderViolations,
  pathNoise,
  pathProbability,
  pathRates,
  pathUpdate,
  type TokenMetric,
  topkPosterior,
} from '../lib/kernels.js';
import { native } from '../lib/native.js';
import {
  codeOf,
  type Distance,
  inverseCdf,
  lineDistance,
  pathReference,
  randomFloats,
  randomInts,
  randomUniforms,
  ratesReference,
  softmax,
  tableDistance,
  worstError,
} from './support/reference.js';

interface Example {
  vocab: number;
  metric: TokenMetric;
  distance: Distance;
}

const example = fc
  .record({
    vocab: fc.integer({ min: 1, max: 70 }),
    dim: fc.integer({ min: 1, max: 40 }),
    power: fc.constantFrom(0, 0.5, 1, 2, 4),
    seed: fc.nat(1000),
  })
  .map(({ vocab, dim, power, seed }): Example => {
    if (power === 0) {
      const table = randomFloats(vocab * dim, seed);
      return { vocab, metric: { table, dim }, distance: tableDistance(table, dim) };
    }
    const coordinate = randomFloats(vocab, seed).sort();
    return { vocab, metric: { coordinate, power }, distance: lineDistance(coordinate, power) };
  });

const isas = native().cpuInfo().isas;

describe('metric path', () => {
  it('has the distances, probabilities and rates of its definition', () => {
    fc.assert(
      fc.property(
        example,
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom(...isas),
        (e, rows, isa) => {
          const { vocab, metric, distance } = e;
          const x1 = randomInts(rows, 1, vocab);
          const xt = randomInts(rows, 2, vocab);
          const beta = randomUniforms(rows, 3).map((u) => u * 50);
          const each = (f: (row: number) => number[]) => [...x1].flatMap((_, row) => f(row));
          const tokens = Array.from({ length: vocab }, (_, y) => y);
          expect(
            worstError(
              metricDistance({ metric, x1, isa }),
              each((row) => tokens.map((y) => distance(y, x1[row]!))),
            ),
          ).toBeLessThan(3e-6);
          expect(
            worstError(
              pathProbability({ metric, x1, beta, isa }),
              each((row) => pathReference(distance, vocab, x1[row]!, beta[row]!)),
            ),
          ).toBeLessThan(1e-5);
          const want = each((row) =>
            ratesReference(distance, vocab, xt[row]!, x1[row]!, beta[row]!, 2),
          );
          const { rate, total } = pathRates({ metric, x1, xt, beta, betaDot: 2, isa });
          expect(worstError(rate, want)).toBeLessThan(3e-5);
          const sums = [...x1].map((_, row) =>
            want.slice(row * vocab, (row + 1) * vocab).reduce((a, b) => a + b, 0),
          );
          expect(worstError(total, sums)).toBeLessThan(3e-5);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is uniform at beta 0 and certain at beta Infinity', () => {
    const coordinate = Float32Array.of(-1, 0, 0, 2);
    const x1 = Int32Array.of(3, 1);
    const metric = { coordinate };
    expect([...pathProbability({ metric, x1, beta: 0 })]).toEqual(Array(8).fill(0.25));
    expect([...pathProbability({ metric, x1, beta: Number.POSITIVE_INFINITY })]).toEqual([
      0, 0, 0, 1, 0, 0.5, 0.5, 0,
    ]);
  });

  it('moves tokens as its uniforms say, whatever the engine', () => {
    fc.assert(
      fc.property(example, fc.integer({ min: 0, max: 1e6 }), (e, seed) => {
        const { vocab, metric, distance } = e;
        const rows = 20;
        const x1 = randomInts(rows, seed, vocab);
        const xt = randomInts(rows, seed + 1, vocab);
        const jump = randomUniforms(rows, seed + 2);
        const draw = randomUniforms(rows, seed + 3);
        const noise = pathNoise({ metric, x1, beta: 3, draw });
        const input = { metric, xt, x1, beta: 3, jump, draw } as const;
        const next = pathUpdate({ ...input, rule: 'integrated', stepWeight: 2 });
        const renoised = pathUpdate({ metric, xt, x1, beta: 3, draw, rule: 'renoise' });
        expect([...renoised]).toEqual([...noise]);
        const within = (token: number, law: number[], u: number) =>
          token >= inverseCdf(law, u - 1e-5) && token <= inverseCdf(law, u + 1e-5);
        for (let row = 0; row < rows; row += 1) {
          const law = pathReference(distance, vocab, x1[row]!, 3);
          expect(within(noise[row]!, law, draw[row]!)).toBe(true);
          const rate = ratesReference(distance, vocab, xt[row]!, x1[row]!, 3, 2);
          const probability = 1 - Math.exp(-rate.reduce((a, b) => a + b, 0));
          if (Math.abs(jump[row]! - probability) < 1e-5) continue;
          if (jump[row]! >= probability) expect(next[row]).toBe(xt[row]);
          else expect(within(next[row]!, rate, draw[row]!)).toBe(true);
        }
        for (const isa of isas) {
          const alone = pathUpdate({
            ...input,
            rule: 'integrated',
            stepWeight: 2,
            isa,
            threads: 1,
          });
          const team = pathUpdate({ ...input, rule: 'integrated', stepWeight: 2, isa, threads: 2 });
          expect([...team]).toEqual([...alone]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('refuses metrics and tokens that do not fit', () => {
    const coordinate = Float32Array.of(0, 1, 2);
    const x1 = Int32Array.of(1);
    const beta = 1;
    const run = (change: object) =>
      codeOf(() => pathProbability({ metric: { coordinate }, x1, beta, ...change } as never));
    expect(run({})).toBe('no error');
    expect(run({ x1: Int32Array.of(3) })).toBe('ERR_RANGE');
    expect(run({ x1: Int32Array.of(-1) })).toBe('ERR_RANGE');
    expect(run({ x1: Float32Array.of(1) })).toBe('ERR_ARGUMENT');
    expect(run({ beta: -1 })).toBe('ERR_RANGE');
    expect(run({ beta: Number.NaN })).toBe('ERR_RANGE');
    expect(run({ beta: Float32Array.of(1, 2) })).toBe('ERR_SHAPE');
    expect(run({ out: new Float32Array(2) })).toBe('ERR_SHAPE');
    expect(run({ metric: { coordinate: Float32Array.of(0, 2, 1) } })).toBe('ERR_RANGE');
    expect(run({ metric: { coordinate, power: 0 } })).toBe('ERR_RANGE');
    expect(run({ metric: { table: coordinate, dim: 2 } })).toBe('ERR_SHAPE');
    expect(run({ isa: 'sse2' })).toBe('ERR_ARGUMENT');
    expect(run({ threads: 0 })).toBe('ERR_RANGE');
    const detached = new Float32Array(3);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    expect(run({ out: detached })).toBe('ERR_SHAPE');
  });
});

describe('decodePosterior', () => {
  it('decodes each rule as defined', () => {
    // No denormals: the engine flushes them, so that they tie with 0.
    const logit = fc.integer({ min: -8000, max: 8000 }).map((n) => n / 1000);
    const logits = fc.array(logit, { minLength: 1, maxLength: 90 });
    const uniform = fc.double({ min: 0, max: 0.999_999, noNaN: true });
    fc.assert(
      fc.property(logits, uniform, fc.integer({ min: 0, max: 9 }), (values, u, topK) => {
        const exact = Float32Array.from(values);
        const p = softmax([...exact]);
        const input = { logits: exact, vocab: exact.length };
        const argmax = decodePosterior({ ...input, rule: 'argmax' });
        expect(argmax.token[0]).toBe(exact.indexOf(Math.max(...exact)));
        expect(argmax.logProbability[0]).toBeCloseTo(Math.log(p[argmax.token[0]!]!), 4);
        const median = decodePosterior({ ...input, rule: 'median' }).token[0]!;
        expect(p.slice(0, median).reduce((a, b) => a + b, 0)).toBeLessThan(0.5 + 1e-6);
        expect(p.slice(0, median + 1).reduce((a, b) => a + b, 0)).toBeGreaterThan(0.5 - 1e-6);
        const draw = {
          rule: 'sample',
          uniform: Float32Array.of(u),
          temperature: 0.7,
          topK,
        } as const;
        const sampled = decodePosterior({ ...input, ...draw }).token[0]!;
        const cut =
          topK === 0 ? -Infinity : ([...exact].sort((a, b) => b - a)[topK - 1] ?? -Infinity);
        const law = softmax([...exact].map((value) => (value >= cut ? value / 0.7 : -Infinity)));
        expect(sampled).toBeGreaterThanOrEqual(inverseCdf(law, u - 1e-5));
        expect(sampled).toBeLessThanOrEqual(inverseCdf(law, u + 1e-5));
      }),
    );
  });

  it('refuses what does not fit', () => {
    const input = { logits: new Float32Array(6), vocab: 3, rule: 'sample' } as const;
    expect(codeOf(() => decodePosterior(input))).toBe('ERR_ARGUMENT'); // no uniforms
    const uniform = new Float32Array(1);
    expect(codeOf(() => decodePosterior({ ...input, uniform }))).toBe('ERR_SHAPE');
    expect(codeOf(() => decodePosterior({ ...input, vocab: 4 }))).toBe('ERR_SHAPE');
    expect(codeOf(() => decodePosterior({ ...input, temperature: -1 }))).toBe('ERR_ARGUMENT');
    expect(codeOf(() => decodePosterior({ ...input, rule: 'mode' as 'median' }))).toBe(
      'ERR_ARGUMENT',
    );
  });
});

describe('token tables', () => {
  it('keeps ties at the k-th logit', () => {
    const prob = topkPosterior({ logits: Float32Array.of(2, 5, 1, 2, 2), vocab: 5, k: 2 });
    const sum = Math.exp(5) + 3 * Math.exp(2);
    expect(
      worstError(
        prob,
        [2, 5, -Infinity, 2, 2].map((l) => Math.exp(l) / sum),
      ),
    ).toBeLessThan(1e-6);
  });

  it('finds the row that a full search finds', () => {
    const dim = 9;
    const table = randomFloats(300 * dim, 4);
    const query = randomFloats(50 * dim, 5);
    for (const normalise of [true, false]) {
      const unit = (x: Float32Array, i: number) => {
        const row = [...x.subarray(i * dim, (i + 1) * dim)];
        const norm = normalise ? Math.hypot(...row) : 1;
        return row.map((value) => value / norm);
      };
      const { token, distance2 } = nearestToken({ query, table, dim, normalise });
      token.forEach((found, row) => {
        const q = unit(query, row);
        const d = Array.from({ length: 300 }, (_, v) =>
          unit(table, v).reduce((sum, value, p) => sum + (value - q[p]!) ** 2, 0),
        );
        expect(found).toBe(d.indexOf(Math.min(...d)));
        expect(distance2[row]).toBeCloseTo(Math.min(...d), 5);
      });
    }
  });

  it('counts where distances do not grow with the order of tokens', () => {
    const arc = Float32Array.from({ length: 40 }, (_, i) => {
      const angle = 0.05 * (i >> 1);
      return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
    });
    expect(orderViolations({ table: arc, dim: 2 })).toEqual({ violations: 0, pairs: 190 });
    const swapped = arc.slice();
    swapped.set(arc.subarray(20, 22), 22);
    swapped.set(arc.subarray(22, 24), 20);
    expect(orderViolations({ table: swapped, dim: 2 }).violations).toBeGreaterThan(0);
    expect(orderViolations({ table: arc, dim: 2, stride: 7 }).pairs).toBe(19 + 12 + 5);
  });
});
