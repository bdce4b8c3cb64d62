// npm run results: plans and scores every checkpoint and writes the tables and the figure of docs/results.md.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { selectWindows } from '../../lib/eval/select-windows.js';
import { generateScenarios } from '../../lib/generate/generate.js';
import { readScenarios } from '../../lib/scenario/read.js';
import { fillBlocks } from './fill-blocks.js';
import { type Measurement, measure, nameOf, type Result, timeContenders } from './measure.js';
import { type Contender, describeMode, kBundled, kContenders, kSeeds, type Mode } from './rows.js';
import { scatterSvg } from './scatter-svg.js';
import { bestModes, byName, differenceTable, resultTable } from './tables.js';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/driving-data' },
    checkpoints: { type: 'string', default: 'bench/checkpoints' },
    generated: { type: 'string', default: '600' },
    'latency-calls': { type: 'string', default: '200' },
    only: { type: 'string', multiple: true },
    // The page and the figure again from the figures in --json; with new times, for a quiet moment of the machine.
    tables: { type: 'boolean', default: false },
    times: { type: 'boolean', default: false },
    json: { type: 'string', default: 'docs/results.json' },
    page: { type: 'string', default: 'docs/results.md' },
    figure: { type: 'string', default: 'docs/results.svg' },
  },
});

/** Seed of the held-back generated scenes; training scenes are of seed 1. */
const kHeldSeed = 900;
const kOneStepSearch = 'sample, 1 step, comonotone, search of 16';
const kPairs: readonly (readonly [string, string])[] = [
  // The parts of the method, each against what it is added to.
  ['aligned/median, 1 step', 'flow/median, 1 step'],
  ['aligned/sample, 1 step', 'flow/sample, 1 step'],
  ['aligned/sample, 5 steps', 'flow/sample, 5 steps'],
  ['averaged/median, 1 step', 'flow/median, 1 step'],
  ['averaged/sample, 1 step', 'flow/sample, 1 step'],
  ['averaged/sample, 5 steps', 'flow/sample, 5 steps'],
  ['averaged/median, 1 step', 'aligned/median, 1 step'],
  ['distilled/median, 1 step', 'flow/median, 1 step'],
  ['distilled/sample, 1 step', 'flow/sample, 1 step'],
  // Steps and couplings.
  ['flow/sample, 5 steps', 'flow/sample, 1 step'],
  ['flow/sample, 1 step, comonotone', 'flow/sample, 1 step'],
  ['flow/sample, 5 steps', 'flow/sample, 1 step, comonotone'],
  ['averaged/sample, 5 steps', 'averaged/sample, 1 step, comonotone'],
  ['averaged/median, 1 step', 'averaged/sample, 5 steps'],
  ['flow/sample, 5 steps', 'mixture/sample, 5 steps'],
  // Against the other decoders, each in its best mode.
  ['flow/median, 1 step', 'mixture/median, 1 step'],
  ['averaged/median, 1 step', 'regression/median, 1 step'],
  ['averaged/median, 1 step', 'autoregressive/median, 1 step'],
  ['averaged/median, 1 step', 'diffusion/median, 1 step'],
  ['averaged/median, 1 step', 'mixture/median, 1 step'],
  // Search.
  [`averaged/${kOneStepSearch}`, 'averaged/median, 1 step'],
  [`averaged/${kOneStepSearch}`, 'averaged/sample, 1 step, comonotone'],
  [`averaged/${kOneStepSearch}`, 'averaged/sample, 5 steps, search of 16'],
  [`averaged/${kOneStepSearch}`, `flow/${kOneStepSearch}`],
  [`averaged/${kOneStepSearch}`, 'regression/median, 1 step'],
  [`averaged/${kOneStepSearch}`, 'diffusion/median, 1 step'],
  [`averaged/${kOneStepSearch}`, 'mixture/median, 1 step'],
  [`averaged/${kOneStepSearch}`, 'autoregressive/median, 1 step'],
  [`averaged/${kOneStepSearch}`, `autoregressive/${kOneStepSearch}`],
  [`averaged/${kOneStepSearch}`, 'diffusion/sample, 2 steps, search of 16'],
  [`averaged/${kOneStepSearch}`, `mixture/${kOneStepSearch}`],
  // The plan before.
  ['averaged/median, 3 steps, warm start', 'averaged/median, 3 steps'],
  [`averaged/${kOneStepSearch}, plan before`, `averaged/${kOneStepSearch}`],
  ['averaged/sample, 5 steps, search of 16, plan before', 'averaged/sample, 5 steps, search of 16'],
  // The bundled model.
  ['mini/median, 1 step', 'mini-supervised/median, 1 step'],
  ['mini/sample, 1 step', 'mini-supervised/sample, 1 step'],
  ['mini/sample, 5 steps', 'mini-supervised/sample, 5 steps'],
  ['mini/median, 5 steps', 'mini-supervised/median, 5 steps'],
  [`mini/${kOneStepSearch}`, 'mini/median, 1 step'],
  [`mini/${kOneStepSearch}, plan before`, 'mini/median, 1 step'],
];

const begin = performance.now();
const wanted = (of: Contender) => !flags.only || flags.only.includes(of.key);
const seedsOf = (key: string) =>
  key.startsWith('mini')
    ? [0]
    : kSeeds.filter((seed) =>
        (kContenders.find((of) => of.key === key)?.averages ?? [key]).every((name) =>
          existsSync(`${flags.checkpoints}/${name}-${seed}`),
        ),
      );
const contenders = [...kContenders, ...kBundled].filter(
  (of) =>
    wanted(of) &&
    seedsOf(of.key).length > 0 &&
    (!of.key.startsWith('mini') || existsSync(`models/${of.key}`)),
);
const options = {
  folder: (key: string) => (key.startsWith('mini') ? 'models' : flags.checkpoints),
  seeds: seedsOf,
  // One model instead of three: more noise for the same precision.
  noiseSeeds: (key: string) => (key.startsWith('mini') ? 3 : 1),
  latencyCalls: Number(flags['latency-calls']),
  onProgress: (text: string) => {
    process.stderr.write(`${((performance.now() - begin) / 1000).toFixed(0)} s  ${text}\n`);
  },
};
let sets: Record<string, Measurement> = {};
const isMeasured = !flags.tables && !flags.times;
if (!isMeasured) {
  sets = JSON.parse(await readFile(flags.json, 'utf8'));
  if (flags.times) {
    const { windows } = selectWindows(await readScenarios(flags.data), 'val');
    const times = await timeContenders(windows, contenders, options);
    for (const result of sets.val!.results)
      result.latencyMs = times.get(nameOf(result)) ?? result.latencyMs;
  }
} else if (existsSync(flags.data)) {
  const { windows } = selectWindows(await readScenarios(flags.data), 'val');
  sets.val = await measure(windows, contenders, kPairs, options);
} else {
  process.stderr.write(`note: ${flags.data} is absent, recorded traffic is left out\n`);
}
const count = isMeasured ? Number(flags.generated) : 0;
if (count > 0) {
  const scenes = await generateScenarios({ windows: count, seed: kHeldSeed, valShare: 1 });
  const { windows } = selectWindows(scenes, 'all');
  sets.generated = await measure(windows, contenders, kPairs, { ...options, latencyCalls: 0 });
}
// The page shows what the file says, to the last rounding.
const text = linesOf(sets);
sets = JSON.parse(text);
await writeFile(flags.json, text);
await writePage();
process.stderr.write(
  `${flags.json}, ${flags.page}, ${flags.figure}: ${((performance.now() - begin) / 1000).toFixed(0)} s\n`,
);

async function writePage(): Promise<void> {
  const blocks: Record<string, string> = {};
  for (const [name, measurement] of Object.entries(sets)) {
    blocks[`${name}-main`] = resultTable(mainRows(measurement.results, sets.val ?? measurement));
    blocks[`${name}-all`] = resultTable(measurement.results);
    blocks[`${name}-differences`] = differenceTable(measurement);
    blocks[`${name}-size`] = `${measurement.windows} windows, ${measurement.egos} vehicles`;
  }
  if (sets.val) await writeFile(flags.figure, figure(sets.val.results));
  if (!existsSync(flags.page)) return;
  await writeFile(flags.page, fillBlocks(await readFile(flags.page, 'utf8'), blocks));
}

/** The rows of the main table: each contender in its best mode on val, and the modes that the aims are about. */
function mainRows(results: readonly Result[], chosenOn: Measurement): Result[] {
  const best = bestModes(chosenOn.results);
  const named = byName(results);
  const rows = results.filter(({ mode }) => mode === null);
  for (const { key, modes } of contenders) {
    const chosen = best.get(key)?.mode;
    const isBest = (mode: Mode) => chosen && describeMode(mode) === describeMode(chosen);
    for (const mode of modes) {
      const isAim =
        ['flow', 'distilled', 'aligned', 'averaged', 'mini', 'mini-supervised'].includes(key) &&
        ((mode.decode === 'sample' && mode.steps !== 3) ||
          (mode.decode === 'median' && mode.steps === 1));
      if (!isBest(mode) && !isAim && mode.samples === 1) continue;
      const row = named.get(`${key}/${describeMode(mode)}`);
      if (row) rows.push(row);
    }
  }
  return rows;
}

/** Equal compute, and not more points than can be told apart; all are in the table. */
function isShown({ key, mode }: Result): boolean {
  if (mode === null || mode.warmStart !== null) return false;
  if (key === 'autoregressive' && mode.coupling === 'comonotone') return false;
  return mode.decode === 'sample' || (mode.decode === 'median' && mode.steps === 1);
}

function figure(results: readonly Result[]): string {
  const series = contenders
    .filter(({ key }) => !['aligned', 'mini', 'mini-supervised'].includes(key))
    .map(({ key, title }) => ({
      name: title,
      points: results
        .filter((of) => of.key === key && isShown(of) && of.latencyMs && of.figures['pdms.score'])
        .map((of) => ({
          x: of.latencyMs!.p50,
          y: 100 * of.figures['pdms.score']!.mean,
          ...deviationBar(of),
          label: shortMode(of),
        })),
    }))
    .filter(({ points }) => points.length > 0);
  return scatterSvg({
    title: 'PDMS against the time of a plan (val, one thread)',
    x: 'median time of a plan, ms',
    y: 'PDMS, %',
    series,
  });
}

function deviationBar({ figures }: Result): { low?: number; high?: number } {
  const { mean, deviation } = figures['pdms.score']!;
  return deviation === null
    ? {}
    : { low: 100 * (mean - deviation), high: 100 * (mean + deviation) };
}

function shortMode({ mode }: Result): string {
  if (!mode) return '';
  const { decode, steps, coupling, samples, warmStart } = mode;
  const parts = [`${decode[0]}${steps}${coupling === 'comonotone' ? 'c' : ''}`];
  if (samples > 1) parts.push(`K${samples}`);
  if (warmStart !== null) parts.push(warmStart === 0 ? 'before' : 'warm');
  return parts.join(' ');
}

/** JSON with a line for each result and each difference. */
function linesOf(measurements: Record<string, Measurement>): string {
  const json = (value: unknown) => JSON.stringify(value, roundNumbers);
  const list = (items: readonly unknown[]) => `[\n${items.map(json).join(',\n')}\n]`;
  const parts = Object.entries(measurements).map(
    ([name, { windows, egos, results, differences }]) =>
      `${json(name)}: {"windows": ${windows}, "egos": ${egos},\n"results": ${list(results)},\n` +
      `"differences": ${list(differences)}}`,
  );
  return `{${parts.join(',\n')}}\n`;
}

function roundNumbers(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(5))
    : value;
}
