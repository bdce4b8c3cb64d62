// Latency of a plan from observation to trajectory, and time of a training step.

import { Planner, readScenarios, train } from '../dist/index.js';
import { observations } from './observations.mjs';
import { option, percentile } from './options.mjs';

/** p50 and p99 are over calls; rows ran one after the other, so compare them as ratios with care. */
export async function benchPlanner(report) {
  const calls = Number(option('calls', 600));
  const cases = [
    { name: '1 step, median', steps: 1 },
    { name: '5 steps, one sample', steps: 5, decode: 'sample' },
    { name: '5 steps, 16 samples', steps: 5, decode: 'sample', samples: 16 },
  ];
  const inputs = await observations(64);

  for (const threads of [1, 2]) {
    const planner = await Planner.load(option('model', 'mini'), { threads });
    for (const { name, ...base } of cases) {
      for (const cache of base.steps === 1 ? [true] : [true, false]) {
        const count = base.samples ? Math.ceil(calls / 8) : calls;
        const us = [];
        for (let i = -50; i < count; i++) {
          const began = performance.now();
          planner.planSync(inputs[(i + 50) % inputs.length], { ...base, cache, seed: i + 50 });
          if (i >= 0) us.push((performance.now() - began) * 1000);
        }
        report({
          bench: `planSync: ${name}${cache ? '' : ', prefix recomputed'}`,
          threads,
          p50Us: percentile(us, 50),
          p99Us: percentile(us, 99),
          calls: count,
        });
      }
    }
    const us = [];
    for (let i = -50; i < calls; i++) {
      const began = performance.now();
      await planner.plan(inputs[(i + 50) % inputs.length], { steps: 1 });
      if (i >= 0) us.push((performance.now() - began) * 1000);
    }
    report({
      bench: 'plan (async): 1 step, median',
      threads,
      p50Us: percentile(us, 50),
      p99Us: percentile(us, 99),
      calls,
    });
    if (threads === 1) report({ bench: 'memory of a planner', ...planner.memory() });
    await planner.close();
  }

  const examples = new URL('../examples', import.meta.url).pathname;
  const folder = option('data', examples);
  const data = await readScenarios(folder);
  const output = option('output', new URL('../out/bench-train', import.meta.url).pathname);
  for (const threads of [1, 2]) {
    const steps = 40;
    let began;
    let rate = 0;
    for await (const event of train({
      stage: 'sft',
      model: 'mini',
      data,
      splits: [folder === examples ? 'example' : 'train'],
      output,
      steps,
      threads,
      overwrite: true,
    })) {
      if (event.type === 'start') began = performance.now();
      if (event.type === 'step') rate = event.step / ((performance.now() - began) / 1000);
    }
    report({ bench: 'training step, 32 windows x 3 copies', threads, msPerUpdate: 1000 / rate });
  }
}
