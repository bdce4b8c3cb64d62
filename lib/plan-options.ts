import { argumentError, type WamFlowErrorCode } from './errors.js';
import { type WarmStart, writeWarmStart } from './warm-start.js';

/** How a refinement step moves the tokens along the path, see {@link PlanOptions.rule}. */
export type StepRule = 'released' | 'integrated' | 'renoise';
/** How a token is chosen from its posterior, see {@link PlanOptions.decode}. */
export type DecodeRule = 'argmax' | 'median' | 'sample';
/** How several samples become one plan, see {@link PlanOptions.reduce}. */
export type Reduce = 'first' | 'medoid' | 'mean' | 'search';

/** How the tokens of one sample go together, see {@link PlanOptions.coupling}. */
export type Coupling = 'independent' | 'comonotone';

/** Options of one plan. What is left out is taken from {@link kPlanDefaults}. */
export interface PlanOptions {
  /** Refinement steps, 1 to the planner's `maxSteps`. */
  steps?: number;
  /** Plans that are drawn beside each other and reduced to one, 1 to the planner's `maxSamples`. */
  samples?: number;
  /** Of all random numbers: an integer from 0 to 2^53 - 1, or a bigint from 0 to 2^64 - 1. Same seed, same plan. */
  seed?: number | bigint;
  /**
   * How a step goes from time t to t+h: `renoise` draws anew from the path towards the posterior's token; `integrated`
   * jumps at the path's rate integrated over the step; `released` at its rate at t, as the paper's code does.
   */
  rule?: StepRule;
  /** The posterior's token in every step but the last: the most likely, the median of its slot, or a draw. */
  decode?: DecodeRule;
  /** The same in the last step, whose tokens are the plan. Default: `decode` when that is given. */
  lastDecode?: DecodeRule;
  /** Of draws, 0.001 to 1000. */
  temperature?: number;
  /** Draw among the k most likely tokens; 0: among all. */
  topK?: number;
  /**
   * Draws of one sample: `independent`, as in the paper; `comonotone`: the tokens of a coordinate over all waypoints take
   * one random number, so that a sample is fast or slow, left or right, as a whole. Every token has the same distribution
   * in both; a step sees no difference, only what its samples look like: smooth even after one step (docs/search.md).
   */
  coupling?: Coupling;
  /**
   * `medoid`: the sample nearest to all others; `mean`: of positions and directions; `first`: the first sample. `search`:
   * what scores best, among the samples and the median plan of one step, by what is known now (docs/search.md); the
   * refinements before the last are medoids.
   */
  reduce?: Reduce;
  /** Begin with the plan before this one. In a batch: with the same one for every observation. Default: with noise. */
  warmStart?: WarmStart;
  /** Compute the observation's part of the network once a plan. False: in every step; for measuring. */
  cache?: boolean;
  /**
   * Milliseconds from the call by which the plan is there: no step is begun that would end later, as far as earlier ones
   * tell, and on the CPU one that turns out too slow is given up between layers. The newest whole plan is given,
   * `stepsRun` says of how many steps; one always runs. Default none.
   */
  deadlineMs?: number;
  /** Ends the call: it rejects with the signal's reason. A waiting plan is dropped, a running one stops between layers. */
  signal?: AbortSignal;
}

/** What {@link PlanOptions} default to, in this one place. */
export const kPlanDefaults = {
  steps: 1,
  samples: 1,
  seed: 0,
  rule: 'renoise',
  decode: 'median',
  lastDecode: 'median',
  temperature: 1,
  topK: 0,
  coupling: 'independent',
  reduce: 'medoid',
  cache: true,
} as const satisfies PlanOptions;

const kRules: readonly StepRule[] = ['released', 'integrated', 'renoise'];
const kDecodes: readonly DecodeRule[] = ['argmax', 'median', 'sample'];
const kCouplings: readonly Coupling[] = ['independent', 'comonotone'];
const kReduces: readonly Reduce[] = ['first', 'medoid', 'mean', 'search'];
const kKnown: ReadonlySet<string> = new Set([
  ...Object.keys(kPlanDefaults),
  'warmStart',
  'deadlineMs',
  'signal',
]);

/** Numbers of a packed request before the warm start, see native/binding/plan_packing.cpp. */
export const kRequestSize = 14;

/** What a planner and its model allow. */
export interface PlanLimits {
  maxSteps: number;
  maxSamples: number;
  vocab: number;
  /** Seconds of a plan. */
  horizonS: number;
}

/**
 * Checks options and writes them as the engine takes them.
 *
 * @param request [kRequestSize + kWarmSize + slots].
 * @param job number by which the call can be aborted.
 * @param calledAt `performance.now()` when the call was made; the deadline counts from there.
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_NOT_FINITE`, `ERR_RANGE` naming the option.
 */
export function writeRequest(
  request: Float64Array,
  options: PlanOptions,
  limits: PlanLimits,
  job: number,
  calledAt: number,
): { steps: number; samples: number; search: boolean } {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  for (const name in options) {
    if (!kKnown.has(name)) {
      throw argumentError('options', `only ${[...kKnown].join(', ')}`, name);
    }
  }
  const d = kPlanDefaults;
  const steps = integer('steps', options.steps ?? d.steps, 1, limits.maxSteps);
  const samples = integer('samples', options.samples ?? d.samples, 1, limits.maxSamples);
  request[0] = job;
  request[1] = steps;
  request[2] = samples;
  writeSeed(request, options.seed ?? d.seed);
  request[5] = choice('rule', options.rule ?? d.rule, kRules);
  request[6] = choice('decode', options.decode ?? d.decode, kDecodes);
  request[7] = choice('lastDecode', options.lastDecode ?? options.decode ?? d.lastDecode, kDecodes);
  request[8] = number('temperature', options.temperature ?? d.temperature, 1e-3, 1e3);
  request[9] = integer('topK', options.topK ?? d.topK, 0, limits.vocab);
  request[10] = choice('reduce', options.reduce ?? d.reduce, kReduces);
  const cache = options.cache ?? d.cache;
  if (typeof cache !== 'boolean') throw argumentError('options.cache', 'a boolean', cache);
  request[11] = cache ? 1 : 0;
  request[12] = remaining(options.deadlineMs, calledAt);
  request[13] = choice('coupling', options.coupling ?? d.coupling, kCouplings);
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw argumentError('options.signal', 'an AbortSignal', signal);
  }
  writeWarmStart(request.subarray(kRequestSize), options.warmStart, limits.horizonS);
  return { steps, samples, search: options.reduce === 'search' };
}

function writeSeed(request: Float64Array, seed: number | bigint): void {
  if (typeof seed === 'bigint') {
    if (seed < 0n || seed >= 1n << 64n) {
      throw argumentError('options.seed', 'a bigint from 0 to 2^64 - 1', seed, 'ERR_RANGE');
    }
    request[3] = Number(seed & 0xffffffffn);
    request[4] = Number(seed >> 32n);
    return;
  }
  integer('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  request[3] = seed >>> 0;
  request[4] = Math.floor(seed / 2 ** 32);
}

/** Milliseconds left of a deadline that counts from `calledAt`; infinite when there is none. */
function remaining(deadlineMs: number | undefined, calledAt: number): number {
  if (deadlineMs === undefined || deadlineMs === Number.POSITIVE_INFINITY) {
    return Number.POSITIVE_INFINITY;
  }
  number('deadlineMs', deadlineMs, 0, Number.MAX_VALUE);
  return Math.max(0, deadlineMs - (performance.now() - calledAt));
}

function number(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  const expected = max === Number.MAX_VALUE ? `a number from ${min}` : `${min} to ${max}`;
  throw argumentError(`options.${name}`, expected, value, numberCode(value));
}

function integer(name: string, value: unknown, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  const code = Number.isInteger(value) ? 'ERR_RANGE' : numberCode(value, 'ERR_ARGUMENT');
  throw argumentError(`options.${name}`, `an integer from ${min} to ${max}`, value, code);
}

function numberCode(value: unknown, finite: WamFlowErrorCode = 'ERR_RANGE'): WamFlowErrorCode {
  if (typeof value !== 'number') return 'ERR_ARGUMENT';
  return Number.isFinite(value) ? finite : 'ERR_NOT_FINITE';
}

function choice<T extends string>(name: string, value: T, among: readonly T[]): number {
  const index = among.indexOf(value);
  if (index < 0) throw argumentError(`options.${name}`, `one of ${among.join(', ')}`, value);
  return index;
}
