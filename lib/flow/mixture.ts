import { dimension, kernelAddon, rowsOf } from '../kernel-addon.js';
import { type StepRule, unitTimes } from './path-schedule.js';

/**
 * Schedulers of the mixture path. `cond_ot`: kappa = t. `polynomial`: t^exponent. `cosine`: sin(pi t/2). `vp`:
 * variance preserving, betaMin 0.1 and betaMax 20 by default. `linear_vp`: kappa = t, sigma = sqrt(1 - t^2).
 */
export type MixtureSchedule =
  | { kind: 'cond_ot' | 'cosine' | 'linear_vp' }
  | { kind: 'polynomial'; exponent: number }
  | { kind: 'vp'; betaMin?: number; betaMax?: number };

/** A scheduler at some times, one element a time. */
export interface MixtureScheduleValues {
  /** Coefficient of x1, which is kappa, and of the source. */
  alpha: Float64Array;
  sigma: Float64Array;
  /** Their time derivatives. */
  dAlpha: Float64Array;
  dSigma: Float64Array;
  /** kappa'/(1 - kappa), infinite at t = 1. */
  rate: Float64Array;
  /** Probability that a position not at x1 jumps there between t and t + h. */
  jumpProbability: Float64Array;
  /** The time at which kappa equals the given number. */
  kappaInverse: Float64Array;
}

function complete(schedule: MixtureSchedule) {
  if (schedule.kind === 'vp') {
    return {
      kind: schedule.kind,
      betaMin: schedule.betaMin ?? 0.1,
      betaMax: schedule.betaMax ?? 20,
    };
  }
  return schedule.kind === 'polynomial'
    ? { kind: schedule.kind, exponent: schedule.exponent }
    : { kind: schedule.kind };
}

/**
 * Evaluates a scheduler.
 *
 * @param times of [0, 1]; for `kappaInverse` they are read as values of kappa
 * @param step length h of a step and its rule, for `jumpProbability`; default h 0
 */
export function mixtureSchedule(
  schedule: MixtureSchedule,
  times: ArrayLike<number>,
  step: { h: number; rule: StepRule } = { h: 0, rule: 'integrated' },
): MixtureScheduleValues {
  const t = unitTimes(times);
  const out = new Float64Array(7 * t.length);
  const args = { schedule: complete(schedule), ...step, count: t.length, t, out };
  kernelAddon().mixtureSchedule(args);
  const column = (index: number) => t.map((_, i) => out[7 * i + index]!);
  return {
    alpha: column(0),
    sigma: column(1),
    dAlpha: column(2),
    dSigma: column(3),
    rate: column(4),
    jumpProbability: column(5),
    kappaInverse: column(6),
  };
}

/** Draws the mixture path: x0 where `uniform` < 1 - kappa, else x1. All arrays of one length. */
export function mixtureSample(input: {
  kappa: number;
  x0: Int32Array;
  x1: Int32Array;
  uniform: Float32Array;
}): Int32Array {
  const { kappa, x0, x1, uniform } = input;
  const xt = new Int32Array(x0.length);
  kernelAddon().mixtureSample({ count: x0.length, kappa, x0, x1, uniform, xt });
  return xt;
}

/** rate (softmax(logits) - onehot(xt)) of each row, [rows, vocab]; `rate` is kappa'/(1 - kappa) of each row or of all. */
export function mixtureVelocity(input: {
  logits: Float32Array;
  vocab: number;
  xt: Int32Array;
  rate: number | Float64Array;
}): Float32Array {
  const { logits, xt } = input;
  const vocab = dimension('vocab', input.vocab);
  const rows = rowsOf('logits', logits, vocab);
  const rate =
    typeof input.rate === 'number' ? new Float64Array(rows).fill(input.rate) : input.rate;
  const out = new Float32Array(logits.length);
  kernelAddon().mixtureVelocity({ rows, vocab, logits, rate, xt, out });
  return out;
}

/** Arguments of {@link mixtureRates}. */
export interface MixtureRatesInput {
  schedule: MixtureSchedule;
  /** Of [0, 1). */
  t: number;
  /** [rows] */
  xt: Int32Array;
  x1: Int32Array;
  vocab: number;
  /** Factor of the divergence-free part, which moves positions back and forth without changing the path. Default 0. */
  divergenceFree?: number;
  /** [vocab] source distribution, needed with `divergenceFree`. */
  source?: Float32Array;
}

/** Jump rates of the Euler sampler given x1, 0 at xt: `rate` [rows, vocab] and their sum `total` [rows]. */
export function mixtureRates(input: MixtureRatesInput): {
  rate: Float32Array;
  total: Float64Array;
} {
  const { t, xt, x1, divergenceFree = 0, source } = input;
  const vocab = dimension('vocab', input.vocab);
  const rows = dimension('xt.length', xt.length);
  const rate = new Float32Array(rows * vocab);
  const total = new Float64Array(rows);
  const schedule = complete(input.schedule);
  unitTimes([t]);
  const args = { schedule, t, rows, vocab, xt, x1, divergenceFree, source, rate, total };
  kernelAddon().mixtureRates(args);
  return { rate, total };
}
