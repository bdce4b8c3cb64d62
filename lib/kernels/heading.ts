import { argumentError } from '../errors.js';
import type { KernelOptions } from '../kernel-addon.js';
import { gelu } from './elements.js';
import { linear } from './linear.js';
import { layerNorm } from './norm.js';

/** A hidden layer of the heading network: linear, layer norm, GELU. */
export interface HeadingLayer {
  /** [outputs, inputs] */
  weight: Float32Array;
  /** [outputs] */
  bias: Float32Array;
  /** [outputs] */
  normWeight: Float32Array;
  /** [outputs] */
  normBias: Float32Array;
}

/** Arguments of {@link headingMlp}. */
export interface HeadingMlpInput extends KernelOptions {
  /** [rows, waypoints, 2]: x and y in metres. */
  xy: Float32Array;
  waypoints: number;
  hidden: readonly HeadingLayer[];
  /** [waypoints, width of the last hidden layer] */
  weight: Float32Array;
  /** [waypoints] */
  bias: Float32Array;
  /** Of the layer norms. Default 1e-5. */
  eps?: number;
}

// biome-ignore lint/suspicious/noApproximativeNumericConstant: the released network multiplies by this, not by pi
const kPublishedPi = 3.14159;

/**
 * Headings for a trajectory of positions, as the released agent computes them after decoding: hidden layers of linear,
 * layer norm and exact GELU, then pi tanh. Dropout is inactive. Returns radians, [rows, waypoints].
 */
export function headingMlp(input: HeadingMlpInput): Float32Array {
  const { hidden, waypoints, eps = 1e-5, device, isa, gpu, precision, threads } = input;
  const engine: KernelOptions = { device, isa, gpu, precision, threads };
  let inputs = 2 * waypoints;
  let x = input.xy;
  for (const { weight, bias, normWeight, normBias } of hidden) {
    const y = linear({ x, weight, bias, inputs, ...engine });
    x = gelu({
      x: layerNorm({ x: y, weight: normWeight, bias: normBias, eps, ...engine }).out,
      ...engine,
    });
    inputs = bias.length;
  }
  if (input.bias.length !== waypoints) {
    throw argumentError('bias', `${waypoints} elements`, input.bias, 'ERR_SHAPE');
  }
  const angle = linear({ x, weight: input.weight, bias: input.bias, inputs, ...engine });
  return angle.map((value) => kPublishedPi * Math.tanh(value));
}
