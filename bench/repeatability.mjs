// How far "same seed, same plan" goes: plans for many seeds on one and two threads, alone and in a batch of eight, and on
// every instruction set of this machine, compared token by token.
//
//   node bench/repeatability.mjs [--seeds 1000] [--data DIR --split val] [--json]
//
// AVX2 and AVX-512 compute the same bits. The portable kernels round differently (no fused multiply-add), so a draw that
// falls within rounding of a boundary may differ; how many do, and by how much their plans, is what this prints.

import { Planner } from '../dist/index.js';
import { observations } from './observations.mjs';
import { flag, option } from './options.mjs';

const seeds = Number(option('seeds', 1000));
const inputs = await observations(64);
/** Largest difference of any pose value, metres or radians. */
function furthest(got, expected) {
  return Math.max(
    ...got.map((plan, i) =>
      Math.max(...plan.trajectory.map((value, k) => Math.abs(value - expected[i].trajectory[k]))),
    ),
  );
}

const modes = [
  { steps: 5, decode: 'sample' },
  { steps: 5, decode: 'argmax' },
];
const reference = await Planner.load(option('model', 'mini'), { threads: 1 });

async function plansOf(planner, batch, options) {
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

const variants = [
  { name: 'two threads', load: { threads: 2 } },
  { name: 'batch of 8', batch: 8 },
  ...['avx512', 'avx2', 'portable']
    .filter((isa) => isa !== reference.isa)
    .map((isa) => ({ name: isa, load: { isa } })),
];

const rows = [];
for (const mode of modes) {
  const expected = await plansOf(reference, 1, mode);
  for (const { name, load = {}, batch = 1 } of variants) {
    let planner;
    try {
      planner = await Planner.load(option('model', 'mini'), { threads: 1, ...load });
    } catch (error) {
      if (error.code !== 'ERR_DEVICE_UNAVAILABLE') throw error;
      continue; // this machine has not got that instruction set
    }
    const got = await plansOf(planner, batch, mode);
    await planner.close();
    const differ = got.flatMap((plan, i) =>
      plan.tokens[0].every((token, k) => token === expected[i].tokens[0][k]) ? [] : [i],
    );
    rows.push({
      variant: name,
      against: reference.isa,
      decode: mode.decode,
      seeds,
      differ: differ.length,
      // Of argmax: the least gap of two logits that a choice hung on, over all seeds and over those that differ.
      leastMargin: Math.min(...expected.map(({ margin }) => margin)),
      differingMargins: differ.map((i) => expected[i].margin),
      furthestPose: furthest(got, expected),
      confidenceGap: Math.max(
        ...got.map((p, i) => Math.abs(p.confidence - expected[i].confidence)),
      ),
    });
  }
}
await reference.close();
for (const row of rows) console.log(flag('json') ? JSON.stringify(row) : row);
