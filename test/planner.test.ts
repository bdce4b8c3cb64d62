import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kPlanDefaults, Planner, type PlanOptions } from '../lib/index.js';
import { content, kMany } from './support/plans.js';
import { observation, randomCheckpoint } from './support/small-planner.js';

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.fromCheckpoint(randomCheckpoint());
});
afterAll(() => planner.close());

describe('a plan', () => {
  test('has the documented shapes', async () => {
    const plan = await planner.plan(observation(), kMany);
    expect(plan.trajectory).toHaveLength(24);
    expect(plan.trajectory).toEqual(plan.refinements.at(-1));
    expect(plan.refinements.map((r) => r.length)).toEqual([24, 24, 24, 24]);
    expect(plan.samples.map((s) => s.length)).toEqual([24, 24, 24]);
    expect(plan.tokens.map((t) => t.length)).toEqual([24, 24, 24]);
    expect(plan.stepsRun).toBe(4);
    expect([...plan.trajectory].every(Number.isFinite)).toBe(true);
    expect(plan.tokens.flatMap((t) => [...t]).every((t) => t >= 0 && t < 101)).toBe(true);
  });

  test('starts from driving on at constant velocity: tokens of zero are that', async () => {
    // With a head of zeros every token is equally likely, and the median is the middle one, residual 0.
    const flat = await Planner.fromCheckpoint(withHead(0));
    const seen = observation();
    const speed = seen.ego.history.at(-1)?.vx as number;
    const { trajectory } = await flat.plan(seen, { decode: 'median' });
    for (let k = 0; k < 8; k++) {
      expect(trajectory[3 * k]).toBeCloseTo((speed * (k + 1)) / 2, 4);
      expect(trajectory[3 * k + 1]).toBeCloseTo(0, 5);
      expect(trajectory[3 * k + 2]).toBeCloseTo(0, 5);
    }
    await flat.close();
  });

  test('comonotone: samples of one step are ordered alike at every waypoint', async () => {
    const options = { steps: 1, samples: 3, decode: 'sample', seed: 5 } as const;
    const coupled = await planner.plan(observation(), { ...options, coupling: 'comonotone' });
    const independent = await planner.plan(observation(), options);
    expect(coupled.tokens).not.toEqual(independent.tokens);
    const orders = (tokens: readonly Int32Array[]) =>
      [0, 1, 2].map((number) => {
        const found = new Set<string>();
        for (let slot = number; slot < 24; slot += 3)
          for (const [a, b] of [
            [0, 1],
            [0, 2],
            [1, 2],
          ] as const) {
            const sign = Math.sign(tokens[a]![slot]! - tokens[b]![slot]!);
            if (sign !== 0) found.add(`${a}${b}${sign}`);
          }
        return found.size;
      });
    // At most one order a pair.
    expect(Math.max(...orders(coupled.tokens))).toBeLessThanOrEqual(3);
    expect(Math.max(...orders(independent.tokens))).toBeGreaterThan(3);
  });

  test('confidence is the probability of its tokens, margin the least logit gap', async () => {
    const flat = await Planner.fromCheckpoint(withHead(0));
    const even = await flat.plan(observation(), { decode: 'median' });
    expect(even.confidence).toBeCloseTo(1 / 101, 8);
    expect(even.margin).toBe(0);
    await flat.close();
    const sharp = await Planner.fromCheckpoint(withHead(1e4));
    const sure = await sharp.plan(observation(), { decode: 'argmax' });
    expect(sure.confidence).toBeGreaterThan(0.5);
    expect(sure.margin).toBeGreaterThan(0);
    await sharp.close();
  });

  test('is the same for the same seed and another for another seed', async () => {
    const first = await planner.plan(observation(), kMany);
    expect(content(await planner.plan(observation(), kMany))).toEqual(content(first));
    expect((await planner.plan(observation(), { ...kMany, seed: 7n })).tokens).toEqual(
      first.tokens,
    );
    const other = await planner.plan(observation(), { ...kMany, seed: 8 });
    expect(other.tokens).not.toEqual(first.tokens);
    const far = await planner.plan(observation(), { ...kMany, seed: 7n + (1n << 40n) });
    expect(far.tokens).not.toEqual(first.tokens);
  });

  test('does not move with the map frame', async () => {
    const here = observation();
    const plan = await planner.plan(here, kMany);
    // UTM coordinates: the plan is in the ego's frame, and float64 keeps 1e-9 of a metre there.
    const shift = (x: number, y: number): [number, number] => [x + 500_000, y + 5_400_000];
    const moved = (agent: (typeof here.agents)[number]) => ({
      ...agent,
      history: agent.history.map((s) => {
        const [x, y] = shift(s.x, s.y);
        return { ...s, x, y };
      }),
    });
    const line = (points: readonly (readonly [number, number])[]) =>
      points.map(([x, y]) => shift(x, y));
    const there = {
      ...here,
      ego: moved(here.ego),
      agents: here.agents.map(moved),
      map: {
        ...here.map,
        lanes: here.map.lanes.map((lane) => ({
          ...lane,
          center: line(lane.center),
          left: line(lane.left),
          right: line(lane.right),
        })),
      },
    };
    const { trajectory } = await planner.plan(there, kMany);
    trajectory.forEach((v, i) => {
      expect(v).toBeCloseTo(plan.trajectory[i] as number, 3);
    });
  });

  test('takes defaults from one place', async () => {
    const spelled: PlanOptions = { ...kPlanDefaults };
    const plan = await planner.plan(observation());
    expect(content(plan)).toEqual(content(await planner.plan(observation(), spelled)));
    expect(plan.stepsRun).toBe(kPlanDefaults.steps);
  });

  test('equals itself with and without the prefix cache', async () => {
    const seen = observation();
    const cached = await planner.plan(seen, kMany);
    const uncached = await planner.plan(seen, { ...kMany, cache: false });
    expect(uncached.tokens).toEqual(cached.tokens);
    expect(uncached.trajectory).toEqual(cached.trajectory);
  });

  test('reduces samples to the first, the medoid or the mean', async () => {
    const seen = observation();
    const options = { ...kMany, samples: 9 };
    const first = await planner.plan(seen, { ...options, reduce: 'first' });
    expect(first.trajectory).toEqual(first.samples[0]);
    const distance = (a: Float32Array, b: Float32Array) => {
      let sum = 0;
      for (let k = 0; k < 24; k += 3) {
        sum += Math.hypot(
          (a[k] as number) - (b[k] as number),
          (a[k + 1] as number) - (b[k + 1] as number),
        );
      }
      return sum;
    };
    const medoid = await planner.plan(seen, { ...options, reduce: 'medoid' });
    const sums = medoid.samples.map((a) => medoid.samples.reduce((s, b) => s + distance(a, b), 0));
    expect(medoid.trajectory).toEqual(medoid.samples[sums.indexOf(Math.min(...sums))]);
    const mean = await planner.plan(seen, { ...options, reduce: 'mean' });
    for (const k of [0, 1, 9, 10, 21, 22]) {
      const average = mean.samples.reduce((s, t) => s + (t[k] as number), 0) / 9;
      expect(mean.trajectory[k]).toBeCloseTo(average, 4);
    }
  });
});

/** The random checkpoint with its numeric head scaled. */
function withHead(scale: number) {
  const checkpoint = randomCheckpoint();
  const head = checkpoint.tensors.filter((t) => t.name.includes('head'));
  expect(head.length).toBeGreaterThan(0);
  for (const tensor of head) tensor.data = tensor.data.map((v) => v * scale);
  return checkpoint;
}
