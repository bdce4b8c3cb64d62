import { argumentError } from '../errors.js';
import type { Coupling, Reduce, StepRule } from '../plan-options.js';
import { observationFromWindow } from '../scenario/observe.js';
import type { ScenarioData, ScenarioMap, ScenarioWindow } from '../scenario/types.js';
import { baselines } from './baselines.js';
import { GroupBootstrap, type Interval } from './bootstrap.js';
import { framesBefore } from './frames.js';
import { measureBaseline, measureFixed, measurePlanner, type RowHead } from './measured.js';
import { WindowJudge } from './metrics.js';
import { type PdmPass, scorePlans } from './pdm-pass.js';
import { type PdmRow, type PdmSummary, pdmRow, pdmSummary } from './pdm-summary.js';
import type { PdmValues } from './pdm-table.js';
import type {
  Case,
  EvaluateDecode,
  EvaluatedPlanner,
  RunOptions,
  Settings,
} from './planner-runs.js';
import { RoadArea } from './road-area.js';
import { egoKey, selectWindows } from './select-windows.js';
import {
  type Difference,
  differences,
  type GroupMeans,
  groupMeans,
  groupsOf,
  intervals,
  type MetricMeans,
  type MetricName,
  means,
} from './summary.js';

/** A planner with the name of its rows. */
export interface NamedPlanner {
  name: string;
  planner: EvaluatedPlanner;
}

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** Split whose windows are used, or `all`. Default `val`. */
  split?: string;
  /** Windows at most, whole vehicles evenly spread over the split. Default all. */
  limit?: number;
  /** PDMS, EPDMS and the row of PDM-Closed. Default true; costs about 10 ms a window. */
  pdm?: boolean;
  /** Name of the planner in its rows. Default `wam-flow`. */
  name?: string;
  /** Others, such as the same planner shown less; their rows follow the planner's, which they are compared with. */
  variants?: readonly NamedPlanner[];
  /** One row for each combination of the three. Defaults: steps 1 and 5, median and sample, renoise. */
  steps?: readonly number[];
  decode?: readonly EvaluateDecode[];
  rule?: readonly StepRule[];
  /** Samples that a plan is reduced from, and how. Defaults 1 and `medoid`. */
  samples?: number;
  reduce?: Reduce;
  /** Of sampling. Default 1. */
  temperature?: number;
  /** How the tokens of a sample go together. Default `independent`. */
  coupling?: Coupling;
  /**
   * Plan the frames of a vehicle in order and begin each with the plan before it, at this time of the path
   * (`warmStart` of a plan). Default: every window for itself.
   */
  warmStart?: number;
  /** Runs with different random numbers; metrics are means over them. Default 1. */
  seeds?: number;
  /** Calls that are timed for each row. Default 100; 0 for none. */
  latencyCalls?: number;
  /** Bootstrap resamples of the confidence intervals. Default 1000. */
  resamples?: number;
  signal?: AbortSignal;
  /** Called after each plan, and after each window whose plans were scored. */
  onProgress?: (done: number, total: number) => void;
}

/** One line of an evaluation. */
export interface EvaluationRow extends RowHead, MetricMeans {
  /** Windows. */
  n: number;
  /** 95 % intervals by resampling egos. */
  ci: Partial<Record<MetricName, Interval>>;
  /** This row minus the reference row, paired by window; null for the reference itself. */
  difference: Partial<Record<MetricName, Difference>> | null;
  /** PDMS and EPDMS; null when they were not wanted. */
  pdm: PdmRow | null;
  by: { location: Record<string, GroupMeans>; manoeuvre: Record<string, GroupMeans> };
}

/** What {@link evaluate} returns. */
export interface Evaluation {
  split: string;
  /** Windows used, the egos they belong to, and windows of the split left out because their future is under 4 s. */
  n: number;
  egos: number;
  skipped: number;
  /** Index of the row that differences are taken to: the planner's first, else constant velocity. */
  reference: number;
  /** What the PDM scores were computed by and from; null when they were not wanted. */
  pdm: PdmSummary | null;
  /** The recorded driver, PDM-Closed (with PDM scores), the floors, then each planner: decode by decode, steps ascending as given, rule by rule. */
  rows: EvaluationRow[];
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
  const { windows, skipped } = selectWindows(data, split, options.limit);
  const cases = casesOf(windows);
  const measured = baselines.map((baseline) => measureBaseline(baseline, windows, cases));
  const wantsPdm = options.pdm ?? true;
  let done = 0;
  const run = runOptionsOf(options, () => options.onProgress?.(++done, total));
  const planners: NamedPlanner[] = planner
    ? [{ name: options.name ?? 'wam-flow', planner }, ...(options.variants ?? [])]
    : [];
  const planned = planners.length * settings.length * run.seeds;
  const total = (planned + (wantsPdm ? 1 : 0)) * windows.length;
  for (const { name, planner: of } of planners) {
    measured.push(...(await measurePlanner(of, name, settings, cases, run)));
  }

  let pass: PdmPass | null = null;
  const pdmValues: (PdmValues | null)[] = measured.map(() => null);
  if (wantsPdm) {
    const sets = measured.map(({ plans }) => plans);
    pass = await scorePlans(windows, sets, { signal: options.signal, onWindow: run.onPlan });
    measured.splice(1, 0, measureFixed('PDM-Closed', pass.pdmClosedPlans, cases));
    pdmValues.splice(0, measured.length, ...pass.values.toSpliced(1, 0, pass.pdmClosed));
  }

  const bootstrap = new GroupBootstrap(windows.map(egoKey), options.resamples);
  const groups = groupsOf(windows);
  const all = windows.map((_, i) => i);
  const reference = measured.findIndex(({ head }) =>
    planner ? head.decode !== null : head.planner === 'constant velocity',
  );
  const rows = measured.map(({ head, values }, i): EvaluationRow => {
    const to = measured[reference].values;
    const pdm = pdmValues[i];
    return {
      ...head,
      n: windows.length,
      ...means(values, all),
      ci: intervals(values, bootstrap),
      difference: i === reference ? null : differences(values, to, bootstrap),
      pdm: pdm && pdmRow(pdm, i === reference ? null : pdmValues[reference], bootstrap, groups),
      by: {
        location: groupMeans(values, groups.location),
        manoeuvre: groupMeans(values, groups.manoeuvre),
      },
    };
  });
  const pdm = pass && pdmSummary(pass, windows.length);
  return { split, n: windows.length, egos: bootstrap.groups, skipped, reference, pdm, rows };
}

/** What runs need of each window. */
export function casesOf(windows: readonly ScenarioWindow[]): Case[] {
  const roads = new Map<ScenarioMap, RoadArea>();
  const before = framesBefore(windows);
  return windows.map((window, i) => {
    const { map } = window.recording;
    const road = roads.get(map) ?? new RoadArea(map);
    roads.set(map, road);
    return {
      window,
      observation: observationFromWindow(window),
      judge: new WindowJudge(window, road),
      before: before[i],
    };
  });
}

/** One for each combination of decode, steps and rule. Throws ERR_ARGUMENT for an empty list. */
export function settingsOf(
  options: Pick<EvaluateOptions, 'steps' | 'decode' | 'rule'>,
): Settings[] {
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

function runOptionsOf(options: EvaluateOptions, onPlan: () => void): RunOptions {
  return {
    samples: positive('samples', options.samples ?? 1),
    reduce: options.reduce ?? 'medoid',
    temperature: options.temperature ?? 1,
    coupling: options.coupling ?? 'independent',
    warmStart: options.warmStart ?? null,
    seeds: positive('seeds', options.seeds ?? 1),
    latencyCalls: options.latencyCalls ?? 100,
    signal: options.signal,
    onPlan,
  };
}

function positive(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) throw argumentError(name, 'an integer from 1', value);
  return value;
}
