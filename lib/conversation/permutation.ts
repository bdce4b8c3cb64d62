import { hashKey, mixBits } from './hash.js';

const kRounds = 6;

/**
 * A permutation of 0 to `size` - 1 that is chosen by a key and takes no memory: a Feistel network over the next even
 * power of two, applied again while it leads outside.
 */
export class Permutation {
  readonly size: number;
  readonly #bits: number;
  readonly #keys: readonly number[];

  /** @param size 1 to 2^32. @param key integers. */
  constructor(size: number, key: readonly number[]) {
    this.size = size;
    let bits = 1;
    while (4 ** bits < size) bits += 1;
    this.#bits = bits;
    this.#keys = Array.from({ length: kRounds }, (_, round) => hashKey(...key, round));
  }

  /** Where `index` goes. */
  at(index: number): number {
    let at = index;
    do at = this.#encrypt(at);
    while (at >= this.size);
    return at;
  }

  #encrypt(value: number): number {
    const half = 2 ** this.#bits;
    const mask = half - 1;
    let left = Math.floor(value / half);
    let right = value % half;
    for (const key of this.#keys) {
      [left, right] = [right, (left ^ (mixBits(right ^ key) & mask)) & mask];
    }
    return left * half + right;
  }
}
