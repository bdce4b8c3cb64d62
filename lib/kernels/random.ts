import { argumentError } from '../errors.js';
import { type KernelOptions, kernelAddon, kernelEngine, rowsOf } from '../kernel-addon.js';

/**
 * Philox4x32-10, the counter-based generator behind every random number of the engine.
 *
 * @param counters [count, 4] unsigned 32-bit words
 * @param key two unsigned 32-bit words
 * @returns `words` [count, 4], and `unit`: the same mapped to [0, 1) as (word >> 8) 2^-24
 */
export function philox(
  counters: ArrayLike<number>,
  key: readonly [number, number],
  options: KernelOptions = {},
): { words: Uint32Array; unit: Float32Array } {
  const count = rowsOf('counters', counters, 4);
  const counter = signedWords('counters', counters);
  const result = new Uint32Array(4 * count);
  const unit = new Float32Array(4 * count);
  const out = new Int32Array(result.buffer);
  const args = { count, counter, key: signedWords('key', key), out, unit };
  kernelAddon().philox(kernelEngine(options), args);
  return { words: result, unit };
}

/** Unsigned words as the signed ones with the same bits, which the addon takes. */
function signedWords(name: string, values: ArrayLike<number>): Int32Array {
  return Int32Array.from(values, (value) => {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw argumentError(name, 'unsigned 32-bit integers', value, 'ERR_RANGE');
    }
    return value | 0;
  });
}
