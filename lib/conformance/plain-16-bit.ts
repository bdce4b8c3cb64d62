/**
 * Plain 16-bit computations in float64 with 16-bit operands: the error that rounding alone costs, which a 16-bit kernel
 * may at most double.
 */
import type { Precision } from '../device.js';

/** Rounds to the nearest value of the format, ties to even; overflow of f16 goes to infinity. */
export function roundTo(precision: Precision, value: number): number {
  if (precision === 'fp32') return Math.fround(value);
  if (!Number.isFinite(value) || value === 0) return value;
  const [mantissaBits, leastExponent, largest] =
    precision === 'bf16' ? [7, -126, Infinity] : [10, -14, 65_504];
  const exponent = Math.max(exponentOf(value), leastExponent);
  const quantum = 2 ** (exponent - mantissaBits);
  const steps = value / quantum;
  const below = Math.floor(steps);
  const rest = steps - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  const rounded = (up ? below + 1 : below) * quantum;
  return Math.abs(rounded) > largest ? Math.sign(rounded) * Infinity : rounded;
}

function exponentOf(value: number): number {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  return ((bits.getUint16(0) >> 4) & 0x7ff) - 1023;
}

/** Every value rounded. */
export function roundAll(precision: Precision, values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values, (value) => roundTo(precision, value));
}

/** Greatest absolute difference. */
export function largestError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < want.length; i += 1) worst = Math.max(worst, Math.abs(got[i]! - want[i]!));
  return worst;
}

/** One attention problem: arrays are [batch, rows, heads, headDim]. */
export interface PlainAttention {
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  dout: ArrayLike<number>;
  batch: number;
  length: number;
  keyLength: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Whether query row i of batch entry b sees key row j. */
  sees: (b: number, i: number, j: number) => boolean;
}

/** Attention and its gradients with q, k, v, dout, the probabilities and dS rounded to 16 bits. */
export function plainAttention(problem: PlainAttention, precision: Precision) {
  const { batch, length, keyLength, heads, kvHeads, headDim, sees } = problem;
  const q = roundAll(precision, problem.q);
  const k = roundAll(precision, problem.k);
  const v = roundAll(precision, problem.v);
  const dout = roundAll(precision, problem.dout);
  const out = new Float64Array(q.length);
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(k.length);
  const dv = new Float64Array(k.length);
  const scale = 1 / Math.sqrt(headDim);
  const score = new Float64Array(keyLength);
  const dot = (x: Float64Array, at: number, y: Float64Array, from: number) => {
    let sum = 0;
    for (let d = 0; d < headDim; d += 1) sum += x[at + d]! * y[from + d]!;
    return sum;
  };
  for (let b = 0; b < batch; b += 1) {
    for (let h = 0; h < heads; h += 1) {
      const kvHead = Math.floor((h * kvHeads) / heads);
      const keyAt = (j: number) => ((b * keyLength + j) * kvHeads + kvHead) * headDim;
      for (let i = 0; i < length; i += 1) {
        const row = ((b * length + i) * heads + h) * headDim;
        let highest = -Infinity;
        for (let j = 0; j < keyLength; j += 1) {
          score[j] = sees(b, i, j) ? scale * dot(q, row, k, keyAt(j)) : -Infinity;
          highest = Math.max(highest, score[j]!);
        }
        let total = 0;
        for (let j = 0; j < keyLength; j += 1) total += Math.exp(score[j]! - highest);
        let delta = 0;
        for (let j = 0; j < keyLength; j += 1) {
          const p = Math.exp(score[j]! - highest) / total;
          score[j] = p;
          if (p === 0) continue;
          const rounded = roundTo(precision, p);
          for (let d = 0; d < headDim; d += 1) out[row + d]! += rounded * v[keyAt(j) + d]!;
          delta += p * dot(dout, row, v, keyAt(j));
        }
        for (let j = 0; j < keyLength; j += 1) {
          const p = score[j]!;
          if (p === 0) continue;
          const at = keyAt(j);
          const rounded = roundTo(precision, p);
          const ds = roundTo(precision, p * (dot(dout, row, v, at) - delta));
          for (let d = 0; d < headDim; d += 1) {
            dv[at + d]! += rounded * dout[row + d]!;
            dk[at + d]! += scale * ds * q[row + d]!;
            dq[row + d]! += scale * ds * k[at + d]!;
          }
        }
      }
    }
  }
  return { out: roundAll(precision, out), dq, dk, dv };
}

/** x weight^T + bias with x and weight rounded to 16 bits. */
export function plainLinear(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  inputs: number,
  precision: Precision,
): Float64Array {
  const a = roundAll(precision, x);
  const w = roundAll(precision, weight);
  const rows = a.length / inputs;
  const outputs = w.length / inputs;
  const out = new Float64Array(rows * outputs);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < outputs; j += 1) {
      let sum = bias?.[j] ?? 0;
      for (let p = 0; p < inputs; p += 1) sum += a[i * inputs + p]! * w[j * inputs + p]!;
      out[i * outputs + j] = sum;
    }
  }
  return out;
}
