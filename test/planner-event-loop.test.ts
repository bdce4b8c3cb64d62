import { pbkdf2 } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Plan, Planner } from '../lib/index.js';
import { observation, randomCheckpoint } from './support/small-planner.js';

let planner: Planner;
beforeAll(async () => {
  planner = await Planner.fromCheckpoint(randomCheckpoint());
});
afterAll(() => planner.close());

const kOptions = { steps: 2, samples: 2, decode: 'sample' } as const;

test('64 plans at once come, all correct, while libuv’s pool is full', async () => {
  const seen = Array.from({ length: 64 }, (_, i) => observation(i % 7, i));
  const alone = seen.map((one) => planner.planSync(one, kOptions).tokens);
  let poolJobs = 12;
  const pool = Array.from(
    { length: 12 },
    () =>
      new Promise((resolve) => {
        pbkdf2('a', 'b', 100_000, 64, 'sha512', () => resolve(poolJobs--));
      }),
  );
  const plans = await Promise.all(seen.map((one) => planner.plan(one, kOptions)));
  // A planner that went through the pool would have to wait for its queue.
  expect(poolJobs).toBeGreaterThan(0);
  expect(plans.map((plan: Plan) => plan.tokens)).toEqual(alone);
  await Promise.all(pool);
});

test('the event loop turns while a plan is computed', async () => {
  let turns = 0;
  let done = false;
  const turn = () => {
    turns++;
    if (!done) setImmediate(turn);
  };
  turn();
  const plan = await planner.plan(observation(), { steps: 64, samples: 64, decode: 'sample' });
  done = true;
  expect(plan.stepsRun).toBe(64);
  // One a step is far less than a free loop makes, and more than a blocked one could.
  expect(turns).toBeGreaterThan(64);
});

test('a full queue refuses with ERR_RANGE and goes on', async () => {
  const narrow = await Planner.fromCheckpoint(randomCheckpoint(), { queueLimit: 2 });
  const slow = { steps: 64, samples: 64, decode: 'sample' } as const;
  const steps = narrow.refine(observation(), slow);
  await steps.next(); // it runs, so the queue is empty
  const waiting = [narrow.plan(observation()), narrow.plan(observation())];
  await expect(narrow.plan(observation())).rejects.toMatchObject({ code: 'ERR_RANGE' });
  await steps.return({} as Plan);
  for (const plan of waiting) expect((await plan).stepsRun).toBe(1);
  await narrow.close();
});

test('planSync waits for the plan that runs and comes before those that wait', async () => {
  const slow = { steps: 64, samples: 64, decode: 'sample' } as const;
  const order: string[] = [];
  const steps = planner.refine(observation(), slow);
  await steps.next();
  const queued = planner.plan(observation(), slow).then(() => order.push('queued'));
  const sync = planner.planSync(observation(), kOptions);
  order.push('sync');
  await Promise.all([queued, steps.return({} as Plan)]);
  expect(sync.stepsRun).toBe(2);
  expect(order).toEqual(['sync', 'queued']);
});
