// Times of plans of several models and modes, compared with each other: in turns, so that all meet the same machine.

import { setImmediate } from 'node:timers/promises';
import { quantile } from '../../lib/eval/bootstrap.js';
import type { Trajectory } from '../../lib/eval/metrics.js';
import {
  type Case,
  planOptionsOf,
  type RunOptions,
  type Settings,
  warmStartOf,
} from '../../lib/eval/planner-runs.js';
import type { Planner } from '../../lib/planner.js';

/** What is timed: synchronous calls. */
export interface Timed {
  planner: Planner;
  settings: Settings;
  run: Pick<RunOptions, 'samples' | 'reduce' | 'temperature' | 'coupling' | 'warmStart'>;
  /** What the cases got, for those that begin with the plan before. */
  plans: readonly Trajectory[];
}

/** Calls of one before the next one's turn; so many more before them fill the caches again. */
const kTurn = 10;
const kWarmUpCalls = 4;

/** Quantiles over `calls` calls each, milliseconds, in the order of `timed`. */
export async function measureInTurns(
  timed: readonly Timed[],
  cases: readonly Case[],
  calls: number,
): Promise<{ p50: number; p99: number }[]> {
  const times = timed.map(() => [] as number[]);
  for (let first = 0; first < calls; first += kTurn) {
    for (const [k, { planner, settings, run, plans }] of timed.entries()) {
      await setImmediate();
      const options = planOptionsOf(settings, run, 0);
      for (let i = -kWarmUpCalls; i < Math.min(kTurn, calls - first); ++i) {
        const of = cases[(first + i + cases.length) % cases.length]!;
        const callOptions = { ...options, ...warmStartOf(of, run, plans) };
        const before = performance.now();
        planner.planSync(of.observation, callOptions);
        if (i >= 0) times[k]!.push(performance.now() - before);
      }
    }
  }
  return times.map((of) => {
    of.sort((a, b) => a - b);
    return { p50: quantile(of, 0.5), p99: quantile(of, 0.99) };
  });
}
