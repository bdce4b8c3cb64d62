// What narrow weights change: plans of bf16 and int8 against those of fp32, on the same observations and seeds.
//
//   node bench/precision.mjs --data ../shared/driving-data --split val [--limit N] [--seeds N] [--model DIR] [--json]
//
// Waypoint differences in metres; ADE, FDE and PDMS beside fp32's with paired 95 % intervals; latency and memory.

import { evaluate, observationFromWindow, Planner, readScenarios } from '../dist/index.js';
import { flag, option, percentile } from './options.mjs';

const kPrecisions = ['fp32', 'bf16', 'int8'];
// `evaluate` pairs the rows of one planner with its first row. Here three step rules stand for three precisions, so that
// its rows are what this bench compares; every plan is made with the rule renoise.
const kStandIn = { renoise: 'fp32', integrated: 'bf16', released: 'int8' };
const kCases = [
  { name: '1 step, median', steps: 1, decode: 'median' },
  { name: '5 steps, sampled', steps: 5, decode: 'sample' },
  { name: '5 steps, sampled, the last by median', steps: 5, decode: 'sample-median' },
];

const examples = new URL('../examples', import.meta.url).pathname;
const folder = option('data', examples);
const data = await readScenarios(folder);
const split = option('split', folder === examples ? 'all' : 'val');
const limit = option('limit', undefined);
const model = option('model', 'mini');

const planners = {};
for (const precision of kPrecisions) {
  planners[precision] = await Planner.load(model, { device: 'cpu', precision });
}

/** Metres between the waypoints of two plans. */
function distances(a, b) {
  const out = [];
  for (let i = 0; i < a.length; i += 3) out.push(Math.hypot(a[i] - b[i], a[i + 1] - b[i + 1]));
  return out;
}

async function compare({ name, steps, decode }) {
  const plans = { fp32: new Map(), bf16: new Map(), int8: new Map() };
  const standIn = {
    async plan(observation, { rule, ...options }) {
      const precision = kStandIn[rule];
      const plan = await planners[precision].plan(observation, { ...options, rule: 'renoise' });
      const kept = options.samples > 1 ? plan.samples[0] : plan.trajectory;
      plans[precision].set(options.seed, kept.slice());
      return plan;
    },
  };
  const evaluation = await evaluate(standIn, data, {
    split,
    limit: limit === undefined ? undefined : Number(limit),
    steps: [steps],
    decode: [decode],
    rule: Object.keys(kStandIn),
    seeds: Number(option('seeds', '1')),
  });
  const rows = evaluation.rows.filter((row) => row.decode !== null);
  return rows.map((row) => {
    const precision = kStandIn[row.rule];
    const off = [];
    for (const [seed, plan] of plans.fp32) off.push(...distances(plan, plans[precision].get(seed)));
    const { ade, fde, difference, pdm } = row;
    return {
      plan: name,
      precision,
      windows: evaluation.n,
      medianM: percentile(off, 50),
      p95M: percentile(off, 95),
      maxM: Math.max(...off),
      ade,
      fde,
      pdms: pdm.pdms.score,
      difference: difference && {
        ade: difference.ade,
        fde: difference.fde,
        pdms: pdm.difference.pdms.score,
      },
    };
  });
}

/** The least and the median time of planSync, milliseconds, the precisions in turn. */
function latency({ name, ...options }, inputs, calls) {
  const ms = { fp32: [], bf16: [], int8: [] };
  for (let i = -20; i < calls; i++) {
    for (const precision of kPrecisions) {
      const began = performance.now();
      planners[precision].planSync(inputs[(i + 20) % inputs.length], { ...options, seed: i + 20 });
      if (i >= 0) ms[precision].push(performance.now() - began);
    }
  }
  return kPrecisions.map((precision) => ({
    latency: name,
    engine: planners[precision].engine,
    leastMs: Math.min(...ms[precision]),
    p50Ms: percentile(ms[precision], 50),
  }));
}

const kLatencies = [
  { name: '1 step', steps: 1 },
  { name: '5 steps', steps: 5, decode: 'sample' },
  { name: '5 steps, 16 samples', steps: 5, decode: 'sample', samples: 16 },
];
const rows = [];
const windows = data.windows.filter((window) => split === 'all' || window.split === split);
const inputs = windows.slice(0, 32).map((window) => observationFromWindow(window));
for (const one of kLatencies) rows.push(...latency(one, inputs, one.samples ? 40 : 300));
if (!flag('latency')) for (const one of kCases) rows.push(...(await compare(one)));
await Promise.all(Object.values(planners).map((planner) => planner.close()));

const interval = ({ mean, ci }, digits) =>
  `${mean.toFixed(digits)} [${ci.map((x) => x.toFixed(digits)).join(', ')}]`;
for (const row of rows) {
  if (flag('json')) {
    console.log(JSON.stringify(row));
  } else if (row.latency !== undefined) {
    const { latency: name, engine, leastMs, p50Ms } = row;
    console.log(`${name}, ${engine}: least ${leastMs.toFixed(3)} ms, p50 ${p50Ms.toFixed(3)} ms`);
  } else {
    const { plan, precision, windows: n, medianM, p95M, maxM, ade, fde, pdms, difference } = row;
    const scores = `ADE ${ade.toFixed(4)} FDE ${fde.toFixed(4)} PDMS ${pdms.toFixed(4)}`;
    if (difference === null) {
      console.log(`${plan}, ${n} windows, ${precision}: ${scores}`);
      continue;
    }
    const off = [medianM, p95M, maxM].map((x) => x.toFixed(4)).join(' / ');
    console.log(`  ${precision}: waypoints off by median / p95 / max ${off} m; ${scores}`);
    const { ade: a, fde: f, pdms: p } = difference;
    console.log(
      `    less fp32: ADE ${interval(a, 4)} FDE ${interval(f, 4)} PDMS ${interval(p, 4)}`,
    );
  }
}
