// Suite `workloads`: the native program on all workloads, with the floor of the machine beside each figure.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/paths.mjs';
import { baselineOf, precisionOf, ratios, regressions, tolerance } from '../baseline.mjs';
import { cpuKey, describeMachine } from '../machine.mjs';
import { flag, option } from '../options.mjs';
import { textTable } from '../table.mjs';
import { catalogue } from './catalogue.mjs';
import { floorOf, limitsOf } from './floor.mjs';
import { findProgram, notBuilt } from './program.mjs';
import { agree, combine, groupBy, median } from './rounds.mjs';
import { measure } from './run.mjs';

const kOurs = 'wam-flow-';

/** Adds `gflops`, `floorMs`, `bound` and `overFloor` to rows of `combine`. */
export function withFloors(rows, lines) {
  const work = catalogue();
  const limits = new Map();
  return rows.map((row) => {
    const own = work.get(row.workload);
    if (own === undefined) return row;
    if (!limits.has(row.threads)) limits.set(row.threads, limitsOf(lines, row.threads));
    const { ms, bound } = floorOf(limits.get(row.threads), own, row.threads, precisionOf(row.peer));
    return {
      ...row,
      gflops: own.flops / row.leastMs / 1e6,
      floorMs: ms,
      bound,
      overFloor: row.leastMs / ms,
    };
  });
}

/** Where a peer's outputs are not ours. */
export function disagreements(rows) {
  return rows.filter(({ workload, peer, check }) => {
    if (peer.startsWith(kOurs)) return false;
    const ours = rows.find((row) => row.workload === workload && row.peer.startsWith(kOurs));
    return ours !== undefined && !agree(ours.check, check);
  });
}

/** The table of a run; with several programs or precisions among the rows, our speed over each, by least times. */
export function workloadTable(rows) {
  const measured = rows.filter(({ workload }) => !workload.startsWith('reference.'));
  const peers = new Set(measured.map(({ peer }) => peer.replace(/-prepacked$/, ''))).size > 1;
  const oursOf = (row) =>
    measured.find(
      ({ workload, threads, peer }) =>
        workload === row.workload && threads === row.threads && peer.startsWith(kOurs),
    );
  const heads = 'workload|threads|median ms|least ms|GFLOP/s|floor ms|x floor|bound'.split('|');
  const order = (row) => [row.threads, measured.findIndex((r) => r.workload === row.workload)];
  const sorted = [...measured].sort((a, b) => {
    const [at, ai] = order(a);
    const [bt, bi] = order(b);
    return at - bt || ai - bi;
  });
  return textTable(
    [...heads, ...(peers ? ['peer', 'our speed'] : [])],
    sorted.map((row) => [
      row.workload,
      row.threads,
      `${row.ms.toPrecision(4)}${row.disturbed ? ' *' : ''}`,
      row.leastMs,
      row.gflops,
      row.floorMs,
      row.overFloor,
      row.bound ?? '',
      ...(peers
        ? [
            row.peer,
            !oursOf(row) || row === oursOf(row) ? undefined : row.leastMs / oursOf(row).leastMs,
          ]
        : []),
    ]),
  );
}

/** The median over rounds, and the best of any repetition. */
function limitTable(lines) {
  const groups = groupBy(lines, ({ limit, threads }) => `${limit} ${threads}`);
  return textTable(
    ['limit', 'threads', 'median', 'best', 'unit'],
    [...groups.values()].map((rounds) => {
      const [{ limit, threads, unit }] = rounds;
      const best = rounds.map((line) => line.best);
      const least = unit === 'ns';
      return [
        ...[limit, threads, median(rounds.map((line) => line.median))],
        ...[least ? Math.min(...best) : Math.max(...best), unit],
      ];
    }),
  );
}

function baselinePath() {
  return option('baseline', join(root, 'bench', 'baseline', `${cpuKey()}.json`));
}

/** Rows that a baseline is about: ours and the reference loops. */
const ownRows = (rows) =>
  rows.filter(({ workload, peer }) => peer.startsWith(kOurs) || workload.startsWith('reference.'));

/** The instruction set of a run: ratios of one say nothing about another. */
const isaOf = (rows) => rows.find(({ peer }) => peer.startsWith(kOurs)).peer.split('-')[2];

/** Rows of `withFloors`. */
function saveBaseline(rows) {
  const path = baselinePath();
  const before = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  const machine = describeMachine();
  const isa = isaOf(rows);
  const saved = { ...before.isas?.[isa], ...baselineOf(ownRows(rows), ({ bound }) => bound) };
  const text = JSON.stringify(
    { cpu: machine.cpu, commit: machine.commit, isas: { ...before.isas, [isa]: saved } },
    undefined,
    2,
  );
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `${text}\n`);
  return path;
}

/** Regressions that stay when their workloads are measured again, twice at most: the least of all rounds counts. */
async function confirmed(options, lines) {
  const { isas } = JSON.parse(readFileSync(baselinePath(), 'utf8'));
  const all = [...lines];
  for (let again = 0; ; again++) {
    const rows = combine(all);
    const slower = regressions(isas[isaOf(rows)] ?? {}, ratios(ownRows(rows)));
    if (slower.length === 0 || again === 2) return slower;
    const only = [...new Set(slower.map(({ key }) => key.split(' ')[0]))].join(',');
    all.push(...(await measure({ ...options, only, peers: [] })));
  }
}

export async function benchWorkloads(report) {
  const wanted =
    flag('check') || flag('save-baseline') || flag('peers') || option('only', '') !== '';
  if (findProgram() === undefined) {
    if (wanted) throw new Error(notBuilt);
    report({ bench: 'workloads', skipped: notBuilt });
    return;
  }
  if (flag('check') && !existsSync(baselinePath())) {
    throw new Error(`no baseline for this CPU model: ${baselinePath()}; --save-baseline makes one`);
  }
  const options = {
    threads: option('threads', '1,2').split(',').map(Number),
    only: option('only', ''),
    rounds: Number(option('rounds', 3)),
    quick: !flag('long'),
    isa: option('isa', undefined),
    precisions: option('precision', 'fp32').split(','),
    peers: flag('peers') ? await (await import('../peers/onnxruntime.mjs')).prepare() : [],
  };
  const json = flag('json');
  const machine = describeMachine();
  if (json) console.log(JSON.stringify(machine));
  const lines = await measure(options, (line) => {
    if (json) console.log(JSON.stringify(line));
  });
  const rows = withFloors(combine(lines), lines);
  if (!json) printRun(machine, options, lines, rows);
  for (const { workload, peer } of disagreements(rows)) {
    console.error(`${workload}: the outputs of ${peer} are not ours`);
    process.exitCode = 1;
  }
  if (flag('save-baseline')) console.error(`baseline: ${saveBaseline(rows)}`);
  if (flag('check')) {
    const slower = await confirmed(options, lines);
    for (const { key, ratio, was } of slower) {
      console.error(
        `${key}: ${ratio.toPrecision(3)} of the reference loop, ${was.toPrecision(3)} in the baseline`,
      );
    }
    console.error(
      slower.length === 0
        ? `no workload is more than ${tolerance * 100} % slower than the baseline`
        : `${slower.length} workloads are more than ${tolerance * 100} % slower than the baseline`,
    );
    if (slower.length > 0) process.exitCode = 1;
  }
}

function printRun(machine, options, lines, rows) {
  const { cpu, cpuKey: key, processors, system, node, version, commit, load } = machine;
  console.log(
    `${cpu} (${key}), ${processors} processors, ${system}, Node ${node}, wam-flow ${version} ${commit ?? ''}`,
  );
  const build = lines.find(({ compiler }) => compiler !== undefined);
  if (build !== undefined) console.log(`native: ${build.compiler}, ${build.isa}`);
  console.log(
    `load ${load.join(' ')} before, ${loadavg()
      .map((l) => l.toFixed(2))
      .join(' ')} after`,
  );
  if (load[0] > 0.5) console.log('other work was running: compare least times and ratios only');
  console.log(`${options.rounds} rounds; ${options.quick ? '0.3' : '1'} s a workload at least\n`);
  console.log(limitTable(lines.filter(({ limit }) => limit !== undefined)));
  console.log(`\n${workloadTable(rows)}`);
  if (rows.some(({ disturbed }) => disturbed)) {
    console.log(
      '\n* fewer than three repetitions without an involuntary context switch in every round',
    );
  }
  console.log();
}
