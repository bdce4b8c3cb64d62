/** Every use of random numbers has a stream of its own, so that one more draw here changes nothing there. */
export interface StreamKey {
  /** 0 to 2^53 - 1. */
  seed: number;
  /** Number of the scene. */
  scene: number;
  attempt: number;
  stream: number;
}

const kUnit = 2 ** -32;

/**
 * Uniform numbers from Philox4x32-10 (Salmon et al., 2011): the key is the seed, the counter is (block, scene, attempt,
 * stream). A number depends on nothing else, in particular not on the scenes made before.
 */
export class Random {
  readonly #key: StreamKey;
  readonly #words = new Uint32Array(4);
  #block = 0;
  #used = 4;

  constructor(key: StreamKey) {
    this.#key = key;
  }

  /** Uniform in [0, 1), 32 bits. */
  next(): number {
    if (this.#used === 4) {
      const { seed, scene, attempt, stream } = this.#key;
      philox(this.#words, [this.#block, scene, attempt, stream], [seed, Math.floor(seed * kUnit)]);
      this.#block += 1;
      this.#used = 0;
    }
    const word = this.#words[this.#used];
    this.#used += 1;
    return word * kUnit;
  }

  /** Uniform in [low, high). */
  range(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Uniform integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)];
  }

  /** One of `items` by weights that need not add up to 1. */
  weighted<T>(items: readonly T[], weight: (item: T) => number): T {
    let left = this.next() * items.reduce((sum, item) => sum + weight(item), 0);
    for (const item of items) {
      left -= weight(item);
      if (left < 0) return item;
    }
    return items[items.length - 1];
  }

  /** Normal by Box and Muller, cut at three standard deviations. */
  normal(mean: number, deviation: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    const value = radius * Math.cos(2 * Math.PI * this.next());
    return mean + deviation * Math.min(3, Math.max(-3, value));
  }

  /** Items in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let i = order.length - 1; i > 0; --i) {
      const k = this.integer(0, i);
      [order[i], order[k]] = [order[k], order[i]];
    }
    return order;
  }
}

/** One block of Philox4x32-10: four words of `counter` under `key` into `out`. */
export function philox(
  out: Uint32Array,
  counter: readonly number[],
  key: readonly number[],
): Uint32Array {
  let [a, b, c, d] = counter.map((word) => word >>> 0);
  let [k0, k1] = key.map((word) => word >>> 0);
  for (let round = 0; round < 10; ++round) {
    const [low0, high0] = [Math.imul(0xd2511f53, a), highWord(0xd2511f53, a)];
    const [low1, high1] = [Math.imul(0xcd9e8d57, c), highWord(0xcd9e8d57, c)];
    a = (high1 ^ b ^ k0) >>> 0;
    b = low1 >>> 0;
    c = (high0 ^ d ^ k1) >>> 0;
    d = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
  return out;
}

/** Upper 32 bits of the product of two 32-bit words, by halves: doubles hold 53 bits. */
function highWord(p: number, q: number): number {
  const [p1, p0] = [p >>> 16, p & 0xffff];
  const [q1, q0] = [q >>> 16, q & 0xffff];
  const middle = p1 * q0 + Math.floor((p0 * q0) / 65536);
  const other = p0 * q1 + (middle % 65536);
  return p1 * q1 + Math.floor(middle / 65536) + Math.floor(other / 65536);
}
