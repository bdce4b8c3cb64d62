import type { PlanCase } from '../../case.js';

/** What can be shown and hidden. */
export type Layer = 'plan' | 'guesses' | 'samples' | 'human' | 'inertia' | 'traffic' | 'route';

/** Everything that the page shows follows from this and the data. */
export interface View {
  caseIndex: number;
  planIndex: number;
  /** 0 is the first guess; fractional while it plays. */
  refinement: number;
  /** Seconds after the present, 0 to 4. */
  time: number;
  playing: boolean;
  hidden: Set<Layer>;
}

/** The case that `view` shows. */
export function caseOf(cases: readonly PlanCase[], view: View): PlanCase {
  return cases[view.caseIndex] as PlanCase;
}

/** The last step of the plan that `view` shows. */
export function lastStep(cases: readonly PlanCase[], view: View): number {
  return Math.max(0, (caseOf(cases, view).plans[view.planIndex]?.refinements.length ?? 1) - 1);
}
