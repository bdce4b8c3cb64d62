import { argumentError } from '../errors.js';
import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  rowsOf,
} from '../kernel-addon.js';

/** Arguments of {@link decodePosterior}. */
export interface DecodePosteriorInput extends KernelOptions {
  /** [rows, vocab] */
  logits: Float32Array;
  vocab: number;
  /** `argmax`: ties to the least token. `median`: least token whose running sum reaches 1/2. `sample`: inverse CDF. */
  rule: 'argmax' | 'median' | 'sample';
  /** Of `sample`: softmax(logits / temperature). Default 1. */
  temperature?: number;
  /** Of `sample`: tokens below the topK-th largest logit are out; ties with it stay. Default 0: all stay in. */
  topK?: number;
  /** [rows] uniforms of [0, 1), for `sample`. */
  uniform?: Float32Array;
}

/** One token a row, and its log probability under softmax(logits). */
export function decodePosterior(input: DecodePosteriorInput): {
  token: Int32Array;
  logProbability: Float32Array;
} {
  const { logits, rule, temperature = 1, topK = 0, uniform } = input;
  const vocab = dimension('vocab', input.vocab);
  const rows = rowsOf('logits', logits, vocab);
  if (!(temperature >= 0)) throw argumentError('temperature', 'a number >= 0', temperature);
  const token = new Int32Array(rows);
  const logProbability = new Float32Array(rows);
  const args = { rows, vocab, logits, rule, temperature, topK, uniform, token, logProbability };
  kernelAddon().decodePosterior(kernelEngine(input), args);
  return { token, logProbability };
}

/** Arguments of {@link topkPosterior}. */
export interface TopkPosteriorInput extends KernelOptions {
  /** [rows, vocab] */
  logits: Float32Array;
  vocab: number;
  /** How many of the largest stay; ties with the last of them stay too. */
  k: number;
  /**
   * Uniforms of [0, 1), [rows, vocab]: selects the released rule "train-top", where softmax and cut act on
   * exp(logit) / (-log uniform)^temperature.
   */
  uniform?: Float32Array;
  /** Of that rule. Default 0.1. */
  temperature?: number;
  /** [rows, vocab]; default a fresh array. */
  out?: Float32Array;
}

/** Posterior probabilities as the released sampler draws x1 from them, [rows, vocab]. */
export function topkPosterior(input: TopkPosteriorInput): Float32Array {
  const { logits, uniform, temperature = 0.1 } = input;
  const vocab = dimension('vocab', input.vocab);
  const k = dimension('k', input.k);
  const rows = rowsOf('logits', logits, vocab);
  const out = input.out ?? new Float32Array(logits.length);
  const args = { rows, vocab, k, logits, uniform, temperature, out };
  kernelAddon().topkPosterior(kernelEngine(input), args);
  return out;
}

/** Arguments of {@link nearestToken}. */
export interface NearestTokenInput extends KernelOptions {
  /** [rows, dim] */
  query: Float32Array;
  /** [vocab, dim] */
  table: Float32Array;
  dim: number;
  /** L2-normalise queries and rows first. Default true. */
  normalise?: boolean;
}

/** The table row nearest to each query by Euclidean distance, ties to the least, and the squared distance. */
export function nearestToken(input: NearestTokenInput): {
  token: Int32Array;
  distance2: Float32Array;
} {
  const { query, table, normalise = true } = input;
  const dim = dimension('dim', input.dim);
  const vocab = rowsOf('table', table, dim);
  const rows = rowsOf('query', query, dim);
  const token = new Int32Array(rows);
  const distance2 = new Float32Array(rows);
  const args = { rows, vocab, dim, query, table, normalise, token, distance2 };
  kernelAddon().nearestToken(kernelEngine(input), args);
  return { token, distance2 };
}
