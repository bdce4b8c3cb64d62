import { argumentError } from '../errors.js';
import { kernelAddon } from '../kernel-addon.js';

/**
 * How a refinement step moves tokens. `released`: jump with the rates at the step's start, as the published code does.
 * `integrated`: the same with the exact increase of beta over the step. `renoise`: draw from the path at the step's end.
 */
export type StepRule = 'released' | 'integrated' | 'renoise';

/**
 * The inverse temperature beta(t) of a metric path. `published`: beta = c (t/(1-t))^a, by default a 0.9 and c 3.
 * `kernel_width`: the kernel exp(-beta d) narrows geometrically from `initialWidth` (1) to `finalWidth` (0.004), in the
 * unit of the token coordinate; beta = w(t)^-power - w(0)^-power, where `power` (1) is the metric's.
 */
export type PathSchedule =
  | { kind: 'published'; a?: number; c?: number }
  | { kind: 'kernel_width'; initialWidth?: number; finalWidth?: number; power?: number };

/** A schedule at some times, one element a time. */
export interface PathScheduleValues {
  /** Infinite at t = 1 of the published form. */
  beta: Float64Array;
  /** d beta / dt; 0 at t = 0 of the published form. */
  betaDot: Float64Array;
  /** Distance at which the kernel has fallen to 1/e. */
  width: Float64Array;
  /** What a step from t to t + h multiplies rates with. */
  stepWeight: Float64Array;
}

/** A schedule with all parameters of its kind. */
export function completeSchedule(schedule: PathSchedule) {
  if (schedule.kind === 'published') {
    return { kind: schedule.kind, a: schedule.a ?? 0.9, c: schedule.c ?? 3 };
  }
  const { kind, initialWidth = 1, finalWidth = 0.004, power = 1 } = schedule;
  return { kind, initialWidth, finalWidth, power };
}

/** Checks times of [0, 1]. */
export function unitTimes(times: ArrayLike<number>): Float64Array {
  return Float64Array.from(times, (t) => {
    if (!(t >= 0 && t <= 1)) throw argumentError('times', 'numbers from 0 to 1', t, 'ERR_RANGE');
    return t;
  });
}

/**
 * Evaluates a schedule.
 *
 * @param times of [0, 1]
 * @param step length h of a step and its rule, for `stepWeight`; default h 0
 * @throws WamFlowError `ERR_CONFIG` for parameters without meaning, `ERR_RANGE` for times
 */
export function pathSchedule(
  schedule: PathSchedule,
  times: ArrayLike<number>,
  step: { h: number; rule: StepRule } = { h: 0, rule: 'integrated' },
): PathScheduleValues {
  const t = unitTimes(times);
  const out = new Float64Array(4 * t.length);
  kernelAddon().pathSchedule({
    schedule: completeSchedule(schedule),
    ...step,
    count: t.length,
    t,
    out,
  });
  const column = (index: number) => t.map((_, i) => out[4 * i + index]!);
  return { beta: column(0), betaDot: column(1), width: column(2), stepWeight: column(3) };
}
