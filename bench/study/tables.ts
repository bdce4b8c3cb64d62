// The tables of docs/results.md from measurements.

import type { Figure, Measurement, Result } from './measure.js';
import { nameOf } from './measure.js';
import { describeMode } from './rows.js';

interface Column {
  title: string;
  text(result: Result): string;
}

const percent = (of: Figure | undefined) => (of ? (100 * of.mean).toFixed(1) : '');
const interval = ({ ci: [low, high] }: Figure) =>
  `${(100 * low).toFixed(1)}-${(100 * high).toFixed(1)}`;
const metres = (of: Figure | undefined) => (of ? of.mean.toFixed(2) : '');

const part = (title: string, name: string): Column => ({
  title,
  text: ({ figures }) => percent(figures[name]),
});

const score = (title: string, name: string): Column => ({
  title,
  text: ({ figures }) => {
    const of = figures[name];
    if (!of) return '';
    const spread = of.deviation === null ? '' : ` ±${(100 * of.deviation).toFixed(1)}`;
    return `${percent(of)} (${interval(of)})${spread}`;
  },
});

const kScores: readonly Column[] = [
  score('PDMS', 'pdms.score'),
  part('NC', 'pdms.noAtFaultCollisions'),
  part('DAC', 'pdms.drivableAreaCompliance'),
  part('TTC', 'pdms.timeToCollisionWithinBound'),
  part('C', 'pdms.comfort'),
  part('EP', 'pdms.egoProgress'),
  score('EPDMS', 'epdms.score'),
  part('LK', 'epdms.laneKeeping'),
  part('HC', 'epdms.comfort'),
  part('EC', 'epdms.extendedComfort'),
  { title: 'ADE', text: ({ figures }) => metres(figures.ade) },
  { title: 'FDE', text: ({ figures }) => metres(figures.fde) },
  {
    title: 'minADE',
    text: ({ figures, mode }) =>
      figures.minAde ? `${metres(figures.minAde)} (${Math.max(mode?.samples ?? 1, 6)})` : '',
  },
  { title: 'jerk', text: ({ figures }) => (figures.jerk ? figures.jerk.mean.toFixed(1) : '') },
  { title: 'passes', text: ({ mode }) => (mode ? String(mode.passes) : '') },
  { title: 'p50 ms', text: ({ latencyMs }) => (latencyMs ? latencyMs.p50.toFixed(2) : '') },
  { title: 'p99 ms', text: ({ latencyMs }) => (latencyMs ? latencyMs.p99.toFixed(2) : '') },
];

/** A Markdown table of results; columns that no row fills are left out. */
export function resultTable(
  results: readonly Result[],
  columns: readonly Column[] = kScores,
): string {
  const used = columns.filter((column) => results.some((result) => column.text(result) !== ''));
  const head = ['', 'plans', ...used.map(({ title }) => title)];
  const rows = results.map((result) => [
    result.title,
    result.mode ? describeMode(result.mode) : '',
    ...used.map((column) => column.text(result)),
  ]);
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** The mode of each contender with the highest PDMS, those that search, warm up or draw several plans left out. */
export function bestModes(results: readonly Result[]): Map<string, Result> {
  const best = new Map<string, Result>();
  for (const result of results) {
    const { key, mode } = result;
    if (!mode || mode.samples > 1 || mode.warmStart !== null) continue;
    const known = best.get(key);
    if (!known || pdms(result) > pdms(known)) best.set(key, result);
  }
  return best;
}

export function pdms({ figures }: Result): number {
  return figures['pdms.score']?.mean ?? Number.NaN;
}

const kDifferences = [
  ['PDMS', 'pdms.score', 100],
  ['NC', 'pdms.noAtFaultCollisions', 100],
  ['DAC', 'pdms.drivableAreaCompliance', 100],
  ['TTC', 'pdms.timeToCollisionWithinBound', 100],
  ['C', 'pdms.comfort', 100],
  ['EP', 'pdms.egoProgress', 100],
  ['EPDMS', 'epdms.score', 100],
  ['EC', 'epdms.extendedComfort', 100],
  ['ADE m', 'ade', 1],
] as const;

/** Paired differences with their 95 % intervals; those that exclude 0 are bold. */
export function differenceTable({ differences }: Measurement): string {
  const used = kDifferences.filter(([, name]) => differences.some(({ figures }) => figures[name]));
  const head = ['a less b', ...used.map(([title]) => title)];
  const rows = differences.map(({ a, b, figures }) => [
    `${a} less ${b}`,
    ...used.map(([, name, scale]) => {
      const of = figures[name];
      if (!of) return '';
      const digits = scale === 1 ? 3 : 1;
      const text = `${signed(of.mean * scale, digits)} (${signed(of.ci[0] * scale, digits)}, ${signed(of.ci[1] * scale, digits)})`;
      return of.ci[0] > 0 || of.ci[1] < 0 ? `**${text}**` : text;
    }),
  ]);
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(digits)}`;
}

/** Result by `key/mode`. */
export function byName(results: readonly Result[]): Map<string, Result> {
  return new Map(results.map((result) => [nameOf(result), result]));
}
