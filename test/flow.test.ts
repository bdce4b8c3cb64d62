import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type MixtureSchedule,
  mixtureRates,
  mixtureSample,
  mixtureSchedule,
  mixtureVelocity,
} from '../lib/flow/mixture.js';
import { pathSchedule } from '../lib/flow/path-schedule.js';
import { codeOf, randomFloats, randomInts, softmax, worstError } from './support/reference.js';

const unit = fc.double({ min: 0, max: 1, noNaN: true });

describe('pathSchedule', () => {
  it('has the published values, and its rule for t = 0', () => {
    const { beta, betaDot } = pathSchedule({ kind: 'published' }, [0, 0.5, 0.9, 1]);
    expect(beta[0]).toBe(0);
    expect(beta[1]).toBeCloseTo(3, 12);
    expect(beta[2]).toBeCloseTo(3 * 9 ** 0.9, 9);
    expect(beta[3]).toBe(Number.POSITIVE_INFINITY);
    expect(betaDot[0]).toBe(0);
    // c a (t/(1-t))^(a-1) / (1-t)^2 at t = 1/2
    expect(betaDot[1]).toBeCloseTo(3 * 0.9 * 4, 12);
  });

  it('narrows the kernel geometrically to the given width', () => {
    const widths = { initialWidth: 60, finalWidth: 0.2 };
    fc.assert(
      fc.property(unit, (t) => {
        const { beta } = pathSchedule({ kind: 'kernel_width', ...widths }, [t]);
        const width = 60 ** (1 - t) * 0.2 ** t;
        expect(Math.abs(beta[0]! - (1 / width - 1 / 60))).toBeLessThan(1e-12 / width);
      }),
    );
  });

  it('gives step weights that add up to beta, and no first released step', () => {
    const schedule = { kind: 'kernel_width' } as const;
    const n = 49;
    const times = Array.from({ length: n }, (_, k) => k / n);
    const integrated = pathSchedule(schedule, times, { h: 1 / n, rule: 'integrated' });
    const sum = integrated.stepWeight.reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(249, 8);
    const released = pathSchedule(schedule, times, { h: 1 / n, rule: 'released' });
    expect(released.stepWeight[0]).toBe(0);
    expect(released.stepWeight[5]).toBeCloseTo(released.betaDot[5]! / n, 12);
    expect([...pathSchedule(schedule, times, { h: 1 / n, rule: 'renoise' }).stepWeight]).toEqual(
      times.map(() => 0),
    );
  });

  it('refuses parameters and times without meaning', () => {
    expect(codeOf(() => pathSchedule({ kind: 'published', a: -1 }, [0]))).toBe('ERR_CONFIG');
    const growing = { kind: 'kernel_width', initialWidth: 1, finalWidth: 2 } as const;
    expect(codeOf(() => pathSchedule(growing, [0]))).toBe('ERR_CONFIG');
    for (const t of [-0.1, 1.1, Number.NaN]) {
      expect(codeOf(() => pathSchedule({ kind: 'published' }, [t]))).toBe('ERR_RANGE');
    }
    const unknown = { kind: 'linear' } as unknown as { kind: 'published' };
    expect(codeOf(() => pathSchedule(unknown, [0]))).toMatch(/^ERR_/);
  });
});

describe('mixture path', () => {
  const schedules: MixtureSchedule[] = [
    { kind: 'cond_ot' },
    { kind: 'polynomial', exponent: 2.5 },
    { kind: 'cosine' },
    { kind: 'vp' },
    { kind: 'linear_vp' },
  ];

  it('inverts kappa, and its derivatives are those of its values', () => {
    for (const schedule of schedules) {
      const times = [0.1, 0.3, 0.6, 0.9];
      const at = mixtureSchedule(schedule, times);
      const step = 1e-6;
      const above = mixtureSchedule(
        schedule,
        times.map((t) => t + step),
      );
      const below = mixtureSchedule(
        schedule,
        times.map((t) => t - step),
      );
      const slope = above.alpha.map((value, i) => (value - below.alpha[i]!) / (2 * step));
      expect(worstError(at.dAlpha, slope)).toBeLessThan(1e-7);
      expect(worstError(mixtureSchedule(schedule, at.alpha).kappaInverse, times)).toBeLessThan(
        1e-9,
      );
      const rate = at.dAlpha.map((d, i) => d / (1 - at.alpha[i]!));
      expect(worstError(at.rate, rate)).toBeLessThan(1e-12);
    }
  });

  it('reaches x1 everywhere in n exact steps', () => {
    for (const schedule of schedules) {
      const times = [0, 0.25, 0.5, 0.75];
      const { jumpProbability } = mixtureSchedule(schedule, times, { h: 0.25, rule: 'integrated' });
      expect(jumpProbability[3]).toBeCloseTo(1, 12);
      expect([...jumpProbability].every((p) => p > 0 && p <= 1)).toBe(true);
    }
  });

  it('samples x1 with probability kappa', () => {
    const count = 20_000;
    const uniform = randomFloats(count, 5).map((u) => (u + 1) / 2);
    const x0 = new Int32Array(count);
    const x1 = new Int32Array(count).fill(1);
    const moved = mixtureSample({ kappa: 0.3, x0, x1, uniform }).reduce((a, b) => a + b, 0);
    expect(Math.abs(moved / count - 0.3)).toBeLessThan(5 * Math.sqrt(0.21 / count));
  });

  it('has a velocity that moves mass from the present token to the posterior', () => {
    const vocab = 7;
    const logits = randomFloats(3 * vocab, 8, 2);
    const xt = randomInts(3, 9, vocab);
    const got = mixtureVelocity({ logits, vocab, xt, rate: 1.5 });
    const want = [...xt].flatMap((present, row) =>
      softmax([...logits.slice(row * vocab, (row + 1) * vocab)]).map(
        (p, y) => 1.5 * (p - Number(y === present)),
      ),
    );
    expect(worstError(got, want)).toBeLessThan(1e-6);
  });

  it('jumps to x1 only, unless divergence-free rates are added', () => {
    const input = { schedule: { kind: 'cond_ot' }, t: 0.5, vocab: 3 } as const;
    const xt = Int32Array.of(0, 2);
    const x1 = Int32Array.of(1, 2);
    const plain = mixtureRates({ ...input, xt, x1 });
    expect([...plain.rate]).toEqual([0, 2, 0, 0, 0, 0]);
    expect([...plain.total]).toEqual([2, 0]);
    const source = Float32Array.of(0.5, 0.25, 0.25);
    const free = mixtureRates({ ...input, xt, x1, divergenceFree: 1, source });
    // 1/(1/2 1/2) (1/2 source + 1/2 [y = x1]) on top, 0 at the present token
    expect([...free.rate]).toEqual([0, 2 + 4 * (0.125 + 0.5), 4 * 0.125, 4 * 0.25, 4 * 0.125, 0]);
    expect(codeOf(() => mixtureRates({ ...input, xt, x1, divergenceFree: 1 }))).toBe(
      'ERR_ARGUMENT',
    );
    expect(codeOf(() => mixtureRates({ ...input, xt, x1: Int32Array.of(1, 3) }))).toBe('ERR_RANGE');
    expect(codeOf(() => mixtureRates({ ...input, xt, x1: Int32Array.of(1) }))).toBe('ERR_SHAPE');
  });
});
