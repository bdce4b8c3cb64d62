// JSON lines of runs with peers -> how many times as fast we are, against the goals, as Markdown.
//   node bench/report.mjs results.jsonl [more.jsonl] [--goals FILE]

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { markdownTable } from './table.mjs';
import { agree, combine, groupBy } from './workloads/rounds.mjs';

const kOurs = '^wam-flow-(avx512|avx2|portable)(-prepacked)?$';

/**
 * One entry for each workload of each goal and each number of threads that has figures of both sides:
 * { workload, against, threads, peer, oursMs, peerMs, ratio, goal, met, agrees }. Least times; of several peers that a
 * goal names, the fastest.
 */
export function compare(goals, rows) {
  const fastest = (workload, threads, pattern) =>
    rows
      .filter(
        (row) =>
          row.workload === workload &&
          row.threads === threads &&
          new RegExp(pattern).test(row.peer),
      )
      .sort((a, b) => a.leastMs - b.leastMs)[0];
  return goals.flatMap(({ workloads, ours, against, peers, peerVariant, goals: wanted }) =>
    workloads.flatMap((workload) =>
      Object.entries(wanted).flatMap(([count, goal]) => {
        const threads = Number(count);
        const own = fastest(workload, threads, ours ?? kOurs);
        const other = fastest(peerVariant ?? workload, threads, peers);
        if (own === undefined || other === undefined) return [];
        const ratio = other.leastMs / own.leastMs;
        return [
          {
            ...{ workload, against, threads, peer: other.peer },
            ...{ oursMs: own.leastMs, peerMs: other.leastMs, ratio, goal, met: ratio >= goal },
            // Narrow weights are judged by plans, not by their logits.
            agrees: ours !== undefined || agree(own.check, other.check),
          },
        ];
      }),
    ),
  );
}

/** A line for each workload and opponent, the numbers of threads side by side. */
export function goalTable(entries) {
  const threads = [...new Set(entries.map((entry) => entry.threads))].sort((a, b) => a - b);
  const lines = groupBy(entries, ({ workload, against }) => `${workload} ${against}`);
  const heads = threads.flatMap((t) => [`ours / peer ms, ${t} T`, `ratio (goal), ${t} T`]);
  const ms = (value) => Number(value.toPrecision(3));
  return markdownTable(
    ['workload', 'against', ...heads, 'outputs agree'],
    [...lines.values()].map((own) => [
      own[0].workload,
      own[0].against,
      ...threads.flatMap((t) => {
        const entry = own.find((e) => e.threads === t);
        if (entry === undefined) return ['', ''];
        const ratio = `${entry.ratio.toFixed(2)} (${entry.goal})`;
        return [
          `${ms(entry.oursMs)} / ${ms(entry.peerMs)}`,
          entry.met ? `**${ratio}**` : `${ratio}, not reached`,
        ];
      }),
      own.every(({ agrees }) => agrees) ? 'yes' : 'NO',
    ]),
  );
}

/** Objects of the lines of a file that are JSON. */
export function readLines(path) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

function main(args) {
  const at = args.indexOf('--goals');
  const goals = at < 0 ? fileURLToPath(new URL('./goals.json', import.meta.url)) : args[at + 1];
  const files = at < 0 ? args : args.filter((_, i) => i !== at && i !== at + 1);
  if (files.length === 0) {
    console.error('usage: node bench/report.mjs RESULTS.jsonl [MORE.jsonl] [--goals FILE]');
    process.exit(2);
  }
  const rows = combine(files.flatMap(readLines));
  const entries = compare(JSON.parse(readFileSync(goals, 'utf8')), rows);
  console.log(goalTable(entries));
  const missed = entries.filter(({ met }) => !met);
  console.log(
    `\n${entries.length - missed.length} of ${entries.length} goals reached; least times of ${Math.max(0, ...rows.map(({ rounds }) => rounds))} rounds.`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
