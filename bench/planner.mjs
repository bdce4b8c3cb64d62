// Latency of a plan from observation to trajectory, where it goes, and the time of a training step.

import { Planner, readScenarios, train } from '../dist/index.js';
import { observations } from './observations.mjs';
import { option, percentile } from './options.mjs';

const kWarmUp = 50;

/** Microseconds: median, 99th percentile and least. */
function summary(us) {
  return { p50Us: percentile(us, 50), p99Us: percentile(us, 99), leastUs: percentile(us, 0) };
}

/**
 * Calls `plan(observation, seed)` again and again.
 *
 * @returns for each call after the warm-up its time by our clock and the engine's own, in microseconds.
 */
async function callTimes(inputs, calls, plan) {
  const total = [];
  const engine = [];
  for (let i = 0; i < kWarmUp + calls; i++) {
    const began = performance.now();
    const pending = plan(inputs[i % inputs.length], i);
    const { timing } = pending instanceof Promise ? await pending : pending;
    const us = (performance.now() - began) * 1000;
    if (i < kWarmUp) continue;
    total.push(us);
    engine.push(timing.featuresUs + timing.prefixUs + timing.stepsUs);
  }
  return { total, engine };
}

/** Microseconds that each call of the addon's `planSync` takes while `work` runs. */
async function nativeTimes(work) {
  const { native } = await import('../dist/bench/inner.js');
  const addon = native();
  const { planSync } = addon;
  const us = [];
  addon.planSync = (...args) => {
    const began = performance.now();
    planSync(...args);
    us.push((performance.now() - began) * 1000);
  };
  try {
    await work();
  } finally {
    addon.planSync = planSync;
  }
  return us;
}

/** Microseconds to check and pack an observation, the map being known, as every call begins. */
async function packingTimes(inputs, calls) {
  const { ObservationPacker } = await import('../dist/bench/inner.js');
  const packer = new ObservationPacker();
  const us = [];
  for (let i = 0; i < kWarmUp + calls; i++) {
    const began = performance.now();
    packer.clear();
    packer.add(inputs[i % inputs.length], 'observation');
    if (i >= kWarmUp) us.push((performance.now() - began) * 1000);
  }
  return us;
}

async function benchPlans(report, inputs, calls) {
  const cases = [
    { name: '1 step, median', steps: 1 },
    { name: '1 step, 16 samples', steps: 1, decode: 'sample', samples: 16 },
    { name: '5 steps, one sample', steps: 5, decode: 'sample' },
    { name: '5 steps, 16 samples', steps: 5, decode: 'sample', samples: 16 },
  ];
  for (const threads of [1, 2]) {
    const planner = await Planner.load(option('model', 'mini'), { threads });
    for (const { name, ...base } of cases) {
      const count = base.samples ? Math.ceil(calls / 8) : calls;
      for (const way of ['planSync', 'plan']) {
        let times;
        const inside = await nativeTimes(async () => {
          times = await callTimes(inputs, count, (observation, seed) =>
            planner[way](observation, { ...base, seed }),
          );
        });
        const { total, engine } = times;
        const inCall = inside.slice(kWarmUp);
        report({
          bench: `${way}: ${name}`,
          threads,
          ...summary(total),
          engineP50Us: percentile(engine, 50),
          // Into the addon and out again, the observation copied; what else is outside of the engine is the package's script.
          ...(way === 'planSync' && {
            bindingP50Us: percentile(
              inCall.map((us, i) => us - engine[i]),
              50,
            ),
            scriptP50Us: percentile(
              total.map((us, i) => us - inCall[i]),
              50,
            ),
          }),
          outsideP50Us: percentile(
            total.map((us, i) => us - engine[i]),
            50,
          ),
          calls: count,
        });
      }
    }
    const { total } = await callTimes(inputs, calls, (observation, seed) =>
      planner.planSync(observation, { steps: 5, decode: 'sample', cache: false, seed }),
    );
    report({
      bench: 'planSync: 5 steps, one sample, prefix recomputed',
      threads,
      ...summary(total),
      calls,
    });
    if (threads === 1) report({ bench: 'memory of a planner', ...planner.memory() });
    await planner.close();
  }
}

async function benchTraining(report) {
  const examples = new URL('../examples', import.meta.url).pathname;
  const folder = option('data', examples);
  const data = await readScenarios(folder);
  const output = option('output', new URL('../out/bench-train', import.meta.url).pathname);
  for (const threads of [1, 2]) {
    const ms = [];
    let before;
    for await (const event of train({
      stage: 'sft',
      model: 'mini',
      data,
      splits: [folder === examples ? 'example' : 'train'],
      output,
      steps: 40,
      logEvery: 1,
      threads,
      overwrite: true,
    })) {
      const now = performance.now();
      if (event.type === 'step' && before !== undefined) ms.push(now - before);
      before = now;
    }
    report({
      bench: 'training step, 32 windows x 3 copies',
      threads,
      msPerUpdate: percentile(ms, 50),
      leastMs: percentile(ms, 0),
    });
  }
}

/** Rows ran one after the other, so compare them as ratios with care. */
export async function benchPlanner(report) {
  const calls = Number(option('calls', 600));
  const inputs = await observations(64);
  const packing = await packingTimes(inputs, calls);
  report({ bench: 'check and pack an observation', ...summary(packing), calls });
  await benchPlans(report, inputs, calls);
  await benchTraining(report);
}
