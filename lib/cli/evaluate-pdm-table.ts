import type { Evaluation, EvaluationRow } from '../eval/evaluate.js';
import type { PdmTable } from '../eval/pdm-table.js';
import { breakdown, grouped, label } from './evaluate-table.js';
import { type Column, renderTable } from './table.js';

type Version = keyof PdmTable<unknown>;

const kPdmsColumns = [
  ['NC', 'noAtFaultCollisions'],
  ['DAC', 'drivableAreaCompliance'],
  ['EP', 'egoProgress'],
  ['TTC', 'timeToCollisionWithinBound'],
  ['C', 'comfort'],
  ['DDC', 'drivingDirectionCompliance'],
] as const;

const kEpdmsColumns = [
  ['NC', 'noAtFaultCollisions'],
  ['DAC', 'drivableAreaCompliance'],
  ['DDC', 'drivingDirectionCompliance'],
  ['TLC', 'trafficLightCompliance'],
  ['EP', 'egoProgress'],
  ['TTC', 'timeToCollisionWithinBound'],
  ['LK', 'laneKeeping'],
  ['HC', 'comfort'],
  ['EC', 'extendedComfort'],
] as const;

/** PDMS of version 1 with its sub-scores (DDC does not count) and the paired difference to the reference row; percent. */
export function pdmsTable(evaluation: Evaluation): string {
  return table(evaluation, 'pdms', 'PDMS', kPdmsColumns, []);
}

/** EPDMS of version 2 with the human filter, its sub-scores, and the mean without the filter; percent. */
export function epdmsTable(evaluation: Evaluation): string {
  return table(evaluation, 'epdms', 'EPDMS', kEpdmsColumns, ['unfiltered']);
}

/** PDMS / EPDMS of each group, percent. */
export function pdmBreakdownTable(evaluation: Evaluation): string {
  return breakdown(evaluation, (row, kind, name) => {
    const of = row.pdm?.by[kind][name];
    return of ? `${percent(of.pdms.score)} / ${percent(of.epdms.score)}` : '';
  });
}

function table(
  evaluation: Evaluation,
  version: Version,
  title: string,
  parts: readonly (readonly [string, string])[],
  more: readonly string[],
): string {
  const headers = [title, '95 %', 'difference', ...parts.map(([header]) => header), ...more];
  const columns: Column[] = [
    { header: 'planner' },
    ...headers.map((header): Column => ({ header, align: 'right' })),
  ];
  const rows = evaluation.rows.map((row) => {
    const { pdm } = row;
    if (!pdm) return [label(row)];
    const of = pdm[version] as Record<string, number | null>;
    return [
      label(row),
      percent(of.score),
      interval(pdm.ci[version].score),
      difference(row, version),
      ...parts.map(([, name]) => percent(of[name])),
      ...more.map(() => percent(pdm.epdmsUnfiltered.score)),
    ];
  });
  return renderTable(columns, grouped(evaluation, rows));
}

function percent(value: number | null): string {
  return value === null ? '' : (100 * value).toFixed(1);
}

function interval(bounds: readonly [number, number] | null): string {
  return bounds ? `${percent(bounds[0])}-${percent(bounds[1])}` : '';
}

function difference({ pdm }: EvaluationRow, version: Version): string {
  if (!pdm?.difference) return 'reference';
  const { score } = pdm.difference[version];
  if (!score) return '';
  const half = (score.ci[1] - score.ci[0]) / 2;
  return `${score.mean < 0 ? '' : '+'}${percent(score.mean)} ±${percent(half)}`;
}
