import type { StepRule } from '../flow/path-schedule.js';
import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  perRow,
  rowsOf,
} from '../kernel-addon.js';

/**
 * What distances between tokens are measured with. `coordinate` [vocab], ascending: d(i,j) = |u_i - u_j|^power
 * (`power` 1 by default). `table` [vocab, dim]: rows are L2-normalised and d = (|z_i - z_j|^2)^2, as in the released
 * code.
 */
export type TokenMetric =
  | { coordinate: Float32Array; power?: number }
  | { table: Float32Array; dim: number };

/** Target tokens under a metric. */
export interface MetricInput extends KernelOptions {
  metric: TokenMetric;
  /** [rows] target tokens. */
  x1: Int32Array;
}

function metricArguments(metric: TokenMetric) {
  if ('coordinate' in metric) {
    const { coordinate, power = 1 } = metric;
    return { vocab: dimension('coordinate.length', coordinate.length), coordinate, power };
  }
  const dim = dimension('dim', metric.dim);
  return { vocab: rowsOf('table', metric.table, dim), table: metric.table, dim };
}

/** d(y, x1) of every token y, [rows, vocab]. */
export function metricDistance(input: MetricInput & { out?: Float32Array }): Float32Array {
  const { x1 } = input;
  const metric = metricArguments(input.metric);
  const rows = dimension('x1.length', x1.length);
  const out = input.out ?? new Float32Array(rows * metric.vocab);
  kernelAddon().metricDistance(kernelEngine(input), { ...metric, rows, x1, out });
  return out;
}

/** Arguments of {@link pathProbability}. */
export interface PathProbabilityInput extends MetricInput {
  /** Inverse temperature of each row, or of all; 0 to Infinity. */
  beta: number | Float32Array;
  /** [rows, vocab]; default a fresh array. */
  out?: Float32Array;
}

/** The metric path p(y | x1) = softmax over y of -beta d(y, x1), [rows, vocab]. */
export function pathProbability(input: PathProbabilityInput): Float32Array {
  const { x1 } = input;
  const metric = metricArguments(input.metric);
  const rows = dimension('x1.length', x1.length);
  const beta = perRow('beta', input.beta, rows);
  const out = input.out ?? new Float32Array(rows * metric.vocab);
  kernelAddon().pathProbability(kernelEngine(input), { ...metric, rows, beta, x1, out });
  return out;
}

/** Arguments of {@link pathRates}. */
export interface PathRatesInput extends PathProbabilityInput {
  /** [rows] present tokens. */
  xt: Int32Array;
  /** d beta / dt of each row, or of all; or the weight of a whole step, which gives expected jumps instead of rates. */
  betaDot: number | Float32Array;
}

/**
 * Kinetic-optimal rates u(y, xt | x1) = p(y | x1) betaDot max(0, d(xt, x1) - d(y, x1)), 0 at y = xt, and their sum over
 * y: `rate` [rows, vocab], `total` [rows].
 */
export function pathRates(input: PathRatesInput): { rate: Float32Array; total: Float32Array } {
  const { x1, xt } = input;
  const metric = metricArguments(input.metric);
  const rows = dimension('x1.length', x1.length);
  const beta = perRow('beta', input.beta, rows);
  const betaDot = perRow('betaDot', input.betaDot, rows);
  const rate = input.out ?? new Float32Array(rows * metric.vocab);
  const total = new Float32Array(rows);
  const args = { ...metric, rows, beta, betaDot, x1, xt, rate, total };
  kernelAddon().pathRates(kernelEngine(input), args);
  return { rate, total };
}

/** Arguments of {@link pathNoise}. */
export interface PathNoiseInput extends MetricInput {
  /** Inverse temperature of each row, or of all. */
  beta: number | Float32Array;
  /** [rows] uniforms of [0, 1). */
  draw: Float32Array;
}

/** Draws xt ~ p(. | x1) of the metric path by inverse CDF in token order, [rows]. */
export function pathNoise(input: PathNoiseInput): Int32Array {
  const { x1, draw } = input;
  const metric = metricArguments(input.metric);
  const rows = dimension('x1.length', x1.length);
  const beta = perRow('beta', input.beta, rows);
  const xt = new Int32Array(rows);
  kernelAddon().pathNoise(kernelEngine(input), { ...metric, rows, beta, x1, draw, xt });
  return xt;
}

/** Arguments of {@link pathUpdate}. */
export interface PathUpdateInput extends MetricInput {
  /** [rows] present tokens. */
  xt: Int32Array;
  rule: StepRule;
  /** Of the path at t; at t + h for `renoise`. */
  beta: number;
  /** h betaDot(t) for `released`, beta(t + h) - beta(t) for `integrated`; not read by `renoise`. */
  stepWeight?: number;
  /** [rows] uniforms that decide whether to jump; not read by `renoise`. */
  jump?: Float32Array;
  /** [rows] uniforms that choose the destination. */
  draw: Float32Array;
}

/**
 * One refinement step towards `x1`: a row jumps when its `jump` uniform is below 1 - exp(-total rate stepWeight), to the
 * least token whose normalised running sum of rates exceeds its `draw` uniform. `renoise` draws from p(. | x1) instead.
 * Returns the new tokens, [rows].
 */
export function pathUpdate(input: PathUpdateInput): Int32Array {
  const { x1, xt, rule, jump, draw, stepWeight = 0 } = input;
  const metric = metricArguments(input.metric);
  const rows = dimension('x1.length', x1.length);
  const next = new Int32Array(rows);
  const single = {
    beta: perRow('beta', input.beta, 1),
    stepWeight: perRow('stepWeight', stepWeight, 1),
  };
  const args = { ...metric, rows, rule, ...single, xt, x1, jump, draw, next };
  kernelAddon().pathStep(kernelEngine(input), args);
  return next;
}
