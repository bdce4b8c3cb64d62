/** Operations by their definition, in float64 and without any shortcut, for tests of the engine's operations. */

/** Deterministic numbers in about [-scale, scale], exact in float32. */
export function randomFloats(count: number, seed: number, scale = 1): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (2 * (state / 2 ** 32) - 1) * scale;
  });
}

/** Deterministic integers of [0, limit). */
export function randomInts(count: number, seed: number, limit: number): Int32Array {
  return Int32Array.from(randomFloats(count, seed), (u) =>
    Math.min(limit - 1, ((u + 1) / 2) * limit),
  );
}

/** Deterministic uniforms of [0, 1). */
export function randomUniforms(count: number, seed: number): Float32Array {
  return randomFloats(count, seed).map((u) => Math.min((u + 1) / 2, 1 - 2 ** -24));
}

export function softmax(logits: readonly number[]): number[] {
  const top = Math.max(...logits);
  const e = logits.map((value) => Math.exp(value - top));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / sum);
}

/** Central differences of f at x. */
export function numericGradient(
  f: (x: Float64Array) => number,
  at: ArrayLike<number>,
): Float64Array {
  const x = Float64Array.from(at);
  return x.map((value, i) => {
    const step = 1e-5;
    x[i] = value + step;
    const above = f(x);
    x[i] = value - step;
    const below = f(x);
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

/** Greatest |got - want| / (1 + |want|). */
export function worstError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < want.length; i += 1) {
    if (got[i] === want[i]) continue;
    const error = Math.abs(got[i]! - want[i]!) / (1 + Math.abs(want[i]!));
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst;
}

/** Sum of a[i] b[i]. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

/** x [rows, k] times the transpose of w [n, k], plus bias. */
export function affine(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  k: number,
): Float64Array {
  const rows = x.length / k;
  const n = w.length / k;
  const y = new Float64Array(rows * n);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < n; j += 1) {
      let sum = bias?.[j] ?? 0;
      for (let p = 0; p < k; p += 1) sum += x[i * k + p]! * w[j * k + p]!;
      y[i * n + j] = sum;
    }
  }
  return y;
}

export interface AttentionShape {
  batch: number;
  length: number;
  heads: number;
  kvHeads: number;
  headDim: number;
}

/** Attention over [batch, length, heads, headDim]; visible(b, i, j): whether row i sees key j. */
export function attentionReference(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  shape: AttentionShape,
  visible: (b: number, i: number, j: number) => boolean,
): Float64Array {
  const { batch, length, heads, kvHeads, headDim } = shape;
  const out = new Float64Array(batch * length * heads * headDim);
  for (let b = 0; b < batch; b += 1) {
    for (let h = 0; h < heads; h += 1) {
      const kv = Math.floor((h * kvHeads) / heads);
      for (let i = 0; i < length; i += 1) {
        const row = ((b * length + i) * heads + h) * headDim;
        const key = (j: number) => ((b * length + j) * kvHeads + kv) * headDim;
        const scores: number[] = [];
        for (let j = 0; j < length; j += 1) {
          let score = 0;
          for (let p = 0; p < headDim; p += 1) score += q[row + p]! * k[key(j) + p]!;
          scores.push(visible(b, i, j) ? score / Math.sqrt(headDim) : Number.NEGATIVE_INFINITY);
        }
        softmax(scores).forEach((weight, j) => {
          for (let p = 0; p < headDim; p += 1) out[row + p]! += weight * v[key(j) + p]!;
        });
      }
    }
  }
  return out;
}

/** A metric of tokens by its definition: d(i, j). */
export type Distance = (i: number, j: number) => number;

/** |u_i - u_j|^power. */
export function lineDistance(u: ArrayLike<number>, power: number): Distance {
  return (i, j) => Math.abs(u[i]! - u[j]!) ** power;
}

/** (|z_i - z_j|^2)^2 of L2-normalised rows. */
export function tableDistance(table: ArrayLike<number>, dim: number): Distance {
  const unit = (i: number) => {
    const row = Array.from({ length: dim }, (_, p) => table[i * dim + p]!);
    const norm = Math.max(Math.hypot(...row), 1e-12);
    return row.map((value) => value / norm);
  };
  return (i, j) => {
    const b = unit(j);
    return unit(i).reduce((sum, value, p) => sum + (value - b[p]!) ** 2, 0) ** 2;
  };
}

/** p(y | x1) = softmax of -beta d(y, x1). */
export function pathReference(d: Distance, vocab: number, x1: number, beta: number): number[] {
  return softmax(Array.from({ length: vocab }, (_, y) => -beta * d(y, x1)));
}

/** p(y | x1) weight max(0, d(xt, x1) - d(y, x1)). */
export function ratesReference(
  d: Distance,
  vocab: number,
  xt: number,
  x1: number,
  beta: number,
  weight: number,
): number[] {
  const p = pathReference(d, vocab, x1, beta);
  return p.map((mass, y) => (y === xt ? 0 : mass * weight * Math.max(0, d(xt, x1) - d(y, x1))));
}

/** Least index whose normalised running sum exceeds `draw`. */
export function inverseCdf(weights: readonly number[], draw: number): number {
  const total = weights.reduce((a, b) => a + b, 0);
  let running = 0;
  let last = 0;
  for (let i = 0; i < weights.length; i += 1) {
    if (weights[i]! <= 0) continue;
    last = i;
    running += weights[i]!;
    if (running > draw * total) break;
  }
  return last;
}

/** The stable code of what `run` throws, or `no error`. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
  return 'no error';
}

/** The stable code of what a promise rejects with, or `no error`. */
export async function rejectionCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
  return 'no error';
}
