// How good the weights are so far, on windows that are not trained on.

import { argumentError, WamFlowError } from '../errors.js';
import { evaluate } from '../eval/evaluate.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { Planner } from '../planner.js';
import type { ScenarioData } from '../scenario/types.js';
import type { EvalEvent } from './events.js';

// The two figures of docs/evaluation.md that a recipe is chosen by: the best point estimate takes one step, samples
// take five.
const kSampleSteps = 5;
const kSamples = 6;

/**
 * Checks that trials on `split` are possible.
 *
 * @throws WamFlowError `ERR_ARGUMENT`
 */
export function checkTrials(
  data: ScenarioData,
  split: string,
  trained: readonly string[],
  tokens: Checkpoint['config']['tokens'],
): void {
  if (typeof split !== 'string' || trained.includes(split)) {
    throw argumentError('evalSplit', 'a split that is not trained on', split);
  }
  if (!data.windows.some((window) => window.split === split)) {
    throw new WamFlowError('ERR_ARGUMENT', `evalSplit: the data has no windows of split ${split}`);
  }
  if (tokens.waypoints !== 8 || tokens.interval_s !== 0.5) {
    throw new WamFlowError('ERR_ARGUMENT', 'evalEvery: trials need 8 waypoints 0.5 s apart');
  }
}

/** Plans every window of `split`; undefined when the signal is aborted meanwhile. */
export async function tryWeights(
  model: Omit<Checkpoint, 'directory'>,
  data: ScenarioData,
  split: string,
  run: { step: number; threads: number; signal: AbortSignal | undefined },
): Promise<EvalEvent | undefined> {
  const { step, threads, signal } = run;
  const limits = { threads, maxSamples: kSamples, maxSteps: kSampleSteps };
  const planner = await Planner.fromCheckpoint(model, limits);
  try {
    // No intervals and no latency: this is for curves, `wam-flow evaluate` is for tables.
    const common = { split, latencyCalls: 0, resamples: 1, ...(signal ? { signal } : {}) };
    const point = await evaluate(planner, data, { ...common, steps: [1], decode: ['median'] });
    const { kind } = model.config.decoder;
    const refines = kind === 'flow' || kind === 'diffusion';
    const sampled = await evaluate(planner, data, {
      ...common,
      steps: [refines ? kSampleSteps : 1],
      decode: ['sample'],
      samples: kSamples,
    });
    const [best, spread] = [point.rows[point.reference]!, sampled.rows[sampled.reference]!];
    const { ade, fde } = best;
    return { type: 'eval', step, split, windows: point.n, ade, fde, minAde: spread.minAde! };
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  } finally {
    await planner.close();
  }
}
