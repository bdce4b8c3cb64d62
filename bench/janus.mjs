// Janus-1.5B at its own size: loading, memory, plans and a training step, each in a process of its own so that its peak is
// its own. Random weights do: `node scripts/random-janus.mjs --vocab 122401 --shards 2 --output DIR`.
//
//   npm run bench:janus -- --model DIR [--only bf16-plans,embed-step] [--threads 2] [--cold] [--json]

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspectCheckpoint, loadModel, VlaTrainer, vlaTrainingMemory } from '../dist/index.js';
import { describeMachine } from './machine.mjs';
import { flag, option } from './options.mjs';
import { textTable } from './table.mjs';

// A picture, a question of some length, and an answer of sixteen numbers between commas: the length of the published prompt.
const kTokens = 1076;
const kAnswer = 33;
const kImageAt = 12;
const kNumbers = 20_001;
const kSpare = 1806; // rows that the table of 122,401 has behind its numbers, about: any would do for times
const kPositions = Array.from({ length: 16 }, (_, i) => kTokens - kAnswer + 1 + 2 * i);

/** Gigabytes that this process has now, and had at most. */
function memory() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const gb = (name) => (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) * 1024) / 1e9;
  return { residentGb: gb('VmRSS'), peakGb: gb('VmHWM') };
}

async function timed(name, work) {
  const began = performance.now();
  const cpu = process.cpuUsage();
  const result = await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return [{ name, seconds, cpuSeconds: (user + system) / 1e6, ...memory() }, result];
}

function sequence({ language, vision }) {
  const numeric = { begin: language.vocab_size - kNumbers - kSpare, end: 0 };
  numeric.end = numeric.begin + kNumbers;
  const size = vision.image_size;
  return {
    numeric,
    input: {
      ids: Int32Array.from({ length: kTokens }, (_, i) => (i * 7919) % 100_000),
      imageMask: new Uint8Array(kTokens).fill(1, kImageAt, kImageAt + vision.image_tokens),
      pixels: Float32Array.from({ length: 3 * size * size }, (_, i) => Math.sin(i * 0.01)),
      mask: 'prefix',
      prefixRows: kTokens - kAnswer,
    },
  };
}

const same = (a, b) => a.every((value, i) => value === b[i]);

async function plans(directory, precision, threads) {
  const { config } = await inspectCheckpoint(directory);
  const { input, numeric } = sequence(config);
  const options = { precision, threads, maxTokens: kTokens, device: 'cpu', numeric };
  const [load, model] = await timed('load', () => loadModel(directory, options));
  const rows = [load];
  const outputs = {};
  const request = { ...input, positions: kPositions, rule: 'integrated' };
  const cases = {
    '1 step': { range: numeric, steps: 1 },
    '5 steps, prefix kept': { range: numeric, steps: 5 },
    '5 steps, all rows each': { range: numeric, steps: 5, keepPrefix: false },
    '1 step, whole vocabulary': { steps: 1 },
    '5 steps, whole vocabulary': { steps: 5 },
  };
  for (const [name, more] of Object.entries(cases)) {
    const [row, out] = await timed(name, () => model.sample({ ...request, ...more }));
    outputs[name] = out;
    const { visionMs, prefixMs, stepMs } = out.timing;
    rows.push({ ...row, visionMs, prefixMs, stepMs: [...stepMs] });
  }
  await model.close();
  const [kept, again] = ['5 steps, prefix kept', '5 steps, all rows each'].map((k) => outputs[k]);
  if (!same(kept.final, again.final) || !same(kept.states, again.states)) {
    throw new Error('a kept prefix changed tokens');
  }
  return rows;
}

async function trainingStep(directory, options) {
  const { config } = await inspectCheckpoint(directory);
  const { input, numeric } = sequence(config);
  const copies = 2;
  const form = { ...options, maxTokens: kTokens + (copies - 1) * kAnswer, maxCopies: copies };
  if (options.triplet)
    form.triplet = { ...options.triplet, firstId: numeric.begin, count: kNumbers };
  const planned = await vlaTrainingMemory(directory, form);
  const [load, trainer] = await timed('load', () => VlaTrainer.load(directory, form));
  const counted = new Uint8Array(kTokens);
  const targets = input.ids.slice();
  for (const at of kPositions) {
    counted[at] = 1;
    targets[at] = numeric.begin + 10_000 + at;
  }
  const noise = { times: [0.3, 0.7], seed: 1 };
  const example = { ...input, targets, counted, range: numeric, noise };
  const [step, result] = await timed('step of one conversation', () =>
    trainer.step([example], 1e-5),
  );
  if (!Number.isFinite(result.loss) || !(result.gradNorm > 0)) throw new Error('no step was made');
  await trainer.close();
  return [load, { ...step, plannedGb: planned.total / 1e9 }];
}

const kCases = {
  'bf16-plans': (model, threads) => plans(model, 'bf16', threads),
  'int8-plans': (model, threads) => plans(model, 'int8', threads),
  'embed-step': (model, threads) =>
    trainingStep(model, { trainable: 'embed', recompute: true, threads, triplet: { batch: 1024 } }),
  'lora-step': (model, threads) =>
    trainingStep(model, { lora: { rank: 16 }, recompute: true, threads }),
};

const directory = option('model');
const threads = Number(option('threads', 2));
if (directory === undefined) {
  process.stderr.write('bench: --model DIR, a Janus directory\n');
  process.exitCode = 1;
} else if (option('case')) {
  process.stdout.write(JSON.stringify(await kCases[option('case')](directory, threads)));
} else {
  const only = option('only', Object.keys(kCases).join(',')).split(',');
  const report = { ...describeMachine(), threads, cold: flag('cold'), cases: {} };
  for (const name of only) {
    if (!Object.hasOwn(kCases, name)) throw new Error(`--only: ${Object.keys(kCases)}`);
    process.stderr.write(`${name}\n`);
    if (flag('cold')) writeFileSync('/proc/sys/vm/drop_caches', '3'); // as root alone
    const self = [fileURLToPath(import.meta.url), '--model', directory, '--threads', `${threads}`];
    const text = execFileSync(process.execPath, [...self, '--case', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    report.cases[name] = JSON.parse(text);
  }
  if (flag('json')) process.stdout.write(`${JSON.stringify(report, undefined, 1)}\n`);
  else {
    const rows = Object.entries(report.cases).flatMap(([name, list]) =>
      list.map((r) => [name, r.name, r.seconds, r.cpuSeconds, r.residentGb, r.peakGb, r.plannedGb]),
    );
    const heads = ['case', 'what', 's', 'cpu s', 'resident GB', 'peak GB', 'planned GB'];
    process.stdout.write(`${textTable(heads, rows)}\n`);
  }
}
