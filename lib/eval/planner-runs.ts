import { setImmediate } from 'node:timers/promises';
import type { Observation } from '../observation.js';
import type { Coupling, DecodeRule, Reduce, StepRule } from '../plan-options.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { WarmStart } from '../warm-start.js';
import { quantile } from './bootstrap.js';
import type { FrameBefore } from './frames.js';
import { minAde, type Trajectory, type WindowJudge } from './metrics.js';
import { addMetrics, type WindowValues, windowValues } from './summary.js';

/**
 * How tokens are drawn from the posterior: the same way in every step, or sampled in all steps but
 * the last, which takes the median.
 */
export type EvaluateDecode = DecodeRule | 'sample-median';

/** Options that `evaluate` gives to the planner. */
export interface EvaluatedPlanOptions {
  steps: number;
  samples: number;
  seed: number;
  decode: DecodeRule;
  lastDecode: DecodeRule;
  rule: StepRule;
  reduce: Reduce;
  temperature: number;
  coupling: Coupling;
  /** Of frames that have one before them, when `evaluate` is asked for it. */
  warmStart?: WarmStart;
}

/** What `evaluate` needs of a plan: poses [8, 3] in the ego's present frame. */
export interface EvaluatedPlan {
  trajectory: Trajectory;
  samples: readonly Trajectory[];
}

/** What `evaluate` needs of a planner; `Planner` is one, yours may be another. */
export interface EvaluatedPlanner {
  /** @param window what the observation was made from, for planners that look at something else. */
  plan(
    observation: Observation,
    options: EvaluatedPlanOptions,
    window: ScenarioWindow,
  ): Promise<EvaluatedPlan>;
  /** Timed for the latency; without it rows have none. */
  planSync?(observation: Observation, options: EvaluatedPlanOptions): EvaluatedPlan;
}

/** A window as runs need it. */
export interface Case {
  window: ScenarioWindow;
  observation: Observation;
  judge: WindowJudge;
  /** The frame of the same ego before it; null: none. */
  before: FrameBefore | null;
}

/** What differs between the rows of a planner. */
export interface Settings {
  steps: number;
  decode: EvaluateDecode;
  rule: StepRule;
}

/** What is equal for all rows. */
export interface RunOptions {
  samples: number;
  reduce: Reduce;
  temperature: number;
  coupling: Coupling;
  /** Frames in order, each with the plan before it from this time of the path on; null: each for itself. */
  warmStart: number | null;
  seeds: number;
  latencyCalls: number;
  signal: AbortSignal | undefined;
  /** Called once a window and seed. */
  onPlan: () => void;
}

/** Values of a row, means over the seeds. */
export interface Run {
  values: WindowValues;
  /** Samples that minADE is the best of, null without samples. */
  minAdeSamples: number | null;
  /** ADE of each seed, metres. */
  adeOfSeed: number[];
  /** Plans by seed and case. */
  plans: Trajectory[][];
}

/** minADE is the best of this many samples, or of more where a plan has more. */
const kMinAdeSamples = 6;
// Plans in flight: enough to keep a planner's thread busy, far below its queue limit.
const kInFlight = 16;
// Window i of run s is planned with seed s * 2^24 + i: with one seed for all windows they would share their noise, and
// the mean over windows would swing with it.
const kSeedStride = 2 ** 24;
const kWarmUpCalls = 5;

/**
 * Plans every case with every seed; with a warm start the frames of an ego in order, all with the seed of the first.
 * Rejects with the signal's reason when aborted.
 */
export async function runPlanner(
  planner: EvaluatedPlanner,
  settings: Settings,
  cases: readonly Case[],
  options: RunOptions,
): Promise<Run> {
  const { samples, seeds } = options;
  const isSampled = samples > 1 || settings.decode.startsWith('sample');
  const values = windowValues(cases.length, isSampled);
  const adeOfSeed = new Array<number>(seeds).fill(0);
  const chains = options.warmStart === null ? cases.map((_, i) => [i]) : chainsOf(cases);
  const plans = Array.from({ length: seeds }, () => new Array<Trajectory>(cases.length));
  const planCase = async (seed: number, i: number, first: number) => {
    const { judge } = cases[i];
    const planOptions = {
      ...planOptionsOf(settings, options, seed * kSeedStride + first),
      ...warmStartOf(cases[i], options, plans[seed]),
    };
    const { plan, drawn } = await draw(planner, cases[i], planOptions, isSampled);
    const metrics = judge.metrics(plan);
    plans[seed][i] = plan;
    addMetrics(values, i, metrics, 1 / seeds);
    if (values.minAde) values.minAde[i] += minAde(drawn, judge.recorded) / seeds;
    adeOfSeed[seed] += metrics.ade / cases.length;
    options.onPlan();
  };
  for (let seed = 0; seed < seeds; ++seed) {
    for (let from = 0; from < chains.length; from += kInFlight) {
      options.signal?.throwIfAborted();
      await Promise.all(
        chains.slice(from, from + kInFlight).map(async (chain) => {
          for (const i of chain) {
            options.signal?.throwIfAborted();
            await planCase(seed, i, chain[0]);
          }
        }),
      );
    }
  }
  const minAdeSamples = isSampled ? Math.max(samples, kMinAdeSamples) : null;
  return { values, minAdeSamples, adeOfSeed, plans };
}

/** Cases that begin with each other's plans, in order. */
function chainsOf(cases: readonly Case[]): number[][] {
  const next = new Map(cases.flatMap(({ before }, i) => (before ? [[before.index, i]] : [])));
  return cases.flatMap(({ before }, i) => {
    if (before) return [];
    const chain: number[] = [];
    for (let at: number | undefined = i; at !== undefined; at = next.get(at)) chain.push(at);
    return [chain];
  });
}

/** The plan of the frame before, as options of a plan; none for first frames. */
export function warmStartOf(
  { before }: Case,
  { warmStart: t0 }: Pick<RunOptions, 'warmStart'>,
  plans: readonly Trajectory[],
): { warmStart?: WarmStart } {
  if (!before || t0 === null) return {};
  const { index, elapsedS, motion } = before;
  return { warmStart: { trajectory: plans[index], elapsedS, motion, t0 } };
}

/**
 * Times synchronous calls over the cases in turn; null when the planner has none or no call is wanted.
 * `plans`: what the cases got, to begin with.
 */
export async function measureLatency(
  planner: EvaluatedPlanner,
  settings: Settings,
  cases: readonly Case[],
  options: RunOptions,
  plans: readonly Trajectory[],
): Promise<{ p50: number; p99: number } | null> {
  if (!planner.planSync || options.latencyCalls === 0) return null;
  const planOptions = planOptionsOf(settings, options, 0);
  const times: number[] = [];
  for (let call = 0; call < kWarmUpCalls + options.latencyCalls; ++call) {
    // A turn of the event loop between calls, so that an abort is heard.
    await setImmediate();
    options.signal?.throwIfAborted();
    const of = cases[call % cases.length];
    const callOptions = { ...planOptions, ...warmStartOf(of, options, plans) };
    const before = performance.now();
    planner.planSync(of.observation, callOptions);
    if (call >= kWarmUpCalls) times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** Options of one plan. */
export function planOptionsOf(
  settings: Settings,
  options: Pick<RunOptions, 'samples' | 'reduce' | 'temperature' | 'coupling'>,
  seed: number,
): EvaluatedPlanOptions {
  const { steps, decode, rule } = settings;
  const { samples, reduce, temperature, coupling } = options;
  const [each, last] =
    decode === 'sample-median' ? (['sample', 'median'] as const) : [decode, decode];
  return {
    steps,
    samples,
    seed,
    decode: each,
    lastDecode: last,
    rule,
    reduce,
    temperature,
    coupling,
  };
}

/** The plan, and the samples that minADE is taken over: at least six, all sharing the prefix. */
async function draw(
  planner: EvaluatedPlanner,
  { observation, window }: Case,
  options: EvaluatedPlanOptions,
  isSampled: boolean,
): Promise<{ plan: Trajectory; drawn: readonly Trajectory[] }> {
  if (!isSampled || options.samples >= kMinAdeSamples) {
    const { trajectory, samples } = await planner.plan(observation, options, window);
    return { plan: trajectory, drawn: samples };
  }
  const six: EvaluatedPlanOptions = {
    ...options,
    samples: kMinAdeSamples,
    reduce: 'first',
    // At t0 = 0 nothing but a search knows of the plan before.
    warmStart: options.warmStart?.t0 === 0 ? undefined : options.warmStart,
  };
  const { samples } = await planner.plan(observation, six, window);
  // The first of six samples is the plan that one sample alone would give, unless that is searched.
  if (options.samples === 1 && options.reduce !== 'search')
    return { plan: samples[0], drawn: samples };
  return { plan: (await planner.plan(observation, options, window)).trajectory, drawn: samples };
}
