/**
 * A row of results as native code writes it (native/binding/sim_packing.cpp): the one place that names its columns.
 *
 * | column | meaning |
 * | --- | --- |
 * | 0 | score |
 * | 1 | product of the multipliers |
 * | 2-9 | sub-scores in the order of {@link kSubScores} |
 * | 10, 11, 12 | progress, the reference's progress (metres) and its product of multipliers |
 * | 13, 14, 15 | steps by bit: in several lanes, off the drivable area, off the route |
 * | 16-43 | step, object, detail, value of the findings in the order of {@link kFindings}; -1: not set |
 * | 44 | score after the human filter |
 * | 45-52 | sub-scores after it |
 */

/** Sub-scores of a trajectory, in the order of their columns. */
export const kSubScores = [
  'noAtFaultCollisions',
  'drivableAreaCompliance',
  'trafficLightCompliance',
  'drivingDirectionCompliance',
  'egoProgress',
  'timeToCollisionWithinBound',
  'laneKeeping',
  'comfort',
] as const;
/** Name of a sub-score. */
export type SubScore = (typeof kSubScores)[number];

/** Sub-scores that have a place where they fail, in the order of their columns. */
export const kFindings = [
  'noAtFaultCollisions',
  'drivableAreaCompliance',
  'trafficLightCompliance',
  'drivingDirectionCompliance',
  'timeToCollisionWithinBound',
  'laneKeeping',
  'comfort',
] as const satisfies readonly SubScore[];

/** Where a sub-score fails; what the numbers mean depends on the sub-score (native/sim/judge.h). */
export interface Finding {
  step: number;
  object: number;
  detail: number;
  value: number;
}

/** Numbers of a row. */
export const kScoreColumns = 53;

/** Columns of single numbers and first columns of groups. */
export const kColumn = {
  score: 0,
  multiplier: 1,
  subScores: 2,
  progress: 10,
  referenceProgress: 11,
  referenceMultiplier: 12,
  multipleLanes: 13,
  nonDrivable: 14,
  offRoute: 15,
  findings: 16,
  filteredScore: 44,
  filteredSubScores: 45,
} as const;

/** One column of all rows. */
export function columnOf(rows: Float64Array, n: number, column: number): Float64Array {
  const values = new Float64Array(n);
  for (let i = 0, at = column; i < n; i++, at += kScoreColumns) values[i] = rows[at]!;
  return values;
}

/** Sub-scores of all rows; `first` is the column of the first of them. */
export function subScoresOf(
  rows: Float64Array,
  n: number,
  first: number,
): Record<SubScore, Float64Array> {
  const found = {} as Record<SubScore, Float64Array>;
  kSubScores.forEach((name, k) => {
    found[name] = columnOf(rows, n, first + k);
  });
  return found;
}

/** A finding of one row. */
export function findingOf(row: Float64Array, metric: (typeof kFindings)[number]): Finding {
  const at = kColumn.findings + 4 * kFindings.indexOf(metric);
  return { step: row[at]!, object: row[at + 1]!, detail: row[at + 2]!, value: row[at + 3]! };
}

/** Steps (0.1 s) of a mask of {@link ScoreFlags}, ascending. */
export function stepsOf(mask: number): number[] {
  const steps: number[] = [];
  for (let step = 0, rest = mask; rest > 0; step++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) steps.push(step);
  }
  return steps;
}

/** Steps by bit, as integers below 2^41; {@link stepsOf} lists them. Each [N]. */
export interface ScoreFlags {
  /** The box lies in two lanes or more and in none of them whole. */
  multipleLanes: Float64Array;
  /** A corner is off the drivable area. */
  nonDrivable: Float64Array;
  /** The centre is on no lane of the route. */
  offRoute: Float64Array;
}
