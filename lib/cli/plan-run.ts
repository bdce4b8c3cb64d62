import type { PlanOptions } from '../plan-options.js';
import type { Plan } from '../plan-result.js';
import { futureFromWindow } from '../scenario/observe.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { posesOf } from '../viewer/build-case.js';
import type { CasePlan, PageInfo, PlanCase, Pose } from '../viewer/case.js';
import { errorsOf } from '../viewer/errors.js';
import { renderPlansPage } from '../viewer/page.js';
import { describeOptions } from './plan-flags.js';
import { writePageFile } from './write-page.js';

/** A plan with its distance to what the driver did, metres; null where that was not recorded. */
export interface PlanRun {
  options: PlanOptions;
  plan: Plan;
  latencyMs: number;
  latencyDetail: string;
  ade: number | null;
  fde: number | null;
  /** Lowest mean error among the samples; null for one sample. */
  minAde: number | null;
}

/** Poses of `trajectory`, [n, 3], at full precision. */
function exactPoses(trajectory: ArrayLike<number>): Pose[] {
  return Array.from({ length: trajectory.length / 3 }, (_, i) => [
    trajectory[3 * i],
    trajectory[3 * i + 1],
    trajectory[3 * i + 2],
  ]);
}

/** Distance of `trajectory`, [8, 3] in the ego's present frame, to the recorded driver of `window`. */
export function errorsIn(
  window: ScenarioWindow,
  trajectory: ArrayLike<number>,
): { ade: number | null; fde: number | null } {
  const { poses, valid } = futureFromWindow(window);
  return errorsOf(exactPoses(trajectory), exactPoses(poses.subarray(0, 3 * valid)));
}

/** A run of `plan` for `window`. `latency`: milliseconds, and what they are (`one call`). */
export function runOf(
  window: ScenarioWindow,
  options: PlanOptions,
  plan: Plan,
  latency: { ms: number; detail: string },
): PlanRun {
  const best = plan.samples.map((sample) => errorsIn(window, sample).ade ?? Number.NaN);
  const minAde = best.length > 1 ? Math.min(...best) : null;
  return {
    options,
    plan,
    latencyMs: latency.ms,
    latencyDetail: latency.detail,
    ...errorsIn(window, plan.trajectory),
    minAde: Number.isNaN(minAde) ? null : minAde,
  };
}

/** The run as the plans page shows it, under the name `label`. */
export function casePlanOf(run: PlanRun, label: string): CasePlan {
  const { plan } = run;
  return {
    label,
    detail: describeOptions(run.options),
    refinements: plan.refinements.map(posesOf),
    samples: plan.samples.length > 1 ? plan.samples.map(posesOf) : [],
    latencyMs: run.latencyMs,
    latencyDetail: run.latencyDetail,
  };
}

/** `1 step`, `5 steps`. */
export function stepsLabel(steps: number): string {
  return steps === 1 ? '1 step' : `${steps} steps`;
}

/**
 * Writes the page of `cases`; folders are made as needed.
 *
 * @throws WamFlowError `ERR_IO`
 */
export async function writePage(
  file: string,
  cases: readonly PlanCase[],
  info: PageInfo,
): Promise<void> {
  await writePageFile(file, renderPlansPage(cases, info));
}

/** `0.41`, or a dash for null. */
export function fixed(value: number | null, digits = 2): string {
  return value === null ? '–' : value.toFixed(digits);
}
