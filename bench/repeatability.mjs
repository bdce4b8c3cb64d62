// How far "same seed, same plan" goes: plans for many seeds on one and two threads, alone and in a batch of eight, and on
// every instruction set of this machine, compared token by token.
//
//   node bench/repeatability.mjs [--seeds 1000] [--data DIR --split val] [--json]
//
// AVX2 and AVX-512 compute the same bits. The portable kernels round differently (no fused multiply-add), so a draw that
// falls within rounding of a boundary may differ; how many do, and by how much their plans, is what this prints.

import { Planner } from '../dist/index.js';
import { flag, observations, option } from './observations.mjs';

const seeds = Number(option('seeds', 1000));
const inputs = await observations(64);
const options = { steps: 5, decode: 'sample', samples: 1 };
const reference = await Planner.load(option('model', 'mini'), { threads: 1 });

async function plansOf(planner, batch) {
  const plans = [];
  for (let seed = 0; seed < seeds; seed++) {
    const observation = inputs[seed % inputs.length];
    if (batch === 1) {
      plans.push(planner.planSync(observation, { ...options, seed }));
      continue;
    }
    // The batch shares its seed: fill it with other observations around the one that counts.
    const others = Array.from({ length: batch }, (_, i) => inputs[(seed + i) % inputs.length]);
    plans.push((await planner.planBatch(others, { ...options, seed }))[0]);
  }
  return plans;
}

const expected = await plansOf(reference, 1);
const variants = [{ name: 'two threads', load: { threads: 2 } }, { name: 'batch of 8', batch: 8 }];
for (const isa of ['avx512', 'avx2', 'portable']) {
  if (isa !== reference.isa) variants.push({ name: isa, load: { isa } });
}
const rows = [];
for (const { name, load = {}, batch = 1 } of variants) {
  let planner;
  try {
    planner = await Planner.load(option('model', 'mini'), { threads: 1, ...load });
  } catch (error) {
    if (error.code !== 'ERR_DEVICE_UNAVAILABLE') throw error;
    continue;
  }
  const got = await plansOf(planner, batch);
  let differ = 0;
  let furthest = 0;
  let logProbability = 0;
  got.forEach((plan, i) => {
    logProbability = Math.max(logProbability, Math.abs(plan.confidence - expected[i].confidence));
    if (plan.tokens[0].every((token, k) => token === expected[i].tokens[0][k])) return;
    differ++;
    for (let k = 0; k < plan.trajectory.length; k++) {
      furthest = Math.max(furthest, Math.abs(plan.trajectory[k] - expected[i].trajectory[k]));
    }
  });
  rows.push({ variant: name, against: reference.isa, seeds, differ, furthest, confidenceGap: logProbability });
  await planner.close();
}
await reference.close();
for (const row of rows) console.log(flag('json') ? JSON.stringify(row) : row);
