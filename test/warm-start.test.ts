import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Planner } from '../lib/planner.js';
import type { PlanOptions } from '../lib/plan-options.js';
import { observation } from './support/small-planner.js';

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.load('mini', { maxSamples: 8, maxSteps: 4 });
});
afterAll(() => planner.close());

const kStill = [0, 0, 0] as const;

describe('a warm start', () => {
  it('near t0 = 1 returns the plan before, near 0 what a cold start could', async () => {
    const before = await planner.plan(observation(3), { steps: 2, decode: 'sample', seed: 5 });
    const far = (t0: number) => {
      const warmStart = { trajectory: before.trajectory, elapsedS: 0, motion: kStill, t0 };
      const { trajectory } = planner.planSync(observation(3), { decode: 'median', warmStart });
      return Math.max(...trajectory.map((v, i) => Math.abs(v - (before.trajectory[i] as number))));
    };
    expect(far(0.999)).toBeLessThan(0.25);
    expect(far(0.001)).toBeGreaterThan(far(0.999));
  });

  it('is the same in a batch, on the calling thread and with a deadline', async () => {
    const before = await planner.plan(observation(3));
    const options: PlanOptions = {
      steps: 3,
      samples: 4,
      decode: 'sample',
      seed: 9,
      warmStart: { trajectory: [...before.trajectory], elapsedS: 0.5, motion: [4, 0.1, 0.02] },
    };
    const single = await planner.plan(observation(3), options);
    const [batched] = await planner.planBatch([observation(3), observation(3)], options);
    expect(batched?.tokens).toEqual(single.tokens);
    expect(planner.planSync(observation(3), options).tokens).toEqual(single.tokens);
    const timed = await planner.plan(observation(3), { ...options, deadlineMs: 1e6 });
    expect(timed.tokens).toEqual(single.tokens);
    const cold = await planner.plan(observation(3), { ...options, warmStart: undefined });
    expect(cold.tokens).not.toEqual(single.tokens);
  });

  const good = { trajectory: new Float32Array(24), elapsedS: 0.5, motion: [1, 0, 0] as const };
  it.each([
    ['null', null, 'ERR_ARGUMENT', 'warmStart'],
    ['an unknown name', { ...good, t: 1 }, 'ERR_ARGUMENT', 'trajectory, elapsedS'],
    ['a short trajectory', { ...good, trajectory: [1, 2, 3] }, 'ERR_SHAPE', 'trajectory'],
    ['no trajectory', { ...good, trajectory: undefined }, 'ERR_SHAPE', 'trajectory'],
    ['NaN', { ...good, trajectory: new Float32Array(24).fill(NaN) }, 'ERR_NOT_FINITE', '[0]'],
    ['a negative time', { ...good, elapsedS: -0.1 }, 'ERR_RANGE', 'elapsedS'],
    ['a plan that is over', { ...good, elapsedS: 4.1 }, 'ERR_RANGE', 'elapsedS'],
    ['no motion', { ...good, motion: undefined }, 'ERR_SHAPE', 'motion'],
    ['a motion of two numbers', { ...good, motion: [1, 2] }, 'ERR_SHAPE', 'motion'],
    ['text', { ...good, motion: [1, 'a', 0] }, 'ERR_ARGUMENT', 'motion[1]'],
    ['t0 1', { ...good, t0: 1 }, 'ERR_RANGE', 't0'],
    ['t0 0 without a search', { ...good, t0: 0 }, 'ERR_ARGUMENT', 'search'],
    ['t0 -0.1', { ...good, t0: -0.1 }, 'ERR_RANGE', 't0'],
    ['t0 NaN', { ...good, t0: NaN }, 'ERR_NOT_FINITE', 't0'],
  ])('refuses %s', async (_, warmStart, code, text) => {
    const call = planner.plan(observation(3), { warmStart: warmStart as never });
    await expect(call).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });
});

describe('a search', () => {
  it('returns the candidate with the highest score and says what it found', () => {
    const plan = planner.planSync(observation(3), {
      samples: 8,
      steps: 3,
      decode: 'sample',
      reduce: 'search',
      seed: 2,
    });
    const candidates = plan.candidates ?? [];
    expect(candidates.map(({ kind }) => kind)).toEqual([...Array(8).fill('sample'), 'median']);
    const best = candidates.reduce((a, b) => (b.score > a.score ? b : a));
    expect(plan.trajectory).toEqual(best.trajectory);
    expect(plan.refinements.at(-1)).toEqual(best.trajectory);
    expect(candidates.at(-1)?.trajectory).toEqual(planner.planSync(observation(3)).trajectory);
    expect(candidates.at(-1)?.deviation).toBe(0);
    for (const { score, trajectory } of candidates) {
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
      expect(trajectory).toHaveLength(24);
    }
  });

  it('has the plan before among its candidates when it begins with it', () => {
    const before = planner.planSync(observation(3)).trajectory;
    const { candidates } = planner.planSync(observation(3), {
      samples: 2,
      reduce: 'search',
      warmStart: { trajectory: before, elapsedS: 0, motion: kStill },
    });
    expect(candidates?.map(({ kind }) => kind)).toEqual(['sample', 'sample', 'median', 'previous']);
    const previous = candidates?.at(-1)?.trajectory ?? [];
    for (const [i, value] of before.entries()) expect(previous[i]).toBeCloseTo(value, 4);
  });

  it('leaves other plans without candidates', () => {
    expect(planner.planSync(observation(3), { samples: 2 }).candidates).toBeUndefined();
  });
});
