import type { SubScore } from '../../../sim/score-rows.js';
import type { ScoreCase, ScoredTrajectory } from '../../score-case.js';

/** What can be shown and hidden. */
export type Layer =
  | 'chosen'
  | 'planned'
  | 'others'
  | 'failures'
  | 'reference'
  | 'proposals'
  | 'human'
  | 'traffic'
  | 'route';

/** What the table is sorted by; `file` is the order of the file. */
export type SortKey = 'file' | 'score' | SubScore;

/** Everything that the page shows follows from this and the data. */
export interface View {
  caseIndex: number;
  /** Index of the chosen trajectory. */
  chosen: number;
  /** Index of its failure that was chosen last; null: none. */
  failure: number | null;
  /** Seconds after the present, 0 to 4. */
  time: number;
  playing: boolean;
  sort: SortKey;
  descending: boolean;
  hidden: Set<Layer>;
}

/** The chosen trajectory; null in a scene without any. */
export function chosenOf(item: ScoreCase, view: View): ScoredTrajectory | null {
  return item.trajectories[view.chosen] ?? null;
}

/** Indices of the trajectories in the order of the table; equals stay in the order of the file. */
export function sortedOrder(item: ScoreCase, sort: SortKey, descending: boolean): number[] {
  const order = item.trajectories.map((_, i) => i);
  const rankOf = (i: number): number => {
    const trajectory = item.trajectories[i] as ScoredTrajectory;
    if (sort === 'file') return -i;
    return sort === 'score' ? trajectory.score : trajectory.subScores[sort];
  };
  const sign = descending ? -1 : 1;
  return order.sort((a, b) => sign * (rankOf(a) - rankOf(b)) || a - b);
}

/** Times of the chosen trajectory's failures with their indices, ascending; those at no one time are left out. */
export function failureTimes(trajectory: ScoredTrajectory): { index: number; time: number }[] {
  return trajectory.failures
    .flatMap(({ step }, index) => (step === null ? [] : [{ index, time: step / 10 }]))
    .sort((a, b) => a.time - b.time);
}
