import type { ClosedLoopEvaluation, ClosedLoopRow } from '../eval/closed-loop.js';
import { note, print } from './command.js';
import { label } from './evaluate-table.js';
import { type Column, renderTable } from './table.js';

type Figure = keyof ClosedLoopRow['ci'];
type Scored = keyof ClosedLoopRow['open'];

/** Prints what closed-loop drives did, and what open-loop figures of the same plans do not show. */
export function printClosedLoop(name: string, evaluation: ClosedLoopEvaluation): void {
  const { n, egos, split, replanS, traffic, meanSeconds, rows, failed } = evaluation;
  note(`${name}, split ${split}: ${n} windows of ${egos} vehicles, ${meanSeconds.toFixed(1)} s`);
  print(`Drives, a plan every ${replanS} s, ${traffic} traffic; rates in %\n`);
  print(renderTable(columnsOf(kDriveHeaders), rows.map(driveCells)));
  print('\nFirst 4 s: closed loop, minus open loop with its 95 % interval; scores in %\n');
  print(renderTable(columnsOf(kScoredColumns.map(([header]) => header)), rows.map(scoredCells)));
  for (const { window, code, message } of failed.slice(0, 5)) {
    note(`not driven: ${window}: ${code}: ${message}`);
  }
}

const kDriveHeaders = [
  'at fault',
  '95 %',
  'any collision',
  'off road',
  'discomfort',
  'progress',
  'ADE m',
  'final m',
  's / window',
];

const kScoredColumns = [
  ['PDMS', 'pdms'],
  ['EPDMS, no EC', 'epdms'],
  ['NC', 'noAtFaultCollisions'],
  ['DAC', 'drivableAreaCompliance'],
  ['EP', 'egoProgress'],
  ['TTC', 'timeToCollisionWithinBound'],
  ['ADE m', 'ade'],
] as const satisfies readonly (readonly [string, Scored])[];

function columnsOf(headers: readonly string[]): Column[] {
  return [{ header: 'planner' }, ...headers.map((header): Column => ({ header, align: 'right' }))];
}

function driveCells(row: ClosedLoopRow): string[] {
  const bounds = row.ci.collisionAtFault;
  const rate = (name: Figure) => percent(row[name]);
  return [
    label(row),
    rate('collisionAtFault'),
    bounds ? `${percent(bounds[0])}-${percent(bounds[1])}` : '',
    rate('collision'),
    rate('offRoad'),
    rate('discomfort'),
    percent(row.progress),
    metres(row.ade),
    metres(row.finalDistance),
    row.secondsPerWindow.toFixed(3),
  ];
}

function scoredCells(row: ClosedLoopRow): string[] {
  return [
    label(row),
    ...kScoredColumns.map(([, name]) => {
      const text = name === 'ade' ? metres : percent;
      const difference = row.closedMinusOpen[name];
      if (!difference) return text(row[name]);
      const half = (difference.ci[1] - difference.ci[0]) / 2;
      const sign = difference.mean < 0 ? '' : '+';
      return `${text(row[name])} (${sign}${text(difference.mean)} ±${text(half)})`;
    }),
  ];
}

function percent(value: number | null): string {
  return value === null ? '' : (100 * value).toFixed(1);
}

function metres(value: number | null): string {
  return value === null ? '' : value.toFixed(2);
}
