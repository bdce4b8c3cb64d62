import { argumentError } from '../errors.js';
import { hashKey, mixBits } from './hash.js';
import { Permutation } from './permutation.js';

/** Which row of which set. */
export interface Draw {
  set: number;
  row: number;
}

const kBlock = 2 ** 14; // draws between two counts that are kept
const kMaxDraws = 2 ** 32;
// What a hash is for.
const kChoice = 1;
const kOrder = 2;

/**
 * An endless sequence of rows, without state but for a memory of counts: draw n takes a set by weight, and of it the next
 * row of a permutation that is another one every time the set is through. It depends on seed, weights and sizes alone.
 */
export class DrawOrder {
  readonly #sizes: readonly number[];
  /** Upper ends of the sets' shares of [0, 2^32). */
  readonly #shares: Float64Array;
  /** The one set that has a weight, or -1. */
  readonly #only: number;
  /** Of one seed: how often each set was taken before draw 0, 2^14, ...; [blocks][sets]. */
  #counts: { seed: number; blocks: Float64Array[] } = { seed: -1, blocks: [] };
  readonly #permutations = new Map<number, { key: string; permutation: Permutation }>();

  /** @param weights not negative, not all 0. @param sizes rows of each set. */
  constructor(weights: readonly number[], sizes: readonly number[]) {
    this.#sizes = sizes;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let sum = 0;
    const shares = Float64Array.from(weights, (weight) => {
      sum += weight;
      return (sum / total) * 2 ** 32;
    });
    // What is rounded away at the end belongs to the last set that has a weight.
    const last = weights.findLastIndex((weight) => weight > 0);
    shares.fill(2 ** 32, last);
    const first = weights.findIndex((weight) => weight > 0);
    this.#only = first === last ? first : -1;
    this.#shares = shares;
  }

  /**
   * Draws `first` to `first + count` - 1.
   *
   * @throws WamFlowError `ERR_RANGE` beyond 2^32 draws
   */
  take(seed: number, first: number, count: number): Draw[] {
    if (first + count > kMaxDraws) {
      throw argumentError('step', `at most ${kMaxDraws} draws in all`, first + count, 'ERR_RANGE');
    }
    const key = hashKey(kChoice, seed);
    const taken = this.#takenBefore(seed, key, first);
    return Array.from({ length: count }, (_, k) => {
      const set = this.#choose(key, first + k);
      const n = taken[set]++;
      const size = this.#sizes[set];
      return { set, row: this.#permutation(seed, set, Math.floor(n / size)).at(n % size) };
    });
  }

  #choose(key: number, draw: number): number {
    if (this.#only >= 0) return this.#only;
    const value = mixBits(mixBits(draw ^ key) + key);
    return this.#shares.findIndex((end) => value < end);
  }

  /** How often each set is taken by the draws before one: counted from the begin of its block on. */
  #takenBefore(seed: number, key: number, draw: number): Float64Array {
    if (this.#only >= 0) return new Float64Array(this.#sizes.length).fill(draw);
    if (this.#counts.seed !== seed) {
      this.#counts = { seed, blocks: [new Float64Array(this.#sizes.length)] };
    }
    const { blocks } = this.#counts;
    const countOn = (before: Float64Array, from: number, to: number): Float64Array => {
      const counts = before.slice();
      for (let k = from; k < to; ++k) counts[this.#choose(key, k)] += 1;
      return counts;
    };
    const block = Math.floor(draw / kBlock);
    while (blocks.length <= block) {
      const from = (blocks.length - 1) * kBlock;
      blocks.push(countOn(blocks[blocks.length - 1], from, from + kBlock));
    }
    return countOn(blocks[block], block * kBlock, draw);
  }

  #permutation(seed: number, set: number, epoch: number): Permutation {
    const key = `${seed}/${epoch}`;
    let known = this.#permutations.get(set);
    if (known?.key !== key) {
      known = {
        key,
        permutation: new Permutation(this.#sizes[set], [kOrder, seed, set, epoch]),
      };
      this.#permutations.set(set, known);
    }
    return known.permutation;
  }
}
