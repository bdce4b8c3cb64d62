import { epdms } from '../sim/epdms.js';
import type { PdmScores, SubScores } from '../sim/pdm-scores.js';
import type { SubScore } from '../sim/score-rows.js';
import type { GroupBootstrap, Interval } from './bootstrap.js';
import { type Difference, meanOfKnown } from './summary.js';

/** Sub-scores that version 1 weighs, and driving direction, which it only states. */
const kPdmsNames = [
  'score',
  'noAtFaultCollisions',
  'drivableAreaCompliance',
  'drivingDirectionCompliance',
  'egoProgress',
  'timeToCollisionWithinBound',
  'comfort',
] as const;
/** Those of version 2; `comfort` includes the last 1.5 s. */
const kEpdmsNames = [
  ...kPdmsNames,
  'trafficLightCompliance',
  'laneKeeping',
  'extendedComfort',
] as const;

/** Figures by version, without and with the human filter. `score` is the PDM score itself, the rest its parts. */
export interface PdmTable<T> {
  /** NAVSIM v1.1. */
  pdms: Record<(typeof kPdmsNames)[number], T>;
  /** NAVSIM v2.2: what the recorded driver fails is not counted; extended comfort from pairs of windows. */
  epdms: Record<(typeof kEpdmsNames)[number], T>;
  /** The same without the human filter. */
  epdmsUnfiltered: Record<(typeof kEpdmsNames)[number], T>;
}

/** One value a window for each figure; NaN where a window has none. */
export type PdmValues = PdmTable<Float64Array>;

/** Calls `make` for each figure. */
function fill<T>(make: (version: keyof PdmTable<T>, name: string) => T): PdmTable<T> {
  const part = <N extends string>(version: keyof PdmTable<T>, names: readonly N[]) =>
    Object.fromEntries(names.map((name) => [name, make(version, name)])) as Record<N, T>;
  return {
    pdms: part('pdms', kPdmsNames),
    epdms: part('epdms', kEpdmsNames),
    epdmsUnfiltered: part('epdmsUnfiltered', kEpdmsNames),
  };
}

/** One figure of a table; undefined for a name that the version does not have. */
function at<T>(table: PdmTable<T>, version: keyof PdmTable<T>, name: string): T {
  return (table[version] as Record<string, T>)[name];
}

/** Room for one value a window and figure, NaN. */
export function pdmValues(windows: number): PdmValues {
  return fill(() => new Float64Array(windows).fill(Number.NaN));
}

/** What plans of one window got: one plan a random seed. */
export interface WindowScores {
  v1: PdmScores;
  v2: PdmScores;
  /** Rows of `v1` and `v2` that are meant, one a seed. */
  rows: readonly number[];
  /** Extended comfort with the window before by row, 0 or 1; null when there is no such window. */
  extendedComfort: readonly number[] | null;
}

/** Sets the values of window `index` to the means over the seeds. */
export function setPdmValues(values: PdmValues, index: number, scores: WindowScores): void {
  const { v1, v2, rows, extendedComfort } = scores;
  const filtered = v2.filtered?.subScores ?? v2.subScores;
  const each = (version: keyof PdmTable<unknown>, name: string, row: number): number => {
    const comfort = extendedComfort ? extendedComfort[row] : null;
    if (name === 'extendedComfort') return comfort ?? Number.NaN;
    if (version === 'pdms') {
      return name === 'score' ? v1.scores[row] : v1.subScores[name as SubScore][row];
    }
    const of = version === 'epdms' ? filtered : v2.subScores;
    return name === 'score' ? extendedScore(of, row, comfort) : of[name as SubScore][row];
  };
  fill((version, name) => {
    const sum = rows.reduce((total, row) => total + each(version, name, row), 0);
    at(values, version, name)[index] = sum / rows.length;
  });
}

/** EPDMS of one row. */
export function extendedScore(of: SubScores, row: number, comfort: number | null): number {
  const product =
    of.noAtFaultCollisions[row] *
    of.drivableAreaCompliance[row] *
    of.trafficLightCompliance[row] *
    of.drivingDirectionCompliance[row];
  const frame = {
    product,
    egoProgress: of.egoProgress[row],
    ttc: of.timeToCollisionWithinBound[row],
    laneKeeping: of.laneKeeping[row],
    historyComfort: of.comfort[row],
  };
  return epdms(frame, comfort);
}

/** Means over those of `indices` that have a value; null when none has. */
export function pdmMeans(values: PdmValues, indices: readonly number[]): PdmTable<number | null> {
  return fill((version, name) => {
    const of = at(values, version, name);
    return orNull(meanOfKnown(indices.map((i) => of[i])));
  });
}

/** 95 % intervals of the means; null where no window has a value. */
export function pdmIntervals(
  values: PdmValues,
  bootstrap: GroupBootstrap,
): PdmTable<Interval | null> {
  return fill((version, name) => {
    const of = at(values, version, name);
    return of.every(Number.isNaN) ? null : bootstrap.interval(of);
  });
}

/** Paired differences to a reference, over the windows in which both have a value. */
export function pdmDifferences(
  values: PdmValues,
  reference: PdmValues,
  bootstrap: GroupBootstrap,
): PdmTable<Difference | null> {
  return fill((version, name) => {
    const to = at(reference, version, name);
    const each = at(values, version, name).map((value, i) => value - to[i]);
    const mean = orNull(meanOfKnown(each));
    return mean === null ? null : { mean, ci: bootstrap.interval(each) };
  });
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
