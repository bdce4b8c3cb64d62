import {
  dimension,
  type KernelOptions,
  kernelAddon,
  kernelEngine,
  rowsOf,
} from '../kernel-addon.js';

/** Arguments of {@link linear}. */
export interface LinearInput extends KernelOptions {
  /** [rows, inputs] */
  x: Float32Array;
  /** [outputs, inputs] */
  weight: Float32Array;
  /** [outputs]; none by default. */
  bias?: Float32Array;
  inputs: number;
  /** Applied to the result. Default `none`. */
  activation?: 'none' | 'gelu_erf' | 'gelu_tanh';
  /** [rows, outputs]; default a fresh array. */
  out?: Float32Array;
}

/** activation(x weight^T + bias), [rows, outputs]. */
export function linear(input: LinearInput): Float32Array {
  const { x, weight, bias, activation = 'none' } = input;
  const inputs = dimension('inputs', input.inputs);
  const rows = rowsOf('x', x, inputs);
  const outputs = rowsOf('weight', weight, inputs);
  const out = input.out ?? new Float32Array(rows * outputs);
  const args = { rows, inputs, outputs, x, weight, bias, activation, out };
  kernelAddon().linear(kernelEngine(input), args);
  return out;
}

/** Gradients of {@link linear} without activation, for the gradient `dout` of its result. */
export function linearBackward(
  input: Omit<LinearInput, 'out' | 'bias' | 'activation'> & { dout: Float32Array },
): { dx: Float32Array; dweight: Float32Array; dbias: Float32Array } {
  const { x, weight, dout } = input;
  const inputs = dimension('inputs', input.inputs);
  const rows = rowsOf('x', x, inputs);
  const outputs = rowsOf('weight', weight, inputs);
  const dx = new Float32Array(x.length);
  const dweight = new Float32Array(weight.length);
  const dbias = new Float32Array(outputs);
  const args = { rows, inputs, outputs, x, weight, dout, dx, dweight, dbias };
  kernelAddon().linearBackward(kernelEngine(input), args);
  return { dx, dweight, dbias };
}

/** The size of images and patches. */
export interface PatchShape {
  channels: number;
  /** Pixels; a multiple of `patch`. */
  height: number;
  width: number;
  /** Side of a patch in pixels. */
  patch: number;
}

/** Arguments of {@link patchEmbed}. */
export interface PatchEmbedInput extends PatchShape, KernelOptions {
  /** [batch, channels, height, width] */
  x: Float32Array;
  /** [outputs, channels, patch, patch] */
  weight: Float32Array;
  /** [outputs] */
  bias: Float32Array;
}

/**
 * Calls visit(pixel, column) for every element: `pixel` its index in an image batch, `column` in [batch * patches,
 * channels * patch * patch].
 */
function eachPatchElement(
  shape: PatchShape,
  batch: number,
  visit: (pixel: number, column: number) => void,
): void {
  const { channels, height, width, patch } = shape;
  let column = 0;
  for (let b = 0; b < batch; b += 1) {
    for (let top = 0; top < height; top += patch) {
      for (let left = 0; left < width; left += patch) {
        for (let c = 0; c < channels; c += 1) {
          for (let y = top; y < top + patch; y += 1) {
            const row = ((b * channels + c) * height + y) * width;
            for (let x = left; x < left + patch; x += 1) visit(row + x, column++);
          }
        }
      }
    }
  }
}

function patches(input: PatchShape & { x: Float32Array }) {
  const patch = dimension('patch', input.patch);
  const channels = dimension('channels', input.channels);
  rowsOf('patches', { length: dimension('height', input.height) }, patch);
  rowsOf('patches', { length: dimension('width', input.width) }, patch);
  const batch = rowsOf('x', input.x, channels * input.height * input.width);
  const unfolded = new Float32Array(input.x.length);
  eachPatchElement(input, batch, (pixel, column) => {
    unfolded[column] = input.x[pixel]!;
  });
  return { batch, unfolded, inputs: channels * patch * patch };
}

/**
 * Patch embedding of a vision transformer: a convolution whose kernel and stride are the patch. Returns
 * [batch, patches, outputs], patches in row order.
 */
export function patchEmbed(input: PatchEmbedInput): Float32Array {
  const { unfolded, inputs } = patches(input);
  const { weight, bias, isa, threads } = input;
  return linear({ x: unfolded, weight, bias, inputs, isa, threads });
}

/** Gradients of {@link patchEmbed} for the gradient `dout` [batch, patches, outputs] of its result. */
export function patchEmbedBackward(input: Omit<PatchEmbedInput, 'bias'> & { dout: Float32Array }): {
  dx: Float32Array;
  dweight: Float32Array;
  dbias: Float32Array;
} {
  const { batch, unfolded, inputs } = patches(input);
  const { weight, dout, isa, threads } = input;
  const gradient = linearBackward({ x: unfolded, weight, inputs, dout, isa, threads });
  const dx = new Float32Array(input.x.length);
  eachPatchElement(input, batch, (pixel, column) => {
    dx[pixel] = gradient.dx[column]!;
  });
  return { dx, dweight: gradient.dweight, dbias: gradient.dbias };
}
