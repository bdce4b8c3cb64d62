import type { ScenarioWindow } from '../scenario/types.js';
import type { GroupBootstrap, Interval } from './bootstrap.js';
import { manoeuvreOf } from './manoeuvre.js';
import type { PlanMetrics } from './metrics.js';

/** Means over windows; see {@link PlanMetrics} for the units. */
export interface MetricMeans extends PlanMetrics {
  /** Lowest ADE among samples, metres; null where nothing was sampled. */
  minAde: number | null;
}

/** Name of a metric. */
export type MetricName = keyof MetricMeans;

/** Means over the windows of one group. */
export interface GroupMeans extends MetricMeans {
  /** Windows. */
  n: number;
}

/** Mean difference to the reference row and its 95 % interval; positive: this row is higher. */
export interface Difference {
  mean: number;
  ci: Interval;
}

/** One value a window for each metric. */
export type WindowValues = Record<keyof PlanMetrics, Float64Array> & {
  minAde: Float64Array | null;
};

const kNames = [
  'ade',
  'fde',
  'minAde',
  'collisionRate',
  'offroadRate',
  'headingError',
  'jerk',
] as const satisfies readonly MetricName[];

/** Room for one value a window and metric. */
export function windowValues(windows: number, hasSamples: boolean): WindowValues {
  const make = () => new Float64Array(windows);
  return {
    ade: make(),
    fde: make(),
    minAde: hasSamples ? make() : null,
    collisionRate: make(),
    offroadRate: make(),
    headingError: make(),
    jerk: make(),
  };
}

/** Adds `weight` times the metrics of a plan to the values of window `index`. */
export function addMetrics(
  values: WindowValues,
  index: number,
  metrics: PlanMetrics,
  weight = 1,
): void {
  values.ade[index] += weight * metrics.ade;
  values.fde[index] += weight * metrics.fde;
  values.collisionRate[index] += weight * metrics.collisionRate;
  values.offroadRate[index] += weight * metrics.offroadRate;
  values.headingError[index] += weight * metrics.headingError;
  values.jerk[index] += weight * metrics.jerk;
}

/** Mean of those values that are known (not NaN); NaN when none is. */
export function meanOfKnown(values: ArrayLike<number>): number {
  let [sum, known] = [0, 0];
  for (let i = 0; i < values.length; ++i) {
    if (Number.isNaN(values[i])) continue;
    sum += values[i];
    ++known;
  }
  return sum / known;
}

/** Means over the windows at `indices`. */
export function means(values: WindowValues, indices: readonly number[]): MetricMeans {
  const mean = (of: Float64Array) => meanOfKnown(indices.map((i) => of[i]));
  return {
    ade: mean(values.ade),
    fde: mean(values.fde),
    minAde: values.minAde && mean(values.minAde),
    collisionRate: mean(values.collisionRate),
    offroadRate: mean(values.offroadRate),
    headingError: mean(values.headingError),
    jerk: mean(values.jerk),
  };
}

/** 95 % intervals of all metrics that have values. */
export function intervals(
  values: WindowValues,
  bootstrap: GroupBootstrap,
): Partial<Record<MetricName, Interval>> {
  const out: Partial<Record<MetricName, Interval>> = {};
  for (const name of kNames) {
    const of = values[name];
    if (of) out[name] = bootstrap.interval(of);
  }
  return out;
}

/** Paired differences `values - reference`, window by window. */
export function differences(
  values: WindowValues,
  reference: WindowValues,
  bootstrap: GroupBootstrap,
): Partial<Record<MetricName, Difference>> {
  const out: Partial<Record<MetricName, Difference>> = {};
  for (const name of kNames) {
    const of = values[name];
    const to = reference[name];
    if (!of || !to) continue;
    const each = of.map((value, i) => value - to[i]);
    out[name] = { mean: meanOfKnown(each), ci: bootstrap.interval(each) };
  }
  return out;
}

/** Windows by road and by what the driver did, indices in order. */
export interface Groups {
  location: ReadonlyMap<string, readonly number[]>;
  manoeuvre: ReadonlyMap<string, readonly number[]>;
}

/** Groups of equal location and of equal manoeuvre, names in alphabetical order. */
export function groupsOf(windows: readonly ScenarioWindow[]): Groups {
  const by = (name: (window: ScenarioWindow) => string) => {
    const groups = new Map<string, number[]>();
    for (const [i, window] of windows.entries()) {
      const group = groups.get(name(window));
      if (group) group.push(i);
      else groups.set(name(window), [i]);
    }
    return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return { location: by((window) => window.recording.location), manoeuvre: by(manoeuvreOf) };
}

/** Means of each group. */
export function groupMeans(
  values: WindowValues,
  groups: ReadonlyMap<string, readonly number[]>,
): Record<string, GroupMeans> {
  return Object.fromEntries(
    [...groups].map(([name, indices]) => [name, { n: indices.length, ...means(values, indices) }]),
  );
}
