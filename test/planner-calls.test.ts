import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Plan, Planner } from '../lib/index.js';
import { native } from '../lib/native.js';
import { content, kMany } from './support/plans.js';
import { car, observation, randomCheckpoint, roadMap } from './support/small-planner.js';

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.fromCheckpoint(randomCheckpoint());
});
afterAll(() => planner.close());

describe('ways to call', () => {
  test('planSync equals plan and writes to the caller’s array, shared memory too', async () => {
    const seen = observation();
    const plan = await planner.plan(seen, kMany);
    expect(content(planner.planSync(seen, kMany))).toEqual(content(plan));
    const outs = [
      new Float32Array(24),
      new Float32Array(new SharedArrayBuffer(96)),
      resizable(96, 192),
      new Float32Array(new ArrayBuffer(200), 100, 24),
    ];
    for (const out of outs) {
      const sync = planner.planSync(seen, kMany, out);
      expect(sync.trajectory).toBe(out);
      expect([...out]).toEqual([...plan.trajectory]);
    }
  });

  test('a batch of 8 equals a batch of 1 equals single plans', async () => {
    const seen = Array.from({ length: 8 }, (_, i) => observation(i, i));
    const batch = await planner.planBatch(seen, kMany);
    expect(batch).toHaveLength(8);
    for (const [i, one] of seen.entries()) {
      const [alone] = await planner.planBatch([one], kMany);
      expect(content(alone as Plan)).toEqual(content(batch[i] as Plan));
      expect(content(await planner.plan(one, kMany))).toEqual(content(batch[i] as Plan));
    }
    expect(await planner.planBatch([])).toEqual([]);
  });

  test('a batch may mix maps', async () => {
    const other = {
      ...observation(3, 3),
      map: { ...roadMap(), lanes: [] },
      route: [],
      lights: undefined,
    };
    const seen = [observation(), other, observation(2, 2)];
    const batch = await planner.planBatch(seen, kMany);
    expect(content(batch[1] as Plan)).toEqual(content(await planner.plan(other, kMany)));
    expect(content(batch[2] as Plan)).toEqual(
      content(await planner.plan(observation(2, 2), kMany)),
    );
  });

  test('refine gives every step in order and returns the plan', async () => {
    const plan = await planner.plan(observation(), kMany);
    const steps = planner.refine(observation(), kMany);
    const seen: Float32Array[] = [];
    let next = await steps.next();
    for (; !next.done; next = await steps.next()) {
      seen.push(next.value.trajectory);
      expect(next.value.step).toBe(seen.length);
    }
    expect(seen).toEqual(plan.refinements);
    expect(content(next.value)).toEqual(content(plan));
  });

  test.each([
    [2, undefined],
    [2, 'avx2'],
    [1, 'portable'],
  ] as const)('%i threads on %s give the same plan', async (threads, isa) => {
    if (isa && !native().cpuInfo().isas.includes(isa)) return;
    const other = await Planner.fromCheckpoint(randomCheckpoint(), { threads, isa });
    expect(other).toMatchObject({ threads, isa: isa ?? native().cpuInfo().best });
    const plan = await planner.plan(observation(), kMany);
    const same = await other.plan(observation(), kMany);
    if (isa === 'portable') {
      same.trajectory.forEach((v, i) => {
        expect(v).toBeCloseTo(plan.trajectory[i] as number, 3);
      });
    } else {
      expect(content(same)).toEqual(content(plan));
    }
    await other.close();
  });
});

describe('deadlines', () => {
  test('a deadline of 0 gives a whole plan after one step', async () => {
    const plan = await planner.plan(observation(), { steps: 10, deadlineMs: 0, seed: 3 });
    const one = await planner.plan(observation(), { steps: 1, seed: 3 });
    expect(plan.stepsRun).toBe(1);
    expect(plan.refinements).toHaveLength(1);
    expect(plan.trajectory).toEqual(one.trajectory);
    expect(plan.tokens).toEqual(one.tokens);
    expect(planner.planSync(observation(), { steps: 10, deadlineMs: 0 }).stepsRun).toBe(1);
  });

  test('a far deadline changes nothing, a near one leaves steps out', async () => {
    const far = await planner.plan(observation(), { ...kMany, deadlineMs: 1e7 });
    expect(content(far)).toEqual(content(await planner.plan(observation(), kMany)));
    const slow = { steps: 64, samples: 64, decode: 'sample', deadlineMs: 10 } as const;
    const near = await planner.plan(observation(), slow);
    expect(near.stepsRun).toBeLessThan(64);
    expect(near.refinements).toHaveLength(near.stepsRun);
    expect(near.trajectory).toEqual(near.refinements.at(-1));
  });
});

describe('a planner', () => {
  test('says what it is', () => {
    expect(planner).toMatchObject({ threads: 1, waypoints: 8, intervalS: 0.5 });
    expect(planner.config.hidden_size).toBe(32);
    expect(planner.memory().weights).toBeGreaterThan(10_000);
    expect(planner.memory().workspace).toBeGreaterThan(10_000);
  });

  test('close is idempotent, also by using; afterwards calls fail with ERR_CLOSED', async () => {
    const before = native().counters().threads;
    const closing = await Planner.fromCheckpoint(randomCheckpoint());
    await Promise.all([closing.close(), closing.close(), closing[Symbol.asyncDispose]()]);
    closing[Symbol.dispose]();
    await closing.close();
    expect(native().counters().threads).toBe(before);
    const closed = { code: 'ERR_CLOSED' };
    await expect(closing.plan(observation())).rejects.toMatchObject(closed);
    await expect(closing.planBatch([observation()])).rejects.toMatchObject(closed);
    await expect(closing.refine(observation()).next()).rejects.toMatchObject(closed);
    expect(() => closing.planSync(observation())).toThrow(expect.objectContaining(closed));
    expect(closing.memory().workspace).toBe(0);
  });

  test('close rejects the plans in flight, running and queued', async () => {
    const closing = await Planner.fromCheckpoint(randomCheckpoint());
    const slow = { steps: 64, samples: 64, decode: 'sample' } as const;
    const running = closing.refine(observation(), slow);
    await running.next();
    const waiting = Array.from({ length: 5 }, () => closing.plan(observation(), slow));
    const settled = Promise.allSettled([...waiting, drain(running)]);
    await closing.close();
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CLOSED' } });
    }
    expect(native().counters().jobs).toBe(0);
  });

  test('takes the point that the history tracks: a rear axle gives the plan of the same motion', async () => {
    // Straight driving: rear axle and centre move alike, so the plans must agree in the ego frame.
    const seen = observation();
    const offset = 1.4;
    const ego = { ...car(-offset, 0, seen.ego.history.at(-1)?.vx as number), centerOffset: offset };
    const centre = await planner.plan(seen, { decode: 'median' });
    const axle = await planner.plan({ ...seen, ego }, { decode: 'median' });
    expect(axle.tokens).toEqual(centre.tokens);
  });
});

async function drain(steps: AsyncGenerator<unknown>): Promise<void> {
  for await (const _ of steps);
}

/** A Float32Array over a resizable buffer, which the type library of es2023 does not know. */
function resizable(bytes: number, maxByteLength: number): Float32Array<ArrayBuffer> {
  const Resizable = ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer;
  return new Float32Array(new Resizable(bytes, { maxByteLength }));
}
