// Curves of training runs, as the page of curves shows them.

import { figuresOf, type LoggedEvent } from '../train/figures.js';
import { isFollowed, quantityOf } from '../train/quantities.js';
import type { PageInfo } from './case.js';

/** A run to show: its name in the legend, and the lines of its log. */
export interface RunLines {
  name: string;
  lines: readonly LoggedEvent[];
}

/** One run in the legend. */
export interface CurveRun {
  name: string;
  /** `sft, 4,000 updates` */
  facts: string;
}

/** One quantity over the updates of one run; `steps` ascend. */
export interface Curve {
  /** Index of the run. */
  run: number;
  steps: number[];
  values: number[];
  /** Points of the log that one point here is the mean of. */
  mean: number;
}

/** One chart: a quantity of all runs that have it. */
export interface CurveChart {
  label: string;
  unit: string;
  better: 'low' | 'high' | '';
  /** Single measurements: their points are marked. */
  isTrial: boolean;
  /** Nothing to smooth: trials, and what a schedule sets. */
  isExact: boolean;
  curves: Curve[];
}

/** Everything that the page shows. */
export interface CurvesData extends PageInfo {
  runs: CurveRun[];
  charts: CurveChart[];
}

// More points than this cannot be told apart, and make the page heavy.
const kMostPoints = 2000;

/**
 * Curves of `runs`, a chart for each quantity that any of them logged. A log that holds several runs one after the other
 * (a `start` behind the update that was reached) is as many runs.
 */
export function curvesOf(runs: readonly RunLines[]): Pick<CurvesData, 'runs' | 'charts'> {
  const parts = runs.flatMap(({ name, lines }) => {
    const split = splitRuns(lines);
    return split.map((part, i) => ({
      name: split.length > 1 ? `${name} (part ${i + 1})` : name,
      lines: part,
    }));
  });
  const charts = new Map<string, CurveChart>();
  for (const [run, { lines }] of parts.entries()) {
    for (const line of lines) addLine(charts, run, line);
  }
  const list = [...charts.values()].map((chart) => ({
    ...chart,
    curves: chart.curves.map(thin),
  }));
  return {
    runs: parts.map(({ name, lines }) => ({ name, facts: factsOf(lines) })),
    charts: [...list.filter(({ isTrial }) => !isTrial), ...list.filter(({ isTrial }) => isTrial)],
  };
}

function splitRuns(lines: readonly LoggedEvent[]): LoggedEvent[][] {
  const parts: LoggedEvent[][] = [];
  let reached = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    if (parts.length === 0 || (line.type === 'start' && line.step < reached)) parts.push([]);
    parts.at(-1)!.push(line);
    reached = line.step;
  }
  return parts;
}

function addLine(charts: Map<string, CurveChart>, run: number, line: LoggedEvent): void {
  const isTrial = line.type !== 'step';
  const of = isTrial ? `${typeof line.split === 'string' ? line.split : line.type} ` : '';
  for (const { name, value } of figuresOf(line)) {
    if (!isFollowed(line.type, name)) continue;
    const { label, unit, better = '' } = quantityOf(line.type, name);
    const key = `${line.type}/${of}${name}`;
    const isExact = isTrial || name === 'lr';
    const made: CurveChart = { label: `${of}${label}`, unit, better, isTrial, isExact, curves: [] };
    const chart = charts.get(key) ?? made;
    charts.set(key, chart);
    let curve = chart.curves.find((candidate) => candidate.run === run);
    if (!curve) {
      curve = { run, steps: [], values: [], mean: 1 };
      chart.curves.push(curve);
    }
    // The same update again says the same, or is what counts now.
    while (curve.steps.length > 0 && curve.steps.at(-1)! >= line.step) {
      curve.steps.pop();
      curve.values.pop();
    }
    curve.steps.push(line.step);
    curve.values.push(value);
  }
}

/** A curve of at most {@link kMostPoints} points: means of neighbours, each at its last update. */
function thin(curve: Curve): Curve {
  const mean = Math.ceil(curve.steps.length / kMostPoints);
  if (mean <= 1) return curve;
  const steps: number[] = [];
  const values: number[] = [];
  for (let at = 0; at < curve.steps.length; at += mean) {
    const part = curve.values.slice(at, at + mean);
    values.push(part.reduce((sum, value) => sum + value, 0) / part.length);
    steps.push(curve.steps[at + part.length - 1]!);
  }
  return { ...curve, steps, values, mean };
}

function factsOf(lines: readonly LoggedEvent[]): string {
  const start = lines.find(({ type }) => type === 'start');
  const stage = typeof start?.stage === 'string' ? start.stage : '';
  const reached = lines.reduce((most, { step }) => Math.max(most, step), 0);
  return [stage, `${reached.toLocaleString('en-US')} updates`].filter(Boolean).join(', ');
}
