import { argumentError } from '../errors.js';
import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  perRow,
  rowsOf,
} from '../kernel-addon.js';

/** Target of a row that does not count. */
export const IGNORED_TARGET = -100;

/** Arguments of {@link crossEntropy}. */
export interface CrossEntropyInput extends KernelOptions {
  /** [rows, vocab] */
  logits: Float32Array;
  vocab: number;
  /** [rows] token ids, or {@link IGNORED_TARGET}. */
  target: Int32Array;
  /** Deviation, in tokens, of a Gaussian that spreads the target, cut at four deviations. Default 0: the target alone. */
  smear?: number;
  /** Factor of each row's loss; default 1/(number of rows that count), so that the losses add up to the mean. */
  weight?: number | Float32Array;
}

/** Weighted cross entropy of each row [rows] and its gradient [rows, vocab]; `total` is the sum of the losses. */
export function crossEntropy(input: CrossEntropyInput): {
  loss: Float32Array;
  total: number;
  dlogits: Float32Array;
} {
  const { logits, target, smear = 0 } = input;
  const vocab = dimension('vocab', input.vocab);
  const rows = rowsOf('logits', logits, vocab);
  const counted = target.reduce((count, id) => count + Number(id !== IGNORED_TARGET), 0);
  const weight = perRow('weight', input.weight ?? 1 / Math.max(counted, 1), rows);
  const loss = new Float32Array(rows);
  const dlogits = new Float32Array(logits.length);
  const args = { rows, vocab, logits, target, smear, weight, loss, dlogits };
  kernelAddon().crossEntropy(kernelEngine(input), args);
  return { loss, total: loss.reduce((sum, value) => sum + value, 0), dlogits };
}

/** Arguments of {@link generalizedKl}. */
export interface GeneralizedKlInput extends KernelOptions {
  /** [rows, vocab] */
  logits: Float32Array;
  vocab: number;
  /** [rows] target tokens. */
  x1: Int32Array;
  /** [rows] present tokens. */
  xt: Int32Array;
  /** kappa'/(1-kappa) of each row, or of all rows. */
  rate: number | Float64Array;
}

/**
 * Generalised KL divergence of a mixture path, -rate (p(xt) - same + (1 - same) log p(x1)) with p = softmax(logits) and
 * same = [xt = x1], of each row, and the gradient of each row's loss with respect to its logits.
 */
export function generalizedKl(input: GeneralizedKlInput): {
  loss: Float32Array;
  dlogits: Float32Array;
} {
  const { logits, x1, xt } = input;
  const vocab = dimension('vocab', input.vocab);
  const rows = rowsOf('logits', logits, vocab);
  const rate =
    typeof input.rate === 'number' ? new Float64Array(rows).fill(input.rate) : input.rate;
  const loss = new Float32Array(rows);
  const dlogits = new Float32Array(logits.length);
  const args = { rows, vocab, logits, x1, xt, rate, loss, dlogits };
  kernelAddon().generalizedKl(kernelEngine(input), args);
  return { loss, dlogits };
}

/** Arguments of {@link tripletMargin}. */
export interface TripletMarginInput extends KernelOptions {
  /** [vocab, dim] */
  table: Float32Array;
  dim: number;
  /** [count] rows of the table. */
  anchor: Int32Array;
  positive: Int32Array;
  negative: Int32Array;
  /** One for all triplets, or [count]. Default 0.05. */
  margin?: number | Float32Array;
  /**
   * `paper` (default): rows are L2-normalised first (equation 5). `torch`: raw rows, with 1e-6 added to every difference
   * as PyTorch's TripletMarginLoss does.
   */
  form?: 'paper' | 'torch';
  /** Default `mean`. */
  reduction?: 'mean' | 'sum';
}

/**
 * max(0, |a - p| - |a - n| + margin) over triplets, and its gradient with respect to the table [vocab, dim].
 *
 * @throws WamFlowError `ERR_SHAPE`, `ERR_RANGE` for indices outside the table
 */
export function tripletMargin(input: TripletMarginInput): { loss: number; dtable: Float32Array } {
  const { table, anchor, positive, negative, form = 'paper', reduction = 'mean' } = input;
  const dim = dimension('dim', input.dim);
  const vocab = rowsOf('table', table, dim);
  const count = dimension('anchor.length', anchor.length);
  const margin = perRow('margin', input.margin ?? 0.05, count);
  if (form !== 'paper' && form !== 'torch') throw argumentError('form', "'paper' or 'torch'", form);
  const normalise = form === 'paper';
  const dtable = new Float32Array(table.length);
  const scale = reduction === 'mean' ? 1 : count;
  const triplets = { count, anchor, positive, negative, margin, scale };
  const args = { ...triplets, vocab, dim, table, normalise, dtable };
  return { loss: kernelAddon().tripletMargin(kernelEngine(input), args), dtable };
}

/** Arguments of {@link orderViolations}. */
export interface OrderViolationsInput {
  /** [vocab, dim], rows in the order of the tokens' values. */
  table: Float32Array;
  dim: number;
  /** Every how many rows one is an anchor. Default 1; the cost is vocab^2 dim / stride. */
  stride?: number;
}

/**
 * Whether distances between normalised rows follow the order of tokens: over anchors i and tokens j > i, how often j is
 * no farther from i than j - 1 is, and how many such pairs there are.
 */
export function orderViolations(input: OrderViolationsInput): {
  violations: number;
  pairs: number;
} {
  const dim = dimension('dim', input.dim);
  const vocab = rowsOf('table', input.table, dim);
  const stride = dimension('stride', input.stride ?? 1);
  const args = { vocab, dim, table: input.table, stride };
  const [violations, pairs] = kernelAddon().orderViolations(args);
  return { violations, pairs };
}
