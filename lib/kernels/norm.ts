import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  rowsOf,
} from '../kernel-addon.js';

/** Arguments of {@link rmsNorm}. */
export interface RmsNormInput extends KernelOptions {
  /** [rows, cols] */
  x: Float32Array;
  /** [cols]; its length says how many columns there are. */
  weight: Float32Array;
  /** Default 1e-6. */
  eps?: number;
  /** [rows, cols]; default a fresh array. */
  out?: Float32Array;
}

/** Arguments of {@link layerNorm}; eps is 1e-5 by default. */
export interface LayerNormInput extends RmsNormInput {
  /** [cols] */
  bias: Float32Array;
}

/** y = weight x / sqrt(mean(x^2) + eps) of each row; `rstd` [rows] is 1/sqrt(mean(x^2) + eps). */
export function rmsNorm(input: RmsNormInput): { out: Float32Array; rstd: Float32Array } {
  const { x, weight, eps = 1e-6 } = input;
  const cols = dimension('weight.length', weight.length);
  const rows = rowsOf('x', x, cols);
  const out = input.out ?? new Float32Array(x.length);
  const rstd = new Float32Array(rows);
  kernelAddon().norm(kernelEngine(input), {
    rows,
    cols,
    centred: false,
    x,
    weight,
    eps,
    out,
    rstd,
  });
  return { out, rstd };
}

/** y = weight (x - mean) / sqrt(variance + eps) + bias of each row; `mean` and `rstd` are [rows]. */
export function layerNorm(input: LayerNormInput): {
  out: Float32Array;
  mean: Float32Array;
  rstd: Float32Array;
} {
  const { x, weight, bias, eps = 1e-5 } = input;
  const cols = dimension('weight.length', weight.length);
  const rows = rowsOf('x', x, cols);
  const out = input.out ?? new Float32Array(x.length);
  const mean = new Float32Array(rows);
  const rstd = new Float32Array(rows);
  const args = { rows, cols, centred: true, x, weight, bias, eps, out, mean, rstd };
  kernelAddon().norm(kernelEngine(input), args);
  return { out, mean, rstd };
}

/** Gradients of {@link rmsNorm} for the gradient `dout` of its result; `rstd` as it returned it. */
export function rmsNormBackward(
  input: Omit<RmsNormInput, 'out' | 'eps'> & { rstd: Float32Array; dout: Float32Array },
): { dx: Float32Array; dweight: Float32Array } {
  const { x, weight, rstd, dout } = input;
  const cols = dimension('weight.length', weight.length);
  const rows = rowsOf('x', x, cols);
  const dx = new Float32Array(x.length);
  const dweight = new Float32Array(cols);
  const args = { rows, cols, centred: false, x, weight, rstd, dout, dx, dweight };
  kernelAddon().normBackward(kernelEngine(input), args);
  return { dx, dweight };
}

/** Gradients of {@link layerNorm} for the gradient `dout` of its result; `mean` and `rstd` as it returned them. */
export function layerNormBackward(
  input: Omit<LayerNormInput, 'out' | 'eps' | 'bias'> & {
    mean: Float32Array;
    rstd: Float32Array;
    dout: Float32Array;
  },
): { dx: Float32Array; dweight: Float32Array; dbias: Float32Array } {
  const { x, weight, mean, rstd, dout } = input;
  const cols = dimension('weight.length', weight.length);
  const rows = rowsOf('x', x, cols);
  const dx = new Float32Array(x.length);
  const dweight = new Float32Array(cols);
  const dbias = new Float32Array(cols);
  const args = { rows, cols, centred: true, x, weight, mean, rstd, dout, dx, dweight, dbias };
  kernelAddon().normBackward(kernelEngine(input), args);
  return { dx, dweight, dbias };
}
