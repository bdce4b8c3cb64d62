import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  adamw,
  clipGradNorm,
  crossEntropy,
  generalizedKl,
  groupAdvantages,
  IGNORED_TARGET,
  learningRateFactor,
  type PolicyLossInput,
  pdmReward,
  policyLoss,
  tripletMargin,
} from '../lib/kernels.js';
import {
  codeOf,
  numericGradient,
  randomFloats,
  randomInts,
  softmax,
  worstError,
} from './support/reference.js';

describe('crossEntropy', () => {
  /** Weighted cross entropy against a Gaussian of `smear` tokens around the target, cut at four deviations. */
  function reference(
    logits: ArrayLike<number>,
    vocab: number,
    target: Int32Array,
    smear: number,
    weight: ArrayLike<number>,
  ) {
    let total = 0;
    target.forEach((id, row) => {
      if (id === IGNORED_TARGET) return;
      const p = softmax(Array.from({ length: vocab }, (_, y) => logits[row * vocab + y]!));
      const spread = p.map((_, y) => {
        if (smear === 0) return Number(y === id);
        const deviations = Math.abs(y - id) / smear;
        return deviations <= 4 ? Math.exp(-0.5 * deviations ** 2) : 0;
      });
      const sum = spread.reduce((a, b) => a + b, 0);
      p.forEach((value, y) => {
        total -= (weight[row]! * spread[y]! * Math.log(value)) / sum;
      });
    });
    return total;
  }

  it('has the loss and gradient of its definition, smeared or not', () => {
    const vocab = 23;
    const rows = 6;
    const logits = randomFloats(rows * vocab, 1, 2);
    const target = Int32Array.of(0, 22, 7, IGNORED_TARGET, 7, 1);
    const weight = randomFloats(rows, 2).map(Math.abs);
    for (const smear of [0, 2]) {
      const { loss, total, dlogits } = crossEntropy({ logits, vocab, target, smear, weight });
      const value = (x: ArrayLike<number>) => reference(x, vocab, target, smear, weight);
      expect(total).toBeCloseTo(value(logits), 4);
      expect(loss[3]).toBe(0);
      expect(worstError(dlogits, numericGradient(value, logits))).toBeLessThan(5e-6);
    }
    const mean = crossEntropy({ logits, vocab, target });
    expect(mean.total).toBeCloseTo(reference(logits, vocab, target, 0, Array(rows).fill(1 / 5)), 4);
  });

  it('refuses targets outside the vocabulary', () => {
    const logits = new Float32Array(6);
    for (const bad of [3, -1, -99]) {
      expect(codeOf(() => crossEntropy({ logits, vocab: 3, target: Int32Array.of(0, bad) }))).toBe(
        'ERR_RANGE',
      );
    }
    expect(codeOf(() => crossEntropy({ logits, vocab: 3, target: Int32Array.of(0) }))).toBe(
      'ERR_SHAPE',
    );
  });
});

describe('policyLoss', () => {
  const vocab = 13;
  const rows = 6;
  /** Rows inside and beyond both ends of the clip range, of both signs; row 4 does not count. */
  function inputs(temperature: number): PolicyLossInput & { reference: Float32Array } {
    const logits = randomFloats(rows * vocab, 21, 2);
    const reference = randomFloats(rows * vocab, 22, 0.5).map((x, i) => x + logits[i]!);
    const token = Int32Array.of(0, 12, 5, 5, IGNORED_TARGET, 7);
    const shift = [0, 0.6, 0.6, -0.6, 0, -0.6];
    const oldLogProbability = new Float32Array(rows);
    token.forEach((id, row) => {
      if (id === IGNORED_TARGET) return;
      oldLogProbability[row] = Math.log(probabilities(logits, row, temperature)[id]!) - shift[row]!;
    });
    const advantage = Float32Array.of(0.4, 0.3, -0.3, 0.2, 1, -0.5);
    return { logits, vocab, token, oldLogProbability, advantage, reference, temperature };
  }
  function probabilities(x: ArrayLike<number>, row: number, temperature: number): number[] {
    return softmax(Array.from({ length: vocab }, (_, y) => x[row * vocab + y]! / temperature));
  }
  /** Loss, divergence and ratio of one row by their definitions. */
  function reference(input: ReturnType<typeof inputs>, logits: ArrayLike<number>, row: number) {
    const { token, oldLogProbability, temperature = 1, klBeta = 0, clip = 0.2 } = input;
    const id = token[row]!;
    if (id === IGNORED_TARGET) return { loss: 0, kl: 0, ratio: 0 };
    const p = probabilities(logits, row, temperature);
    const q = probabilities(input.reference, row, temperature);
    const ratio = p[id]! / Math.exp(oldLogProbability[row]!);
    const advantage = (input.advantage as Float32Array)[row]!;
    const cut = Math.min(1 + clip, Math.max(1 - clip, ratio));
    const x = q[id]! / p[id]!;
    const exact = p.reduce((sum, value, y) => sum + value * Math.log(value / q[y]!), 0);
    const kl = input.kl === 'k3' ? x - Math.log(x) - 1 : exact;
    const loss = (klBeta * kl - Math.min(ratio * advantage, cut * advantage)) / (rows - 1);
    return { loss, kl, ratio };
  }

  it('has the loss, ratio, divergence and gradient of its definition', () => {
    for (const temperature of [1, 0.7]) {
      for (const kl of ['exact', 'k3'] as const) {
        const input = { ...inputs(temperature), klBeta: 0.3, clip: 0.25, kl };
        const got = policyLoss(input);
        const want = [...input.token.keys()].map((row) => reference(input, input.logits, row));
        for (const part of ['loss', 'kl', 'ratio'] as const) {
          expect(
            worstError(
              got[part],
              want.map((row) => row[part]),
            ),
            part,
          ).toBeLessThan(2e-6);
        }
        const value = (x: ArrayLike<number>) =>
          [...input.token.keys()].reduce((sum, row) => sum + reference(input, x, row).loss, 0);
        expect(got.total).toBeCloseTo(value(input.logits), 6);
        expect(worstError(got.dlogits, numericGradient(value, input.logits))).toBeLessThan(5e-6);
        expect([...got.dlogits.subarray(4 * vocab, 5 * vocab)]).toEqual(Array(vocab).fill(0));
        expect(got.logProbability[0]).toBeCloseTo(
          Math.log(probabilities(input.logits, 0, temperature)[0]!),
          5,
        );
      }
    }
  });

  it('is the policy gradient where nothing has moved yet', () => {
    const { reference: _, ...input } = inputs(1);
    const { logProbability } = policyLoss(input);
    const got = policyLoss({
      ...input,
      reference: input.logits,
      oldLogProbability: logProbability,
    });
    expect(worstError(got.ratio, [1, 1, 1, 1, 0, 1])).toBeLessThan(1e-6);
    expect([...got.kl]).toEqual(Array(rows).fill(0));
    input.token.forEach((id, row) => {
      if (id === IGNORED_TARGET) return;
      const advantage = (input.advantage as Float32Array)[row]!;
      const p = probabilities(input.logits, row, 1);
      const want = p.map((value, y) => ((value - Number(y === id)) * advantage) / (rows - 1));
      const row_ = got.dlogits.subarray(row * vocab, (row + 1) * vocab);
      expect(worstError(row_, want)).toBeLessThan(1e-6);
    });
  });

  it('refuses what it cannot work with', () => {
    const input = inputs(1);
    const bad = (change: object) => codeOf(() => policyLoss({ ...input, ...change }));
    expect(bad({ token: Int32Array.of(0, 1, 2, 3, 4, 13) })).toBe('ERR_RANGE');
    expect(bad({ token: Int32Array.of(0, 1, 2, 3, 4, -1) })).toBe('ERR_RANGE');
    expect(bad({ token: Int32Array.of(0) })).toBe('ERR_SHAPE');
    expect(bad({ reference: new Float32Array(vocab) })).toBe('ERR_SHAPE');
    expect(bad({ oldLogProbability: new Float32Array(rows - 1) })).toBe('ERR_SHAPE');
    expect(bad({ advantage: new Float32Array(rows + 1) })).toBe('ERR_SHAPE');
    expect(bad({ vocab: 12 })).toBe('ERR_SHAPE');
    for (const temperature of [0, -1, Number.NaN, Infinity]) {
      expect(bad({ temperature })).toBe('ERR_ARGUMENT');
    }
    // Too small for a float.
    expect(bad({ temperature: 1e-60 })).toBe('ERR_RANGE');
    expect(bad({ clip: -0.1 })).toBe('ERR_ARGUMENT');
    expect(bad({ klBeta: Number.NaN })).toBe('ERR_ARGUMENT');
    expect(bad({ kl: 'k2' })).toBe('ERR_ARGUMENT');
  });
});

describe('groupAdvantages', () => {
  it('follows the definition of each kind, group by group', () => {
    const reward = Float64Array.of(0.9, 0.3, 0.6, 0, 1, 0.5);
    const by = (kind: 'mean' | 'standardised' | 'leave-one-out') =>
      groupAdvantages({ reward, group: 3, kind });
    expect(worstError(by('mean'), [0.3, -0.3, 0, -0.5, 0.5, 0])).toBeLessThan(1e-15);
    expect(worstError(by('leave-one-out'), [0.45, -0.45, 0, -0.75, 0.75, 0])).toBeLessThan(1e-15);
    const deviations = [Math.sqrt(0.06), Math.sqrt(1 / 6)];
    const standardised = [0.3, -0.3, 0, -0.5, 0.5, 0].map(
      (value, i) => value / (deviations[Math.floor(i / 3)]! + 1e-8),
    );
    expect(worstError(by('standardised'), standardised)).toBeLessThan(1e-14);
    expect([...groupAdvantages({ reward: new Float64Array(5).fill(0.1) })]).toEqual(
      Array(5).fill(0),
    );
    expect(codeOf(() => groupAdvantages({ reward, group: 4 }))).toBe('ERR_SHAPE');
    expect(codeOf(() => groupAdvantages({ reward, kind: 'median' as 'mean' }))).toBe(
      'ERR_ARGUMENT',
    );
  });
});

describe('pdmReward', () => {
  const subScores = {
    noAtFaultCollisions: [1, 0.5, 0],
    drivableAreaCompliance: [1, 1, 1],
    drivingDirectionCompliance: [0.5, 1, 1],
    trafficLightCompliance: [1, 0, 1],
    egoProgress: [0.8, 0.4, 1],
    timeToCollisionWithinBound: [1, 0, 1],
    laneKeeping: [0, 1, 1],
    comfort: [1, 1, 0],
  };

  it('is the score of the version, or has the weights that are given', () => {
    expect(worstError(pdmReward({ subScores }), [11 / 12, 2 / 12, 0])).toBeLessThan(1e-15);
    const second = pdmReward({ subScores, version: 'v2' });
    expect(worstError(second, [(0.5 * 11) / 14, 0, 0])).toBeLessThan(1e-15);
    const weights = { egoProgress: 1, timeToCollisionWithinBound: 0, laneKeeping: 1, comfort: 0 };
    expect(worstError(pdmReward({ subScores, weights }), [0.4, 0.35, 0])).toBeLessThan(1e-15);
    const { egoProgress } = subScores;
    expect(
      worstError(pdmReward({ subScores: { egoProgress } }), [11 / 12, 9 / 12, 1]),
    ).toBeLessThan(1e-15);
  });

  it('refuses uneven sub-scores and weights without a sum', () => {
    const uneven = { ...subScores, comfort: [1, 1] };
    expect(codeOf(() => pdmReward({ subScores: uneven }))).toBe('ERR_SHAPE');
    expect(codeOf(() => pdmReward({ subScores: {} }))).toBe('ERR_ARGUMENT');
    expect(codeOf(() => pdmReward({ subScores, weights: { comfort: -1 } }))).toBe('ERR_RANGE');
    const zero = { egoProgress: 0, timeToCollisionWithinBound: 0, comfort: 0 };
    expect(codeOf(() => pdmReward({ subScores, weights: zero }))).toBe('ERR_RANGE');
  });
});

describe('generalizedKl', () => {
  it('has the loss and gradient of its definition', () => {
    const vocab = 11;
    const logits = randomFloats(4 * vocab, 3, 2);
    const x1 = Int32Array.of(0, 5, 10, 3);
    const xt = Int32Array.of(0, 1, 2, 4);
    const rate = Float64Array.of(1, 2, 0.5, 8);
    const row = (x: ArrayLike<number>, i: number) => {
      const p = softmax(Array.from({ length: vocab }, (_, y) => x[i * vocab + y]!));
      const same = Number(x1[i] === xt[i]);
      return -rate[i]! * (p[xt[i]!]! - same + (1 - same) * Math.log(p[x1[i]!]!));
    };
    const { loss, dlogits } = generalizedKl({ logits, vocab, x1, xt, rate });
    expect(
      worstError(
        loss,
        [0, 1, 2, 3].map((i) => row(logits, i)),
      ),
    ).toBeLessThan(1e-6);
    const total = (x: ArrayLike<number>) => [0, 1, 2, 3].reduce((sum, i) => sum + row(x, i), 0);
    expect(worstError(dlogits, numericGradient(total, logits))).toBeLessThan(5e-6);
  });
});

describe('tripletMargin', () => {
  it('has the loss and gradient of its definition in both forms', () => {
    const dim = 6;
    const vocab = 15;
    const count = 40;
    const table = randomFloats(vocab * dim, 4);
    const index = (seed: number) => randomInts(count, seed, vocab);
    const [anchor, positive, negative] = [index(5), index(6), index(7)];
    const margin = randomFloats(count, 8).map(Math.abs);
    for (const form of ['paper', 'torch'] as const) {
      const value = (x: ArrayLike<number>) => {
        const row = (i: number) => {
          const z = Array.from({ length: dim }, (_, p) => x[i * dim + p]!);
          return form === 'paper' ? z.map((v) => v / Math.hypot(...z)) : z;
        };
        const far = (i: number, j: number) => {
          const b = row(j);
          return Math.hypot(...row(i).map((v, p) => v - b[p]! + (form === 'torch' ? 1e-6 : 0)));
        };
        return anchor.reduce((sum, a, i) => {
          return sum + Math.max(0, far(a, positive[i]!) - far(a, negative[i]!) + margin[i]!);
        }, 0);
      };
      const input = { table, dim, anchor, positive, negative, margin, form };
      const sum = tripletMargin({ ...input, reduction: 'sum' });
      expect(sum.loss).toBeCloseTo(value(table), 5);
      expect(worstError(sum.dtable, numericGradient(value, table))).toBeLessThan(2e-5);
      const mean = tripletMargin(input);
      expect(mean.loss).toBeCloseTo(value(table) / count, 6);
      expect(
        worstError(
          mean.dtable,
          sum.dtable.map((v) => v / count),
        ),
      ).toBeLessThan(1e-6);
      for (const threads of [1, 2]) {
        expect([...tripletMargin({ ...input, threads }).dtable]).toEqual([...mean.dtable]);
      }
    }
    const bad = { table, dim, anchor, positive, negative: Int32Array.from(negative).fill(vocab) };
    expect(codeOf(() => tripletMargin(bad))).toBe('ERR_RANGE');
    expect(codeOf(() => tripletMargin({ ...bad, negative, dim: 7 }))).toBe('ERR_SHAPE');
  });
});

describe('optimiser', () => {
  it('adamw follows its definition over several updates', () => {
    const w = randomFloats(20, 9);
    const exact = Float64Array.from(w);
    const moments = [new Float64Array(20), new Float64Array(20)] as const;
    const [m, v] = [new Float32Array(20), new Float32Array(20)];
    const settings = {
      lr: 0.01,
      beta1: 0.9,
      beta2: 0.95,
      eps: 1e-8,
      weightDecay: 0.1,
      gradScale: 0.5,
    };
    for (let step = 1; step <= 5; step += 1) {
      const grad = randomFloats(20, 10 + step);
      adamw({ w, grad, m, v, step, ...settings });
      grad.forEach((g, i) => {
        moments[0][i] = 0.9 * moments[0][i]! + 0.1 * 0.5 * g;
        moments[1][i] = 0.95 * moments[1][i]! + 0.05 * (0.5 * g) ** 2;
        const first = moments[0][i]! / (1 - 0.9 ** step);
        const second = moments[1][i]! / (1 - 0.95 ** step);
        exact[i]! -= 0.01 * (0.1 * exact[i]! + first / (Math.sqrt(second) + 1e-8));
      });
    }
    expect(worstError(w, exact)).toBeLessThan(2e-6);
    const grad = new Float32Array(20);
    expect(codeOf(() => adamw({ w, grad, m, v, lr: 0.1, step: 0 }))).toBe('ERR_RANGE');
    expect(codeOf(() => adamw({ w, grad: w.slice(1), m, v, lr: 0.1, step: 1 }))).toBe('ERR_SHAPE');
  });

  it('clips the common norm and leaves small gradients alone', () => {
    const gradients = [Float32Array.of(3, 0), new Float32Array(0), Float32Array.of(-4)];
    expect(clipGradNorm(gradients, 10)).toBeCloseTo(5, 12);
    expect([...gradients[0]!, ...gradients[2]!]).toEqual([3, 0, -4]);
    expect(clipGradNorm(gradients, 1)).toBeCloseTo(5, 12);
    expect(worstError([...gradients[0]!, ...gradients[2]!], [0.6, 0, -0.8])).toBeLessThan(1e-6);
    expect(codeOf(() => clipGradNorm(gradients, 0))).toBe('ERR_ARGUMENT');
  });

  it('warms up, then falls by a cosine to 0', () => {
    const schedule = { schedule: 'cosine', warmup: 10, total: 110 } as const;
    expect(learningRateFactor(0, schedule)).toBe(0);
    expect(learningRateFactor(5, schedule)).toBe(0.5);
    expect(learningRateFactor(60, schedule)).toBeCloseTo(0.5, 12);
    expect(learningRateFactor(110, schedule)).toBe(0);
    expect(learningRateFactor(500, schedule)).toBe(0);
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 109 }), (step) => {
        expect(learningRateFactor(step + 1, schedule)).toBeLessThan(
          learningRateFactor(step, schedule),
        );
      }),
    );
    expect(learningRateFactor(99, { schedule: 'constant', warmup: 0, total: 100 })).toBe(1);
  });
});
