import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Planner } from '../lib/index.js';
import { native } from '../lib/native.js';
import { observation, randomCheckpoint } from './support/small-planner.js';

const kSlow = { steps: 64, samples: 64, decode: 'sample' } as const;

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.fromCheckpoint(randomCheckpoint());
});
afterEach(async () => {
  // Whatever was aborted, the planner goes on and holds nothing of it.
  expect((await planner.plan(observation())).stepsRun).toBe(1);
  expect(native().counters().jobs).toBe(0);
});
afterAll(() => planner.close());

test('aborted before: rejects with the reason, nothing is queued', async () => {
  const reason = new Error('not needed');
  const signal = AbortSignal.abort(reason);
  await expect(planner.plan(observation(), { signal })).rejects.toBe(reason);
  await expect(planner.planBatch([observation()], { signal })).rejects.toBe(reason);
  await expect(planner.refine(observation(), { signal }).next()).rejects.toBe(reason);
  expect(() => planner.planSync(observation(), { signal })).toThrow(reason);
  expect(native().counters().jobs).toBe(0);
});

test('aborted while it runs: stops between steps and rejects with the reason', async () => {
  const controller = new AbortController();
  const steps = planner.refine(observation(), { ...kSlow, signal: controller.signal });
  const seen: number[] = [];
  const reason = { any: 'value' };
  const loop = async () => {
    for await (const { step } of steps) {
      seen.push(step);
      if (step === 1) controller.abort(reason);
    }
  };
  await expect(loop()).rejects.toBe(reason);
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.length).toBeLessThan(64);
});

test('aborted without a reason: an AbortError, as everywhere', async () => {
  const controller = new AbortController();
  const plan = planner.plan(observation(), { ...kSlow, signal: controller.signal });
  controller.abort();
  await expect(plan).rejects.toMatchObject({ name: 'AbortError' });
  await expect(
    planner.plan(observation(), { ...kSlow, signal: AbortSignal.timeout(1) }),
  ).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('aborted in the queue: rejects at once while the plan before it goes on', async () => {
  const controller = new AbortController();
  const order: string[] = [];
  const running = planner.plan(observation(), kSlow).then((plan) => {
    order.push('running');
    return plan;
  });
  const queued = planner.plan(observation(), { ...kSlow, signal: controller.signal });
  const last = planner.plan(observation(), { steps: 2 });
  setImmediate(() => controller.abort('changed my mind'));
  await queued.catch((reason) => order.push(reason));
  expect((await running).stepsRun).toBe(64);
  expect((await last).stepsRun).toBe(2);
  expect(order).toEqual(['changed my mind', 'running']);
});

test('one signal ends all calls that have it, and no other', async () => {
  const controller = new AbortController();
  const signal = controller.signal;
  const aborted = [1, 2, 3].map(() => planner.plan(observation(), { ...kSlow, signal }));
  const batch = planner.planBatch([observation(), observation()], { ...kSlow, signal });
  const other = planner.plan(observation(), { steps: 3 });
  setTimeout(() => controller.abort('stop'), 5);
  for (const result of await Promise.allSettled([...aborted, batch])) {
    expect(result).toEqual({ status: 'rejected', reason: 'stop' });
  }
  expect((await other).stepsRun).toBe(3);
});

test('aborted after: nothing happens, and no listener stays behind', async () => {
  const controller = new AbortController();
  const plan = await planner.plan(observation(), { signal: controller.signal });
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  controller.abort();
  expect(plan.stepsRun).toBe(1);
});

test('leaving a refine loop ends its plan', async () => {
  for await (const { step } of planner.refine(observation(), kSlow)) {
    expect(step).toBe(1);
    break;
  }
  // Settled already, or the next plan to come would find the job of this one before it.
  const next = planner.plan(observation());
  expect(native().counters().jobs).toBeLessThanOrEqual(2);
  await next;
});
