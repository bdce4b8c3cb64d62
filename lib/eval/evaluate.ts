import { argumentError, WamFlowError } from '../errors.js';
import type { Reduce, StepRule } from '../plan-options.js';
import { observationFromWindow } from '../scenario/observe.js';
import {
  kWaypointInterval,
  kWaypoints,
  type ScenarioData,
  type ScenarioMap,
  type ScenarioWindow,
} from '../scenario/types.js';
import { type Baseline, baselines } from './baselines.js';
import { GroupBootstrap, type Interval } from './bootstrap.js';
import { WindowJudge } from './metrics.js';
import {
  type Case,
  type EvaluateDecode,
  type EvaluatedPlanner,
  measureLatency,
  type RunOptions,
  runPlanner,
  type Settings,
} from './planner-runs.js';
import { RoadArea } from './road-area.js';
import {
  addMetrics,
  type Difference,
  differences,
  type GroupMeans,
  groupMeans,
  groupsOf,
  intervals,
  type MetricMeans,
  type MetricName,
  means,
  type WindowValues,
  windowValues,
} from './summary.js';

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** Split whose windows are used, or `all`. Default `val`. */
  split?: string;
  /** Name of the planner in its rows. Default `wam-flow`. */
  name?: string;
  /** One row for each combination of the three. Defaults: steps 1 and 5, median and sample, renoise. */
  steps?: readonly number[];
  decode?: readonly EvaluateDecode[];
  rule?: readonly StepRule[];
  /** Samples that a plan is reduced from, and how. Defaults 1 and `medoid`. */
  samples?: number;
  reduce?: Reduce;
  /** Of sampling. Default 1. */
  temperature?: number;
  /** Runs with different random numbers; metrics are means over them. Default 1. */
  seeds?: number;
  /** Calls that are timed for each row. Default 100; 0 for none. */
  latencyCalls?: number;
  /** Bootstrap resamples of the confidence intervals. Default 1000. */
  resamples?: number;
  signal?: AbortSignal;
  /** Called after each plan. */
  onProgress?: (done: number, total: number) => void;
}

/** One line of an evaluation: a planner with its options, or a baseline (steps 0, decode and rule null). */
export interface EvaluationRow extends MetricMeans {
  planner: string;
  steps: number;
  decode: EvaluateDecode | null;
  rule: StepRule | null;
  /** Samples that each plan was reduced from. */
  samples: number;
  /** Samples that `minAde` is the best of; null where nothing was sampled. */
  minAdeSamples: number | null;
  seeds: number;
  /** Standard deviation of the ADE between seeds, metres; null for one seed. */
  adeSeedDeviation: number | null;
  /** Windows. */
  n: number;
  /** Time of one synchronous call with `samples` samples, milliseconds; null where none was timed. */
  latencyMs: { p50: number; p99: number } | null;
  /** 95 % intervals by resampling egos. */
  ci: Partial<Record<MetricName, Interval>>;
  /** This row minus the reference row, paired by window; null for the reference itself. */
  difference: Partial<Record<MetricName, Difference>> | null;
  by: { location: Record<string, GroupMeans>; manoeuvre: Record<string, GroupMeans> };
}

/** What {@link evaluate} returns. */
export interface Evaluation {
  split: string;
  /** Windows used, the egos they belong to, and windows left out because their future is shorter than 4 s. */
  n: number;
  egos: number;
  skipped: number;
  /** Index of the row that differences are taken to: the planner's first, else constant velocity. */
  reference: number;
  /** The recorded driver, the floors, then the planner: decode by decode, steps ascending as given, rule by rule. */
  rows: EvaluationRow[];
}

/** A row before the statistics. */
interface Measured {
  head: Omit<EvaluationRow, keyof MetricMeans | 'n' | 'ci' | 'difference' | 'by'>;
  values: WindowValues;
}

/**
 * Plans every window and compares with what the drivers did. Conventions: docs/evaluation.md.
 *
 * @param planner null for the baselines alone.
 * @throws WamFlowError `ERR_SCENARIO` when no window of the split has 4 s of future; `ERR_ARGUMENT` for impossible
 *   options; what the planner throws. Rejects with the signal's reason when aborted.
 */
export async function evaluate(
  planner: EvaluatedPlanner | null,
  data: ScenarioData,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const split = options.split ?? 'val';
  const settings = settingsOf(options);
  const { windows, skipped } = select(data, split);
  const cases = prepare(windows);
  const measured = baselines.map((baseline) => measureBaseline(baseline, windows, cases));
  if (planner) measured.push(...(await measurePlanner(planner, settings, cases, options)));

  const bootstrap = new GroupBootstrap(
    windows.map((window) => `${window.ego} ${window.recording.id}`),
    options.resamples,
  );
  const groups = groupsOf(windows);
  const all = windows.map((_, i) => i);
  const reference = planner ? baselines.length : 1;
  const rows = measured.map(({ head, values }, i): EvaluationRow => {
    const to = measured[reference].values;
    return {
      ...head,
      n: windows.length,
      ...means(values, all),
      ci: intervals(values, bootstrap),
      difference: i === reference ? null : differences(values, to, bootstrap),
      by: {
        location: groupMeans(values, groups.location),
        manoeuvre: groupMeans(values, groups.manoeuvre),
      },
    };
  });
  return { split, n: windows.length, egos: bootstrap.groups, skipped, reference, rows };
}

function select(data: ScenarioData, split: string): { windows: ScenarioWindow[]; skipped: number } {
  const ofSplit = data.windows.filter((window) => split === 'all' || window.split === split);
  const windows = ofSplit.filter(
    ({ future, recording }) => future * recording.dt >= kWaypoints * kWaypointInterval - 1e-9,
  );
  if (windows.length === 0) {
    const known = [...new Set(data.windows.map((window) => window.split))].join(', ');
    throw new WamFlowError(
      'ERR_SCENARIO',
      ofSplit.length > 0
        ? `none of the ${ofSplit.length} windows of split ${split} has 4 s of future`
        : `there is no window of split ${split}; splits here: ${known || 'none'}`,
    );
  }
  return { windows, skipped: ofSplit.length - windows.length };
}

function prepare(windows: readonly ScenarioWindow[]): Case[] {
  const roads = new Map<ScenarioMap, RoadArea>();
  return windows.map((window) => {
    const { map } = window.recording;
    const road = roads.get(map) ?? new RoadArea(map);
    roads.set(map, road);
    return { observation: observationFromWindow(window), judge: new WindowJudge(window, road) };
  });
}

function settingsOf(options: EvaluateOptions): Settings[] {
  const { steps = [1, 5], decode = ['median', 'sample'], rule = ['renoise'] } = options;
  for (const [name, list] of Object.entries({ steps, decode, rule })) {
    if (list.length === 0) throw argumentError(name, 'at least one entry', list);
  }
  return decode.flatMap((how) =>
    steps.flatMap((n) =>
      // One step goes from noise to the plan and has no rule.
      rule.slice(0, n === 1 ? 1 : rule.length).map((by) => ({ steps: n, decode: how, rule: by })),
    ),
  );
}

function measureBaseline(
  baseline: Baseline,
  windows: readonly ScenarioWindow[],
  cases: readonly Case[],
): Measured {
  const values = windowValues(windows.length, false);
  for (const [i, { judge }] of cases.entries()) {
    addMetrics(values, i, judge.metrics(baseline.plan(windows[i])));
  }
  return {
    head: {
      planner: baseline.name,
      steps: 0,
      decode: null,
      rule: null,
      samples: 1,
      minAdeSamples: null,
      seeds: 1,
      adeSeedDeviation: null,
      latencyMs: null,
    },
    values,
  };
}

async function measurePlanner(
  planner: EvaluatedPlanner,
  settings: readonly Settings[],
  cases: readonly Case[],
  options: EvaluateOptions,
): Promise<Measured[]> {
  const seeds = positive('seeds', options.seeds ?? 1);
  const total = settings.length * cases.length * seeds;
  let done = 0;
  const run: RunOptions = {
    samples: positive('samples', options.samples ?? 1),
    reduce: options.reduce ?? 'medoid',
    temperature: options.temperature ?? 1,
    seeds,
    latencyCalls: options.latencyCalls ?? 100,
    signal: options.signal,
    onPlan: () => options.onProgress?.(++done, total),
  };
  const measured: Measured[] = [];
  for (const each of settings) {
    const { values, minAdeSamples, adeOfSeed } = await runPlanner(planner, each, cases, run);
    measured.push({
      head: {
        planner: options.name ?? 'wam-flow',
        ...each,
        samples: run.samples,
        minAdeSamples,
        seeds,
        adeSeedDeviation: seeds > 1 ? deviation(adeOfSeed) : null,
        latencyMs: await measureLatency(planner, each, cases, run),
      },
      values,
    });
  }
  return measured;
}

function positive(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) throw argumentError(name, 'an integer from 1', value);
  return value;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
}
