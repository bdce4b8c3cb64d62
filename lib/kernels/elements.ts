import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  rowsOf,
} from '../kernel-addon.js';

/** Arguments of {@link gelu}. */
export interface GeluInput extends KernelOptions {
  x: Float32Array;
  /** `erf` (default): x Phi(x). `tanh`: the tanh approximation of it. */
  form?: 'erf' | 'tanh';
  /** Like `x`; default a fresh array. */
  out?: Float32Array;
}

/** Gaussian error linear unit of each element. */
export function gelu(input: GeluInput): Float32Array {
  const { x, form = 'erf' } = input;
  const out = input.out ?? new Float32Array(x.length);
  const count = dimension('x.length', x.length);
  kernelAddon().gelu(kernelEngine(input), { count, activation: `gelu_${form}`, x, out });
  return out;
}

/** Gradient of {@link gelu} with respect to `x`. */
export function geluBackward(input: GeluInput & { dout: Float32Array }): Float32Array {
  const { x, dout, form = 'erf' } = input;
  const out = input.out ?? new Float32Array(x.length);
  const count = dimension('x.length', x.length);
  kernelAddon().gelu(kernelEngine(input), { count, activation: `gelu_${form}`, x, dout, out });
  return out;
}

/** Arguments of {@link rope}. */
export interface RopeInput extends KernelOptions {
  /** [rows, heads, headDim] */
  x: Float32Array;
  /** [rows] position of each row, 0 to 2^24. */
  positions: Int32Array;
  heads: number;
  /** Even. */
  headDim: number;
  /** Default 10000. */
  theta?: number;
  /** Rotate back, which is also the backward pass. Default false. */
  inverse?: boolean;
}

/**
 * Rotary position embedding in the half-split form: elements i and i + headDim/2 of each head turn by
 * position theta^(-2i/headDim). Returns a fresh array.
 */
export function rope(input: RopeInput): Float32Array {
  const { x, positions, theta = 10000, inverse = false } = input;
  const heads = dimension('heads', input.heads);
  const headDim = dimension('headDim', input.headDim, 2);
  const rows = rowsOf('x', x, heads * headDim);
  const out = x.slice();
  kernelAddon().rope(kernelEngine(input), {
    rows,
    heads,
    headDim,
    positions,
    theta,
    inverse,
    x: out,
  });
  return out;
}

/** Arguments of {@link swiglu}. */
export interface SwigluInput extends KernelOptions {
  /** Any shape. */
  gate: Float32Array;
  /** Like `gate`. */
  up: Float32Array;
}

/** silu(gate) up, element by element. */
export function swiglu(input: SwigluInput): Float32Array {
  const { gate, up } = input;
  const out = new Float32Array(gate.length);
  const cols = dimension('gate.length', gate.length);
  kernelAddon().swiglu(kernelEngine(input), { rows: 1, cols, gate, up, out });
  return out;
}

/** Gradients of {@link swiglu} for the gradient `dout` of its result. */
export function swigluBackward(input: SwigluInput & { dout: Float32Array }): {
  dgate: Float32Array;
  dup: Float32Array;
} {
  const { gate, up, dout } = input;
  const dgate = new Float32Array(gate.length);
  const dup = new Float32Array(gate.length);
  const cols = dimension('gate.length', gate.length);
  kernelAddon().swiglu(kernelEngine(input), { rows: 1, cols, gate, up, dout, dgate, dup });
  return { dgate, dup };
}
