import type { Coupling, Reduce } from '../plan-options.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { Baseline } from './baselines.js';
import type { Trajectory } from './metrics.js';
import {
  type Case,
  type EvaluatedPlanner,
  measureLatency,
  type RunOptions,
  runPlanner,
  type Settings,
} from './planner-runs.js';
import { addMetrics, type WindowValues, windowValues } from './summary.js';

/** What was planned with: a planner with its options, or a baseline (steps 0, decode and rule null). */
export interface RowHead {
  planner: string;
  steps: number;
  decode: Settings['decode'] | null;
  rule: Settings['rule'] | null;
  /** Samples that each plan was reduced from. */
  samples: number;
  reduce: Reduce | null;
  coupling: Coupling | null;
  /** Time of the path at which frames begin with the plan before them; null: every plan is for itself. */
  warmStart: number | null;
  /** Samples that `minAde` is the best of; null where nothing was sampled. */
  minAdeSamples: number | null;
  seeds: number;
  /** Standard deviation of the ADE between seeds, metres; null for one seed. */
  adeSeedDeviation: number | null;
  /** Time of one synchronous call with `samples` samples, milliseconds; null where none was timed. */
  latencyMs: { p50: number; p99: number } | null;
}

/** A row before the statistics. */
export interface Measured {
  head: RowHead;
  values: WindowValues;
  /** By seed and window. */
  plans: Trajectory[][];
}

/** Plans every window with a baseline. */
export function measureBaseline(
  { name, plan }: Baseline,
  windows: readonly ScenarioWindow[],
  cases: readonly Case[],
): Measured {
  return measureFixed(name, windows.map(plan), cases);
}

/** A row of plans that need no planner; windows without a plan (null) have no values. */
export function measureFixed(
  planner: string,
  plans: readonly (Float64Array | null)[],
  cases: readonly Case[],
): Measured {
  const values = windowValues(cases.length, false);
  for (const [i, { judge }] of cases.entries()) {
    const plan = plans[i];
    if (plan) addMetrics(values, i, judge.metrics(plan));
    else for (const of of Object.values(values)) if (of) of[i] = Number.NaN;
  }
  const head: RowHead = {
    planner,
    steps: 0,
    decode: null,
    rule: null,
    samples: 1,
    reduce: null,
    coupling: null,
    warmStart: null,
    minAdeSamples: null,
    seeds: 1,
    adeSeedDeviation: null,
    latencyMs: null,
  };
  return { head, values, plans: [plans.map((plan) => plan ?? new Float64Array(0))] };
}

/** One row for each of the settings, in order. */
export async function measurePlanner(
  planner: EvaluatedPlanner,
  name: string,
  settings: readonly Settings[],
  cases: readonly Case[],
  run: RunOptions,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const each of settings) {
    const done = await runPlanner(planner, each, cases, run);
    const head: RowHead = {
      planner: name,
      ...each,
      samples: run.samples,
      reduce: run.reduce,
      coupling: run.coupling,
      warmStart: run.warmStart,
      minAdeSamples: done.minAdeSamples,
      seeds: run.seeds,
      adeSeedDeviation: run.seeds > 1 ? deviation(done.adeOfSeed) : null,
      latencyMs: await measureLatency(planner, each, cases, run, done.plans[0]),
    };
    measured.push({ head, values: done.values, plans: done.plans });
  }
  return measured;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
}
