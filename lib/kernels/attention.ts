import { argumentError } from '../errors.js';
import { dimension, type KernelOptions, kernelAddon, kernelEngine } from '../kernel-addon.js';

/**
 * Which keys a query row may see. `full`: all. `causal`: row i sees keys 0..i. `{ prefix: p }`: rows before p see only
 * keys before p, later rows see all (the planner's mask: observation tokens do not see action tokens).
 */
export type AttentionMask = 'full' | 'causal' | { prefix: number };

/** Arguments of {@link attention}. Arrays are row-major `[batch, length, heads, headDim]`. */
export interface AttentionInput extends KernelOptions {
  /** [batch, length, heads, headDim] */
  q: Float32Array;
  /** [batch, keyLength, kvHeads, headDim] */
  k: Float32Array;
  /** Like `k`. */
  v: Float32Array;
  /** Default 1. */
  batch?: number;
  /** Query rows of each batch entry. */
  length: number;
  /** Key rows of each batch entry; default `length`, and it must be that for masks other than `full`. */
  keyLength?: number;
  heads: number;
  /** Default `heads`. Query head h reads key head floor(h kvHeads / heads). */
  kvHeads?: number;
  headDim: number;
  /** Default 1/sqrt(headDim). */
  scale?: number;
  /** Default `full`. */
  mask?: AttentionMask;
  /** Keys of each batch entry that exist, 1 to keyLength; later ones are hidden from every row. Default all. */
  keyLengths?: ArrayLike<number>;
  /** Where the result goes; default a fresh array. */
  out?: Float32Array;
}

/** What {@link attention} computed. */
export interface AttentionResult {
  /** [batch, length, heads, headDim] */
  out: Float32Array;
  /** [batch, length, heads]: log-sum-exp of the scaled scores, for the backward pass. */
  lse: Float32Array;
}

/** The mask as the engine takes it: rows of q begin, q rows, a begin, a rows, b begin, b rows, causal. */
function segmentsOf(input: AttentionInput, batch: number, keyLength: number) {
  const { length, mask = 'full', keyLengths } = input;
  if (keyLengths !== undefined && keyLengths.length !== batch) {
    throw argumentError('keyLengths', `${batch} numbers`, keyLengths, 'ERR_SHAPE');
  }
  if (mask !== 'full' && keyLength !== length) {
    throw argumentError('keyLength', `${length}, which this mask needs`, keyLength, 'ERR_SHAPE');
  }
  const prefix = typeof mask === 'object' ? dimension('mask.prefix', mask.prefix, 0) : 0;
  if (prefix > length) throw argumentError('mask.prefix', `at most ${length}`, prefix, 'ERR_RANGE');
  const rows: number[] = [];
  const groups = new Int32Array(batch + 1);
  const add = (query: number, count: number, key: number, seen: number, causal: boolean) => {
    if (count > 0)
      rows.push(query, count, key, causal ? 0 : seen, key, causal ? seen : 0, Number(causal));
  };
  for (let b = 0; b < batch; b += 1) {
    const keys = keyLengths === undefined ? keyLength : dimension('keyLengths', keyLengths[b]!);
    if (keys > keyLength)
      throw argumentError('keyLengths', `at most ${keyLength}`, keys, 'ERR_RANGE');
    const query = b * length;
    const key = b * keyLength;
    if (mask === 'causal') {
      add(query, keys, key, keys, true);
      add(query + keys, length - keys, key, keys, false);
    } else {
      add(query, prefix, key, Math.min(prefix, keys), false);
      add(query + prefix, length - prefix, key, keys, false);
    }
    groups[b + 1] = rows.length / 7;
  }
  return { segments: Int32Array.from(rows), groups };
}

function nativeArguments(input: AttentionInput) {
  const { q, k, v } = input;
  const batch = dimension('batch', input.batch ?? 1);
  const length = dimension('length', input.length);
  const keyLength = dimension('keyLength', input.keyLength ?? length);
  const heads = dimension('heads', input.heads);
  const kvHeads = dimension('kvHeads', input.kvHeads ?? heads);
  const headDim = dimension('headDim', input.headDim);
  if (heads % kvHeads !== 0) throw argumentError('kvHeads', `a divisor of ${heads}`, kvHeads);
  const scale = input.scale ?? 1 / Math.sqrt(headDim);
  const mask = segmentsOf(input, batch, keyLength);
  return { q, k, v, batch, length, keyLength, heads, kvHeads, headDim, scale, ...mask };
}

/**
 * Scaled dot-product attention, softmax(scale q k^T + mask) v, without the score matrix in memory.
 *
 * @throws WamFlowError `ERR_SHAPE` for arrays that do not fit the dimensions, `ERR_ARGUMENT`, `ERR_RANGE`
 */
export function attention(input: AttentionInput): AttentionResult {
  const args = nativeArguments(input);
  const rows = args.batch * args.length * args.heads;
  const out = input.out ?? new Float32Array(rows * args.headDim);
  const lse = new Float32Array(rows);
  kernelAddon().attention(kernelEngine(input), { ...args, out, lse });
  return { out, lse };
}

/**
 * Gradients of {@link attention}: `input` as it was given there, with the `out` and `lse` that it returned.
 *
 * @param dout gradient of `out`
 * @returns gradients of q, k and v in their layouts
 * @throws WamFlowError as {@link attention}
 */
export function attentionBackward(
  input: Omit<AttentionInput, 'out'> & AttentionResult & { dout: Float32Array },
): { dq: Float32Array; dk: Float32Array; dv: Float32Array } {
  const { out, lse, dout } = input;
  const args = nativeArguments(input);
  const dq = new Float32Array(args.q.length);
  const dk = new Float32Array(args.k.length);
  const dv = new Float32Array(args.v.length);
  kernelAddon().attentionBackward(kernelEngine(input), { ...args, out, lse, dout, dq, dk, dv });
  return { dq, dk, dv };
}
