import type { Explanation } from './explanation.js';
import type { PdmVersion } from './pdm-scorer.js';
import {
  columnOf,
  kColumn,
  kFindings,
  kScoreColumns,
  type ScoreFlags,
  type SubScore,
  subScoresOf,
} from './score-rows.js';

/** Sub-scores, each [N] in [0, 1]. */
export type SubScores = Record<SubScore, Float64Array>;

/** Results after the human filter of version 2: sub-scores that the recorded driver fails are not counted. */
export interface FilteredScores {
  /** Each [N], 1 where the recorded driver has 0. */
  subScores: SubScores;
  /** Score of one frame from the filtered sub-scores, before extended comfort. [N] */
  scores: Float64Array;
  /**
   * What NAVSIM printed as score beside the filtered sub-scores until 2025-09-29: computed from the unfiltered ones. For
   * comparison with papers of that time. [N]
   */
  preFixScores: Float64Array;
}

/** What N trajectories got. */
export interface PdmScores {
  version: PdmVersion;
  n: number;
  /** `v1`: PDMS. `v2`: score of one frame, before extended comfort, not filtered ({@link PdmScores.filtered}). [N] */
  scores: Float64Array;
  /** Each [N]. Version 1 has no traffic lights and no lane keeping: 1. Its driving direction does not count. */
  subScores: SubScores;
  /** Product of those sub-scores that multiply the others: `v1` collisions and area; `v2` lights and direction too. [N] */
  multipliers: Float64Array;
  /** Metres along the centreline, and those of PDM-Closed that they were compared with. [N] */
  progressM: Float64Array;
  referenceProgressM: Float64Array;
  /** Product of PDM-Closed's multipliers: 0 takes it out of the comparison. [N] */
  referenceMultipliers: Float64Array;
  /** First step (0.1 s) at which a sub-score fails, -1: it does not. Comfort with a history may fail before step 0. [N] */
  firstSteps: Record<(typeof kFindings)[number], Int32Array>;
  flags: ScoreFlags;
  /** `v2` with a recorded driver. */
  filtered?: FilteredScores;
  /** Driven states [N, 41, 11] when asked for. */
  rollouts?: Float64Array;
  /** Why marks were lost, a list a trajectory, when asked for. */
  explanations?: Explanation[][];
}

/** Results from rows (lib/sim/score-rows.ts). */
export function readScores(
  rows: Float64Array,
  n: number,
  version: PdmVersion,
  hasHuman: boolean,
): PdmScores {
  const column = (at: number) => columnOf(rows, n, at);
  const scores = column(kColumn.score);
  const subScores = subScoresOf(rows, n, kColumn.subScores);
  const result: PdmScores = {
    version,
    n,
    scores,
    subScores,
    multipliers: column(kColumn.multiplier),
    progressM: column(kColumn.progress),
    referenceProgressM: column(kColumn.referenceProgress),
    referenceMultipliers: column(kColumn.referenceMultiplier),
    firstSteps: firstSteps(rows, n, subScores),
    flags: {
      multipleLanes: column(kColumn.multipleLanes),
      nonDrivable: column(kColumn.nonDrivable),
      offRoute: column(kColumn.offRoute),
    },
  };
  if (version === 'v2' && hasHuman) {
    result.filtered = {
      subScores: subScoresOf(rows, n, kColumn.filteredSubScores),
      scores: column(kColumn.filteredScore),
      preFixScores: scores.slice(),
    };
  }
  return result;
}

function firstSteps(rows: Float64Array, n: number, subScores: SubScores): PdmScores['firstSteps'] {
  const steps = {} as PdmScores['firstSteps'];
  kFindings.forEach((metric, k) => {
    const found = new Int32Array(n).fill(-1);
    const passed = subScores[metric];
    const column = kColumn.findings + 4 * k;
    for (let i = 0; i < n; i++) {
      if (passed[i]! < 1) found[i] = rows[i * kScoreColumns + column]!;
    }
    steps[metric] = found;
  });
  return steps;
}
