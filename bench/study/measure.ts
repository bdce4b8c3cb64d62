// Plans of every contender for the same windows, scored in one pass.

import { join } from 'node:path';
import { baselines } from '../../lib/eval/baselines.js';
import { GroupBootstrap, type Interval } from '../../lib/eval/bootstrap.js';
import { casesOf } from '../../lib/eval/evaluate.js';
import { measureBaseline, measureFixed } from '../../lib/eval/measured.js';
import { scorePlans } from '../../lib/eval/pdm-pass.js';
import { type PdmValues, pdmValues } from '../../lib/eval/pdm-table.js';
import { type RunOptions, runPlanner, type Settings } from '../../lib/eval/planner-runs.js';
import { egoKey } from '../../lib/eval/select-windows.js';
import { meanOfKnown, type WindowValues } from '../../lib/eval/summary.js';
import { averageModels } from '../../lib/model/average.js';
import { loadCheckpoint } from '../../lib/model/checkpoint.js';
import { Planner } from '../../lib/planner.js';
import type { ScenarioWindow } from '../../lib/scenario/types.js';
import { measureInTurns, type Timed } from './latency.js';
import { type Contender, describeMode, type Mode } from './rows.js';

/** A figure with the 95 % interval by resampling vehicles. */
export interface Figure {
  mean: number;
  ci: Interval;
  /** Standard deviation between training seeds; null for one model. */
  deviation: number | null;
}

/** One line of the results. */
export interface Result {
  /** Key of the contender, or of a row without a model. */
  key: string;
  title: string;
  mode: Mode | null;
  /** Models of different training seeds that the figures are means over. */
  models: number;
  /** Distances in metres, rates from 0 to 1, jerk in m/s^3, PDM scores and their parts from 0 to 1; absent: unknown. */
  figures: Record<string, Figure>;
  latencyMs: { p50: number; p99: number } | null;
}

/** Values by window, one list a training seed. */
interface Row {
  key: string;
  title: string;
  mode: Mode | null;
  values: Record<string, Float64Array>[];
}

/** All results for one set of windows. */
export interface Measurement {
  windows: number;
  egos: number;
  results: Result[];
  /** PDMS of `a` less that of `b`, both as `key/mode`. */
  differences: { a: string; b: string; figures: Record<string, Figure> }[];
}

export interface MeasureOptions {
  /** Folder of a contender's checkpoints. */
  folder: (key: string) => string;
  seeds: (key: string) => readonly number[];
  /** Runs of each model with different noise, where a mode draws any. */
  noiseSeeds: (key: string) => number;
  latencyCalls: number;
  onProgress: (text: string) => void;
}

export async function measure(
  windows: readonly ScenarioWindow[],
  contenders: readonly Contender[],
  pairs: readonly (readonly [string, string])[],
  options: MeasureOptions,
): Promise<Measurement> {
  const cases = casesOf(windows);
  const rows: Row[] = [];
  const sets: (readonly Float64Array[] | readonly Float32Array[])[][] = [];
  const owner: { row: Row; seed: number }[] = [];
  for (const name of ['recorded driver', 'constant velocity']) {
    const baseline = baselines.find((of) => of.name === name)!;
    const { values, plans } = measureBaseline(baseline, windows, cases);
    const row: Row = {
      key: name,
      title: name,
      mode: null,
      values: [flatten(values)],
    };
    rows.push(row);
    sets.push(plans as never);
    owner.push({ row, seed: 0 });
  }
  for (const contender of contenders) {
    for (const mode of contender.modes) {
      options.onProgress(`${contender.title}: ${describeMode(mode)}`);
      const row: Row = {
        key: contender.key,
        title: contender.title,
        mode,
        values: [],
      };
      for (const [k, seed] of options.seeds(contender.key).entries()) {
        const planner = await loadContender(contender, mode, options.folder, seed);
        const isDrawn = mode.decode.startsWith('sample');
        const { settings, run } = callsOf(mode, isDrawn ? options.noiseSeeds(contender.key) : 1);
        const { values, plans } = await runPlanner(planner, settings, cases, run);
        row.values.push(flatten(values));
        sets.push(plans as never);
        owner.push({ row, seed: k });
        await planner.close();
      }
      rows.push(row);
    }
  }
  options.onProgress(`scoring ${sets.length} sets of plans`);
  const pass = await scorePlans(windows, sets as never, { signal: undefined, onWindow: () => {} });
  for (const [i, { row, seed }] of owner.entries())
    Object.assign(row.values[seed]!, flattenPdm(pass.values[i]!));
  const closed: Row = {
    key: 'PDM-Closed',
    title: 'PDM-Closed',
    mode: null,
    values: [
      {
        ...flatten(measureFixed('PDM-Closed', pass.pdmClosedPlans, cases).values),
        ...flattenPdm(pass.pdmClosed),
      },
    ],
  };
  rows.splice(1, 0, closed);

  const times =
    options.latencyCalls > 0 ? await timeContenders(windows, contenders, options) : new Map();
  const bootstrap = new GroupBootstrap(windows.map(egoKey));
  const results = rows.map((row) => ({
    key: row.key,
    title: row.title,
    mode: row.mode,
    models: row.values.length,
    figures: figuresOf(row.values, bootstrap),
    latencyMs: times.get(nameOf(row)) ?? null,
  }));
  const named = new Map(rows.map((row) => [nameOf(row), row]));
  const differences = pairs.flatMap(([a, b]) => {
    const [first, second] = [named.get(a), named.get(b)];
    if (!first || !second) return [];
    const each = first.values.map((values, k) => {
      const other = second.values[Math.min(k, second.values.length - 1)]!;
      return Object.fromEntries(
        Object.entries(values).flatMap(([name, of]) => {
          const to = other[name];
          return to ? [[name, of.map((value, i) => value - to[i]!)]] : [];
        }),
      );
    });
    return [{ a, b, figures: figuresOf(each, bootstrap) }];
  });
  return { windows: windows.length, egos: bootstrap.groups, results, differences };
}

/** Times of all contenders' ways to plan by {@link nameOf}, of the first training seed. */
export async function timeContenders(
  windows: readonly ScenarioWindow[],
  contenders: readonly Contender[],
  { folder, seeds, latencyCalls, onProgress }: MeasureOptions,
): Promise<Map<string, NonNullable<Result['latencyMs']>>> {
  const cases = casesOf(windows);
  const timed: (Timed & { name: string })[] = [];
  for (const contender of contenders) {
    for (const mode of contender.modes) {
      const planner = await loadContender(contender, mode, folder, seeds(contender.key)[0]!);
      const { settings, run } = callsOf(mode, 1);
      const plans =
        mode.warmStart === null ? [] : (await runPlanner(planner, settings, cases, run)).plans[0]!;
      timed.push({ name: nameOf({ key: contender.key, mode }), planner, settings, run, plans });
    }
  }
  onProgress(`timing ${timed.length} ways to plan in turns`);
  const times = await measureInTurns(timed, cases, latencyCalls);
  for (const { planner } of timed) await planner.close();
  return new Map(timed.map(({ name }, i) => [name, times[i]!]));
}

/** `key` or `key/mode` of a result. */
export function nameOf({ key, mode }: Pick<Result, 'key' | 'mode'>): string {
  return mode ? `${key}/${describeMode(mode)}` : key;
}

/** The planner of a contender's model of a training seed; seed 0: there is one model. */
async function loadContender(
  { key, averages = [key] }: Contender,
  mode: Mode,
  folder: MeasureOptions['folder'],
  seed: number,
): Promise<Planner> {
  const models = await Promise.all(
    averages.map((of) => loadCheckpoint(join(folder(of), seed === 0 ? of : `${of}-${seed}`))),
  );
  return Planner.fromCheckpoint(averageModels(models), {
    threads: 1,
    maxSamples: Math.max(mode.samples, 6),
    maxSteps: 10,
  });
}

/** What is asked of a planner for a mode. */
function callsOf(mode: Mode, seeds: number): { settings: Settings; run: RunOptions } {
  const { steps, decode, rule = 'renoise', coupling = 'independent', ...rest } = mode;
  const { samples, reduce, warmStart } = rest;
  return {
    settings: { steps, decode, rule },
    run: {
      samples,
      reduce,
      temperature: 1,
      coupling,
      warmStart,
      seeds,
      latencyCalls: 0,
      signal: undefined,
      onPlan: () => {},
    },
  };
}

function flatten(values: WindowValues): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, of]) => (of ? [[name, of]] : [])),
  );
}

function flattenPdm(values: PdmValues): Record<string, Float64Array> {
  const table = (values ?? pdmValues(0)) as unknown as Record<string, Record<string, Float64Array>>;
  return Object.fromEntries(
    ['pdms', 'epdms'].flatMap((version) =>
      Object.entries(table[version]!).map(([name, of]) => [`${version}.${name}`, of]),
    ),
  );
}

/** Means over windows of the means over models; intervals resample vehicles, deviations are between models. */
function figuresOf(
  models: readonly Record<string, Float64Array>[],
  bootstrap: GroupBootstrap,
): Record<string, Figure> {
  const names = Object.keys(models[0]!);
  return Object.fromEntries(
    names.flatMap((name) => {
      const lists = models.map((values) => values[name]!);
      const each = lists[0]!.map(
        (_, i) => lists.reduce((sum, of) => sum + of[i]!, 0) / lists.length,
      );
      const mean = meanOfKnown(each);
      if (Number.isNaN(mean)) return [];
      return [
        [
          name,
          { mean, ci: bootstrap.interval(each), deviation: deviation(lists.map(meanOfKnown)) },
        ],
      ];
    }),
  );
}

function deviation(means: readonly number[]): number | null {
  if (means.length < 2) return null;
  const mean = means.reduce((a, b) => a + b, 0) / means.length;
  return Math.sqrt(means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (means.length - 1));
}
