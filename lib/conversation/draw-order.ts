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

  /** @throws WamFlowError `ERR_RANGE` beyond 2^32 draws. */
  at(seed: number, draw: number): Draw {
    if (draw >= kMaxDraws) {
      throw argumentError('step', `less than ${kMaxDraws} draws in all`, draw, 'ERR_RANGE');
    }
    const set = this.#choose(seedKey(seed), draw);
    const n = this.#only < 0 ? this.#takenBefore(seed, draw, set) : draw;
    const size = this.#sizes[set];
    const epoch = Math.floor(n / size);
    return { set, row: this.#permutation(seed, set, epoch).at(n % size) };
  }

  #choose(key: number, draw: number): number {
    if (this.#only >= 0) return this.#only;
    const value = mixBits(mixBits(draw ^ key) + key);
    return this.#shares.findIndex((end) => value < end);
  }

  /** How often a set is taken by the draws before one: counted from the block's begin on. */
  #takenBefore(seed: number, draw: number, set: number): number {
    if (this.#counts.seed !== seed) {
      this.#counts = { seed, blocks: [new Float64Array(this.#sizes.length)] };
    }
    const key = seedKey(seed);
    const { blocks } = this.#counts;
    const block = Math.floor(draw / kBlock);
    while (blocks.length <= block) {
      const from = (blocks.length - 1) * kBlock;
      const counts = blocks[blocks.length - 1].slice();
      for (let k = from; k < from + kBlock; ++k) counts[this.#choose(key, k)] += 1;
      blocks.push(counts);
    }
    let taken = blocks[block][set];
    for (let k = block * kBlock; k < draw; ++k) if (this.#choose(key, k) === set) taken += 1;
    return taken;
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

function seedKey(seed: number): number {
  return hashKey(kChoice, seed);
}
