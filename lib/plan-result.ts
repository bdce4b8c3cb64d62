import {
  kCandidateFields,
  kExtraCandidates,
  type PlanCandidate,
  readCandidates,
} from './plan-candidates.js';

/** Where the time of a plan went, microseconds. */
export interface PlanTiming {
  /** From the observation to the network's input. */
  featuresUs: number;
  /** The observation's part of the network (0 without `cache`, where every step holds it). */
  prefixUs: number;
  /** All refinement steps. */
  stepsUs: number;
  /** Waiting for plans that were asked for earlier. */
  queueUs: number;
  /** From the call to the result, packing and delivery included. In a batch: of the whole batch. */
  totalUs: number;
}

/**
 * A planned trajectory. Poses are x, y (metres) and heading (radians) in the ego's present frame. The trajectory has memory
 * of its own; refinements, samples and tokens share one buffer.
 */
export interface Plan {
  /** [waypoints, 3], `intervalS` apart, the first one interval ahead; for the point that the ego's history tracks. */
  trajectory: Float32Array;
  /** The plan after each step that ran, first guess first; the last is `trajectory`. Each [waypoints, 3]. */
  refinements: Float32Array[];
  /** What `trajectory` was reduced from, each [waypoints, 3]. */
  samples: Float32Array[];
  /** Numeric tokens of each sample, [waypoints * 3]. */
  tokens: Int32Array[];
  /** Steps that ran: fewer than asked for when a deadline came. */
  stepsRun: number;
  timing: PlanTiming;
  /**
   * Geometric mean, over all tokens of all samples, of the probability that the last step gave to the token: 1 when the
   * network was certain of every value, 1/vocabulary when it guessed. Comparable between observations of one model with
   * equal options, not between models.
   */
  confidence: number;
  /**
   * Least gap between the two largest logits of any token in the last step. With `argmax`, no rounding error below half
   * of it can change the plan.
   */
  margin: number;
  /** What a search chose from, with its findings; undefined where nothing was searched. */
  candidates?: PlanCandidate[];
}

/** What decides the size of a packed result. */
export interface ResultShape {
  steps: number;
  samples: number;
  search: boolean;
  slots: number;
}

/** Numbers at the beginning of a packed result, see native/binding/plan_packing.cpp. */
const kHead = 5;

/**
 * Bytes of one packed result: 5 float64, then plan, refinements, samples, log-probabilities, margins, tokens, and of a
 * search the further candidates and the findings of all.
 */
export function resultBytes({ steps, samples, search, slots }: ResultShape): number {
  const extras = search ? kExtraCandidates : 0;
  const found = search ? (samples + extras) * kCandidateFields : 0;
  return kHead * 8 + Math.ceil(((slots * (1 + steps + 4 * samples + extras) + found) * 4) / 8) * 8;
}

/**
 * Reads one packed result. The trajectory is an array of its own, or `out`; everything else are views of `buffer`.
 *
 * @param start where the result begins.
 */
export function readResult(
  buffer: ArrayBuffer,
  start: number,
  shape: ResultShape,
  totalUs: number,
  out?: Float32Array,
): Plan {
  const { steps, samples, search, slots } = shape;
  const head = new Float64Array(buffer, start, kHead);
  const stepsRun = head[0] as number;
  // In the order of the packed result.
  const plan = slots * 4;
  let at = start + kHead * 8;
  const planned = new Float32Array(buffer, at, slots);
  at += plan;
  const refinements: Float32Array[] = [];
  for (let i = 0; i < stepsRun; i++) {
    refinements.push(new Float32Array(buffer, at + i * plan, slots));
  }
  at += steps * plan;
  const sampled: Float32Array[] = [];
  for (let i = 0; i < samples; i++) sampled.push(new Float32Array(buffer, at + i * plan, slots));
  at += samples * plan;
  const logProbability = new Float32Array(buffer, at, samples * slots);
  at += samples * plan;
  const margins = new Float32Array(buffer, at, samples * slots);
  at += samples * plan;
  const tokens: Int32Array[] = [];
  for (let i = 0; i < samples; i++) tokens.push(new Int32Array(buffer, at + i * plan, slots));
  at += samples * plan;
  let candidates: PlanCandidate[] | undefined;
  if (search) {
    const extras = Array.from(
      { length: kExtraCandidates },
      (_, i) => new Float32Array(buffer, at + i * plan, slots),
    );
    at += kExtraCandidates * plan;
    const numbers = (samples + kExtraCandidates) * kCandidateFields;
    candidates = readCandidates(new Float32Array(buffer, at, numbers), sampled, extras);
  }
  let trajectory = out;
  if (trajectory) trajectory.set(planned);
  else trajectory = planned.slice();
  const result: Plan = {
    trajectory,
    refinements,
    samples: sampled,
    tokens,
    stepsRun,
    timing: {
      featuresUs: head[1] as number,
      prefixUs: head[2] as number,
      stepsUs: head[3] as number,
      queueUs: head[4] as number,
      totalUs,
    },
    confidence: Math.exp(mean(logProbability)),
    margin: least(margins),
  };
  if (candidates) result.candidates = candidates;
  return result;
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}

function least(values: Float32Array): number {
  let result = Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < result) result = value;
  }
  return result;
}
