import type { CameraOptions } from '../camera/options.js';
import type { VlaReduce } from '../vla/reduce-plans.js';
import type { StepRule } from '../plan-options.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { VlaPlanner } from '../vla/vla-planner.js';
import { GroupBootstrap } from './bootstrap.js';
import { casesOf } from './evaluate.js';
import type { Trajectory } from './metrics.js';
import { scorePlans } from './pdm-pass.js';
import { type EvaluateDecode, runPlanner } from './planner-runs.js';
import { egoKey } from './select-windows.js';
import { shuffledCommands } from './shuffle-commands.js';
import type { WindowValues } from './summary.js';
import { cameraOf, visionPlanner } from './vision-planner.js';
import {
  type Figure,
  figureDifferences,
  summarize,
  type WindowFigures,
  windowFigures,
} from './window-figures.js';
import { CameraPictures, greyPictures, type WindowPictures } from './window-pictures.js';

/** What a model is shown, and how it plans. */
export interface VlaRunOptions {
  /** True: an even grey in place of the picture. Default false. */
  blank?: boolean;
  /** `shuffled`: the command of a window with another one. Default `given`. */
  command?: 'given' | 'shuffled';
  /** Of shuffling. Default 1. */
  shuffleSeed?: number;
  /** These three by default as the planner makes plans. */
  steps?: number;
  decode?: EvaluateDecode;
  rule?: StepRule;
  /** Samples that a plan is reduced from, and how. Defaults 1 and `medoid`. */
  samples?: number;
  reduce?: VlaReduce;
  /** Of sampling. Default 1. */
  temperature?: number;
  /** Runs with different random numbers; figures are means over them. Default 1. */
  seeds?: number;
  /** Of the camera beside its size, which is the model's. Default {@link CameraOptions}'. */
  camera?: CameraOptions;
  /** Pictures that are already there; instead of `camera`. */
  pictures?: WindowPictures;
  signal?: AbortSignal;
  /** Called after each plan, and by {@link evaluateVla} after each window that was scored. */
  onProgress?: (done: number, total: number) => void;
}

/** Plans of all windows. */
export interface VlaRun {
  /** [seeds][windows]: poses [8, 3]. */
  plans: Trajectory[][];
  values: WindowValues;
}

/** What {@link evaluateVla} returns. */
export interface VlaEvaluation {
  /** By window, for means over some of them and for paired differences. */
  figures: WindowFigures;
  /** Means with 95 % intervals by resampling vehicles. */
  means: Record<string, Figure>;
  /** [seeds][windows]: poses [8, 3]. */
  plans: Trajectory[][];
  /** Windows that no scene could be made from. */
  failed: { window: string; code: string; message: string }[];
}

/**
 * Plans windows from what a camera sees of them.
 *
 * @param windows with 4 s of future (`selectWindows`)
 * @throws WamFlowError `ERR_CONFIG` for a model that does not plan 8 waypoints or has no wording, `ERR_SCENARIO` for
 *   commands that cannot be shuffled, and as the planner. Rejects with the signal's reason when aborted.
 */
export async function runVla(
  planner: VlaPlanner,
  windows: readonly ScenarioWindow[],
  options: VlaRunOptions = {},
): Promise<VlaRun> {
  const { defaults } = planner;
  const { steps = defaults.steps, decode = defaults.decode, rule = defaults.rule } = options;
  const { blank = false, signal } = options;
  const { samples = 1, seeds = 1, temperature = 1, reduce = 'medoid', camera = {} } = options;
  const own = blank || options.pictures ? null : new CameraPictures(cameraOf(planner, camera));
  const pictures = blank ? greyPictures : (options.pictures ?? own!);
  let done = 0;
  try {
    const shown = visionPlanner(planner, {
      pictures,
      signal,
      commandOf:
        options.command === 'shuffled' ? shuffler(windows, options.shuffleSeed) : undefined,
    });
    const { plans, values } = await runPlanner(shown, { steps, decode, rule }, casesOf(windows), {
      ...{ samples, seeds, temperature, reduce, signal },
      coupling: 'independent',
      warmStart: null,
      latencyCalls: 0,
      onPlan: () => options.onProgress?.(++done, seeds * windows.length),
    });
    return { plans, values };
  } finally {
    await own?.close();
  }
}

/**
 * Plans windows from what a camera sees of them, and scores the plans: what {@link runVla} measures, and PDMS and EPDMS with
 * their parts.
 *
 * @throws as {@link runVla}
 */
export async function evaluateVla(
  planner: VlaPlanner,
  windows: readonly ScenarioWindow[],
  options: VlaRunOptions = {},
): Promise<VlaEvaluation> {
  const planned = (options.seeds ?? 1) * windows.length;
  const total = planned + windows.length;
  const onProgress = (done: number) => options.onProgress?.(done, total);
  const { plans, values } = await runVla(planner, windows, { ...options, onProgress });
  let scored = planned;
  const pass = await scorePlans(windows, [plans], {
    signal: options.signal,
    onWindow: () => onProgress(++scored),
  });
  const figures = windowFigures(values, pass.values[0]);
  return {
    figures,
    means: summarize(figures, new GroupBootstrap(windows.map(egoKey))),
    plans,
    failed: pass.failed,
  };
}

/**
 * Means of `a` less those of `b`, of the same windows, paired, with 95 % intervals by resampling vehicles.
 */
export function compareVla(
  a: Pick<VlaEvaluation, 'figures'>,
  b: Pick<VlaEvaluation, 'figures'>,
  windows: readonly ScenarioWindow[],
): Record<string, Figure> {
  return figureDifferences(a.figures, b.figures, new GroupBootstrap(windows.map(egoKey)));
}

/** The wrong command of each of the windows. */
export function shuffler(windows: readonly ScenarioWindow[], seed?: number) {
  const commands = shuffledCommands(windows, seed);
  const of = new Map(windows.map(({ id }, i) => [id, commands[i]!]));
  return ({ id }: ScenarioWindow) => of.get(id)!;
}
