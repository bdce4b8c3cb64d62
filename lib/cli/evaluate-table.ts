import type { Evaluation, EvaluationRow } from '../eval/evaluate.js';
import type { RowHead } from '../eval/measured.js';
import { type Column, renderTable } from './table.js';

/**
 * One line a row: metrics, the 95 % interval of the ADE, and its paired difference to the reference
 * row. Metres, radians, m/s^3, shares, milliseconds.
 */
export function mainTable(evaluation: Evaluation): string {
  const columns: Column[] = [
    { header: 'planner' },
    ...[
      'ADE m',
      '95 %',
      'difference',
      'FDE m',
      'minADE m',
      'collision',
      'off road',
      'heading',
      'jerk',
      'p50 ms',
      'p99 ms',
    ].map((header): Column => ({ header, align: 'right' })),
  ];
  const rows = evaluation.rows.map((row) => [
    label(row),
    row.ade.toFixed(2),
    interval(row.ci.ade),
    difference(row),
    row.fde.toFixed(2),
    row.minAde === null ? '' : `${row.minAde.toFixed(2)} (${row.minAdeSamples})`,
    row.collisionRate.toFixed(3),
    row.offroadRate.toFixed(3),
    row.headingError.toFixed(3),
    row.jerk.toFixed(1),
    row.latencyMs?.p50.toFixed(2) ?? '',
    row.latencyMs?.p99.toFixed(2) ?? '',
  ]);
  return renderTable(columns, grouped(evaluation, rows));
}

/** ADE / FDE of each group; a line a row. */
export function breakdownTable(evaluation: Evaluation): string {
  return breakdown(evaluation, (row, kind, name) => {
    const { ade, fde } = row.by[kind][name];
    return `${ade.toFixed(2)} / ${fde.toFixed(2)}`;
  });
}

/** A column a group; a line a row. */
export function breakdown(
  evaluation: Evaluation,
  cell: (row: EvaluationRow, kind: 'location' | 'manoeuvre', name: string) => string,
): string {
  const [first] = evaluation.rows;
  const groups = (['location', 'manoeuvre'] as const).flatMap((kind) =>
    Object.entries(first.by[kind]).map(([name, { n }]) => ({ kind, name, n })),
  );
  const columns: Column[] = [
    { header: 'planner' },
    ...groups.map(({ name, n }): Column => ({ header: `${name} (${n})`, align: 'right' })),
  ];
  const rows = evaluation.rows.map((row) => [
    label(row),
    ...groups.map(({ kind, name }) => cell(row, kind, name)),
  ]);
  return renderTable(columns, grouped(evaluation, rows));
}

/** The rows with a blank line between the baselines and the planner. */
export function grouped(evaluation: Evaluation, rows: string[][]): string[][] {
  const planner = evaluation.rows.findIndex((row) => row.decode !== null);
  return planner < 0 ? rows : [...rows.slice(0, planner), [], ...rows.slice(planner)];
}

/** Planner and options of a row. */
export function label(
  row: Pick<RowHead, 'planner' | 'steps' | 'decode' | 'rule' | 'samples'> &
    Partial<Pick<RowHead, 'reduce' | 'coupling' | 'warmStart'>>,
): string {
  if (row.decode === null) return row.planner;
  const parts = [
    row.planner,
    row.decode,
    `${row.steps} ${row.steps === 1 ? 'step' : 'steps'}`,
    row.steps > 1 ? row.rule : null,
    row.samples > 1 ? `${row.reduce === 'search' ? 'search ' : ''}of ${row.samples}` : null,
    row.coupling === 'comonotone' ? row.coupling : null,
    typeof row.warmStart === 'number' ? `warm ${row.warmStart}` : null,
  ];
  return parts.filter((part) => part !== null).join(' ');
}

function interval(bounds: readonly [number, number] | undefined): string {
  return bounds ? `${bounds[0].toFixed(2)}-${bounds[1].toFixed(2)}` : '';
}

function difference({ difference }: EvaluationRow): string {
  const ade = difference?.ade;
  if (!ade) return 'reference';
  const half = (ade.ci[1] - ade.ci[0]) / 2;
  return `${ade.mean < 0 ? '' : '+'}${ade.mean.toFixed(2)} ±${half.toFixed(2)}`;
}
