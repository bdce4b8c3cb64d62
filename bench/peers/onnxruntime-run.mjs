// Times onnxruntime-node on W1, W2 and W3. One process for each number of threads: spinning pools of several
// would disturb each other.
//   PEER_NODE_MODULES=FOLDER node bench/peers/onnxruntime-run.mjs --threads 2 --round 1 [--only W1c] [--quick]

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { catalogue } from '../workloads/catalogue.mjs';
import { threads, time, wanted } from './harness.mjs';
import { checksum, signedValues } from './inputs.mjs';
import {
  attentionModel,
  PlannerModels,
  planner,
  plannerIds,
  plannerPrefix,
  productModel,
} from './models.mjs';

const require = createRequire(join(process.env.PEER_NODE_MODULES, 'x.js'));
const ort = require('onnxruntime-node');
const name = `ort-${require('onnxruntime-node/package.json').version}`;

const load = (model) =>
  ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
  });
const floats = (values, ...shape) => new ort.Tensor('float32', values, shape);
const wholes = (values, ...shape) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape);
const all = [...catalogue()];
const gflopOf = new Map(all.map(([workload, { flops }]) => [workload, flops / 1e9]));
const run = (workload, kind, work, check) =>
  time(workload, `${name}-${kind}`, gflopOf.get(workload), work, check);

/** All steps, each on the tokens of the one before; the result of the last. */
async function eachStep(session, inputs, ids, step) {
  let result = { next: ids };
  for (const [i, number] of step.entries()) {
    const outputs = i + 1 === step.length ? ['logits', 'next'] : ['next'];
    result = await session.run({ ...inputs, ids: result.next, step: number }, outputs);
  }
  return result;
}

async function plannerWorkloads(kind) {
  const batches = [1, 8, 64];
  const any = (variants) =>
    batches.some((batch) => variants.some((v) => wanted(`W1${v}.B${batch}`)));
  if (!any(['a', 'b', 'c', 'd'])) return;
  const models = new PlannerModels(kind === 'fused');
  const full = any(['a', 'b']) ? await load(models.full()) : undefined;
  const prefill = any(['c', 'd']) ? await load(models.prefill()) : undefined;
  const cached = any(['c', 'd']) ? await load(models.cachedStep()) : undefined;
  const step = Array.from({ length: planner.steps }, (_, i) => wholes([i]).reshape([]));
  const check = ({ logits, next }) => ({ logits: checksum(logits.data), ids: checksum(next.data) });
  for (const batch of batches) {
    const prefix = floats(plannerPrefix(batch), batch, planner.prefix, planner.hidden);
    const ids = wholes(plannerIds(batch), batch, planner.actions);
    const first = { ids, step: step[0] };
    if (wanted(`W1a.B${batch}`)) {
      await run(`W1a.B${batch}`, kind, () => full.run({ prefix, ...first }), check);
    }
    if (wanted(`W1b.B${batch}`)) {
      await run(`W1b.B${batch}`, kind, () => eachStep(full, { prefix }, ids, step), check);
    }
    if (wanted(`W1c.B${batch}`)) {
      const steps = async () => eachStep(cached, await prefill.run({ prefix }), ids, step);
      await run(`W1c.B${batch}`, kind, steps, check);
      const one = await load(models.unrolled());
      await run(`W1c.B${batch}`, `${kind}-unrolled`, () => one.run({ prefix, ids }), check);
      await one.release();
    }
    if (wanted(`W1d.B${batch}`)) {
      const cache = await prefill.run({ prefix });
      await run(`W1d.B${batch}`, kind, () => cached.run({ ...cache, ...first }), check);
    }
  }
  for (const session of [full, prefill, cached]) await session?.release();
}

/** [1, N, heads * dim] -> values in the order of [1, heads, N, dim]. */
function byHead(values, count, rows, dim) {
  return Float32Array.from(values, (_, i) => {
    const h = Math.floor(i / (rows * dim));
    const row = Math.floor(i / dim) % rows;
    return values[(row * count + h) * dim + (i % dim)];
  });
}

async function attentionWorkload(workload) {
  const [, rows, count, dim] = /^W2\.N(\d+)\.h(\d+)x(\d+)$/.exec(workload).map(Number);
  const inputs = Object.fromEntries(
    ['q', 'k', 'v'].map((key) => [
      key,
      floats(signedValues(`W2.${key}`, count * rows * dim), 1, count, rows, dim),
    ]),
  );
  const unfused = await load(attentionModel(count, dim, false));
  await run(
    workload,
    'unfused',
    () => unfused.run(inputs),
    ({ o }) => checksum(o.data),
  );
  const fused = await load(attentionModel(count, dim, true));
  await run(
    workload,
    'fused',
    () => fused.run(inputs),
    ({ o }) => checksum(byHead(o.data, count, rows, dim)),
  );
}

async function productWorkload(workload) {
  const [m, k, n] = workload.slice('W3.'.length).split('x').map(Number);
  const session = await load(productModel(k, n));
  const a = floats(signedValues('W3.a', m * k), m, k);
  await run(
    workload,
    'prepacked',
    () => session.run({ a }),
    ({ c }) => checksum(c.data),
  );
}

for (const kind of ['plain', 'fused']) await plannerWorkloads(kind);
for (const [workload] of all) {
  if (!wanted(workload)) continue;
  if (workload.startsWith('W2.')) await attentionWorkload(workload);
  if (workload.startsWith('W3.')) await productWorkload(workload);
}
