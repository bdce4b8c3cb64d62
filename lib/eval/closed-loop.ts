import { setImmediate } from 'node:timers/promises';
import { argumentError, WamFlowError } from '../errors.js';
import type { Coupling, Reduce } from '../plan-options.js';
import type { ScenarioData, ScenarioWindow } from '../scenario/types.js';
import { GroupBootstrap, type Interval } from './bootstrap.js';
import { driveWindow, type Policy, stepsOf } from './closed-loop-drive.js';
import {
  type DriveFigures,
  DriveJudge,
  type DriveVerdict,
  type ScoredFigures,
} from './closed-loop-judge.js';
import { constantVelocityPolicy, humanPolicy, pdmClosedPolicy } from './closed-loop-policies.js';
import type { FailedWindow } from './pdm-pass.js';
import {
  type EvaluatedPlanner,
  planOptionsOf,
  type RunOptions,
  type Settings,
} from './planner-runs.js';
import { egoKey, selectWindows } from './select-windows.js';
import { type Difference, meanOfKnown } from './summary.js';

/** Options of {@link evaluateClosedLoop}. */
export interface ClosedLoopOptions {
  /** Split whose windows are driven, or `all`. Default `val`. */
  split?: string;
  /** Windows at most, whole vehicles evenly spread. Default all. */
  limit?: number;
  /** Seconds between plans, 0.1 to 0.5 in steps of 0.1. Default 0.5. */
  replanS?: number;
  /** The others do what was recorded, or (for 4 s) react to the ego by the intelligent driver model. Default `replay`. */
  traffic?: 'replay' | 'reactive';
  /** Bootstrap resamples of the confidence intervals. Default 1000. */
  resamples?: number;
  signal?: AbortSignal;
  /** Called after each drive. */
  onProgress?: (done: number, total: number) => void;
}

/** Planner and options of the rows that it gets. */
export interface ClosedLoopPlanner {
  planner: EvaluatedPlanner;
  name: string;
  settings: readonly Settings[];
  run: Pick<RunOptions, 'samples' | 'reduce' | 'temperature' | 'coupling'>;
}

type ClosedFigures = ScoredFigures & DriveFigures;

/** One planner in closed loop. Figures are means over windows; null where none has a value. */
export interface ClosedLoopRow extends Record<keyof ClosedFigures, number | null> {
  planner: string;
  /** 0 and null for those that are no planner with options. */
  steps: number;
  decode: Settings['decode'] | null;
  rule: Settings['rule'] | null;
  samples: number;
  reduce: Reduce | null;
  coupling: Coupling | null;
  /** Windows driven. */
  n: number;
  /** Metres driven by this one over metres driven by the recorded drivers. */
  progress: number;
  /** Windows by comfort signal whose bound is broken. */
  discomforts: Record<string, number>;
  /** 95 % intervals by resampling egos. */
  ci: Record<keyof ClosedFigures, Interval | null>;
  /** The first plans, as an open-loop evaluation scores them. */
  open: Record<keyof ScoredFigures, number | null>;
  /** Closed minus open, paired by window. */
  closedMinusOpen: Record<keyof ScoredFigures, Difference | null>;
  /** Time of planning, driving and judging, seconds a window. */
  secondsPerWindow: number;
}

/** What {@link evaluateClosedLoop} returns. */
export interface ClosedLoopEvaluation {
  split: string;
  replanS: number;
  traffic: 'replay' | 'reactive';
  /** Windows driven, their egos, and windows left out because their future is under 4 s. */
  n: number;
  egos: number;
  skipped: number;
  /** Mean length of a drive, seconds. */
  meanSeconds: number;
  /** Windows that no scene could be made from. */
  failed: FailedWindow[];
  /** The recorded driver, PDM-Closed, constant velocity, then the planner's rows. */
  rows: ClosedLoopRow[];
}

const kScored = [
  'pdms',
  'epdms',
  'noAtFaultCollisions',
  'drivableAreaCompliance',
  'egoProgress',
  'timeToCollisionWithinBound',
  'ade',
] as const satisfies readonly (keyof ScoredFigures)[];
const kClosed = [
  ...kScored,
  'collisionAtFault',
  'collision',
  'offRoad',
  'discomfort',
  'finalDistance',
  'distance',
] as const satisfies readonly (keyof ClosedFigures)[];
const kStepsPerSecond = 10;
// Plan k of window i has seed i * 2^10 + k, so that no two plans share their noise.
const kSeedStride = 2 ** 10;

/** Who drives. */
interface Driver {
  head: Pick<
    ClosedLoopRow,
    'planner' | 'steps' | 'decode' | 'rule' | 'samples' | 'reduce' | 'coupling'
  >;
  policy: (window: ScenarioWindow, index: number) => Policy;
}

/**
 * Drives every window in closed loop with each driver and compares with what open-loop figures say. Conventions:
 * docs/evaluation.md.
 *
 * @param planner null for the recorded driver, PDM-Closed and constant velocity alone.
 * @throws WamFlowError `ERR_SCENARIO` when no window of the split can be driven; `ERR_ARGUMENT` for impossible options;
 *   what the planner throws. Rejects with the signal's reason when aborted.
 */
export async function evaluateClosedLoop(
  planner: ClosedLoopPlanner | null,
  data: ScenarioData,
  options: ClosedLoopOptions = {},
): Promise<ClosedLoopEvaluation> {
  const { split = 'val', replanS = 0.5, traffic = 'replay', signal } = options;
  const replanSteps = Math.round(replanS * kStepsPerSecond);
  if (
    !(replanSteps >= 1 && replanSteps <= 5) ||
    Math.abs(replanS * kStepsPerSecond - replanSteps) > 1e-6
  ) {
    throw argumentError('replanS', '0.1, 0.2, 0.3, 0.4 or 0.5', replanS);
  }
  if (traffic !== 'replay' && traffic !== 'reactive') {
    throw argumentError('traffic', 'replay or reactive', traffic);
  }
  const selection = selectWindows(data, split, options.limit);
  const drivers = driversOf(planner);
  const total = selection.windows.length * drivers.length;
  const verdicts = drivers.map((): DriveVerdict[] => []);
  const seconds = drivers.map(() => 0);
  const driven: { window: ScenarioWindow; steps: number; humanDistance: number }[] = [];
  const failed: FailedWindow[] = [];
  let done = 0;
  for (const [i, window] of selection.windows.entries()) {
    const steps = stepsOf(window, traffic === 'reactive');
    const judge = judgeOf(window, traffic, steps, failed);
    for (const [d, { policy }] of drivers.entries()) {
      await setImmediate();
      signal?.throwIfAborted();
      if (judge) {
        const begin = performance.now();
        const { reactive } = judge;
        const drive = await driveWindow(window, policy(window, i), {
          replanSteps,
          reactive,
          signal,
        });
        verdicts[d].push(judge.verdict(drive));
        seconds[d] += (performance.now() - begin) / 1000;
      }
      options.onProgress?.(++done, total);
    }
    if (!judge) continue;
    driven.push({ window, steps, humanDistance: judge.humanDistance });
    judge.close();
  }
  if (driven.length === 0) {
    const [{ window, message }] = failed;
    throw new WamFlowError('ERR_SCENARIO', `no window could be driven; ${window}: ${message}`);
  }
  const bootstrap = new GroupBootstrap(
    driven.map(({ window }) => egoKey(window)),
    options.resamples,
  );
  const sum = (of: (one: (typeof driven)[number]) => number) =>
    driven.reduce((total, one) => total + of(one), 0);
  const humanDistance = sum((one) => one.humanDistance);
  return {
    split,
    replanS,
    traffic,
    n: driven.length,
    egos: bootstrap.groups,
    skipped: selection.skipped,
    meanSeconds: sum(({ steps }) => steps) / kStepsPerSecond / driven.length,
    failed,
    rows: drivers.map(({ head }, d) => ({
      ...head,
      ...rowOf(verdicts[d], bootstrap),
      progress:
        verdicts[d].reduce((total, { closed }) => total + closed.distance, 0) / humanDistance,
      secondsPerWindow: seconds[d] / driven.length,
    })),
  };
}

function driversOf(planner: ClosedLoopPlanner | null): Driver[] {
  const fixed = (name: string, policy: Driver['policy']): Driver => ({
    head: {
      planner: name,
      steps: 0,
      decode: null,
      rule: null,
      samples: 1,
      reduce: null,
      coupling: null,
    },
    policy,
  });
  const own = (planner?.settings ?? []).map((settings): Driver => {
    const { planner: engine, name, run } = planner!;
    return {
      head: {
        planner: name,
        ...settings,
        samples: run.samples,
        reduce: run.reduce,
        coupling: run.coupling,
      },
      policy:
        (_, i) =>
        async ({ observation, index, window }) => {
          const options = planOptionsOf(settings, run, i * kSeedStride + index);
          return (await engine.plan(observation, options, window)).trajectory;
        },
    };
  });
  return [
    fixed('recorded driver', humanPolicy),
    fixed('PDM-Closed', () => pdmClosedPolicy),
    fixed('constant velocity', () => constantVelocityPolicy),
    ...own,
  ];
}

function judgeOf(
  window: ScenarioWindow,
  traffic: 'replay' | 'reactive',
  steps: number,
  failed: FailedWindow[],
): DriveJudge | null {
  try {
    return new DriveJudge(window, traffic, steps);
  } catch (error) {
    if (!(error instanceof WamFlowError)) throw error;
    failed.push({ window: window.id, code: error.code, message: error.message });
    return null;
  }
}

function rowOf(
  verdicts: readonly DriveVerdict[],
  bootstrap: GroupBootstrap,
): Omit<ClosedLoopRow, keyof Driver['head'] | 'progress' | 'secondsPerWindow'> {
  const closed = (name: keyof ClosedFigures) => verdicts.map((verdict) => verdict.closed[name]);
  const open = (name: keyof ScoredFigures) => verdicts.map((verdict) => verdict.open[name]);
  const discomforts: Record<string, number> = {};
  for (const name of verdicts.flatMap((verdict) => verdict.discomforts)) {
    discomforts[name] = (discomforts[name] ?? 0) + 1;
  }
  return {
    n: verdicts.length,
    ...byName(kClosed, (name) => known(meanOfKnown(closed(name)))),
    ci: byName(kClosed, (name) => {
      const values = closed(name);
      return values.every(Number.isNaN) ? null : bootstrap.interval(values);
    }),
    open: byName(kScored, (name) => known(meanOfKnown(open(name)))),
    closedMinusOpen: byName(kScored, (name) => {
      const before = open(name);
      const each = closed(name).map((value, i) => value - before[i]);
      const mean = known(meanOfKnown(each));
      return mean === null ? null : { mean, ci: bootstrap.interval(each) };
    }),
    discomforts,
  };
}

function byName<N extends string, T>(names: readonly N[], of: (name: N) => T): Record<N, T> {
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<N, T>;
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
