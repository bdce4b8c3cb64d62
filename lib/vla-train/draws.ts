// Random numbers by counter: a number depends on the seed and on what it is for, never on what was drawn before.

import { hashWords } from '../camera/hash.js';
import { philox } from '../generate/random.js';

const kUnit = 2 ** -32;

/** Four 32-bit words for a purpose (a name), a seed of up to 53 bits, and three counters. */
export function wordsFor(
  out: Uint32Array,
  purpose: readonly [number, number],
  seed: number,
  a: number,
  b = 0,
): Uint32Array {
  const [low, high] = purpose;
  return philox(out, [a, b, low, high], [seed, Math.floor(seed * kUnit)]);
}

/** A purpose of {@link wordsFor} by its name. */
export const purposeOf = hashWords;

/** A 32-bit word as a uniform number in [0, 1). */
export function unitOf(word: number): number {
  return word * kUnit;
}

/** `count` normal values of this deviation for a name: pairs by Box and Muller. */
export function normalValues(
  name: string,
  seed: number,
  count: number,
  deviation: number,
): Float32Array {
  const purpose = purposeOf(name);
  const words = new Uint32Array(4);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 4) {
    wordsFor(words, purpose, seed, i / 4);
    for (let k = 0; k < 4; k += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - unitOf(words[k]!)));
      const angle = 2 * Math.PI * unitOf(words[k + 1]!);
      if (i + k < count) values[i + k] = radius * Math.cos(angle);
      if (i + k + 1 < count) values[i + k + 1] = radius * Math.sin(angle);
    }
  }
  return values;
}
