import { splitMix32 } from '../scenario/random.js';

/** Lower and upper bound of a 95 % confidence interval. */
export type Interval = [low: number, high: number];

/**
 * Percentile bootstrap over groups: windows of one ego overlap in time, so egos are drawn with replacement, each with
 * all of its windows. The draws are made once, so the same resamples serve every row and differences between rows are
 * paired.
 */
export class GroupBootstrap {
  readonly #groupOf: Int32Array;
  readonly #groups: number;
  /** [resamples, groups]: how often each group was drawn. */
  readonly #counts: Uint16Array;
  readonly #resamples: number;

  /**
   * @param keys group of each item, e.g. recording and ego of a window.
   * @param resamples default 1000.
   * @param seed default 0; equal seeds give equal intervals.
   */
  constructor(keys: readonly string[], resamples = 1000, seed = 0) {
    const index = new Map<string, number>();
    this.#groupOf = Int32Array.from(keys, (key) => {
      const known = index.get(key);
      if (known !== undefined) return known;
      index.set(key, index.size);
      return index.size - 1;
    });
    const groups = index.size;
    this.#groups = groups;
    this.#resamples = resamples;
    this.#counts = new Uint16Array(resamples * groups);
    const next = splitMix32(seed);
    for (let r = 0; r < resamples; ++r) {
      for (let k = 0; k < groups; ++k) ++this.#counts[r * groups + Math.floor(next() * groups)];
    }
  }

  get groups(): number {
    return this.#groups;
  }

  /**
   * 95 % interval of the mean of `values`, one value an item. Items without a value (NaN) are left out, and so are
   * resamples without any. Equal bounds when there is one group; NaN when no item has a value.
   */
  interval(values: ArrayLike<number>): Interval {
    const groups = this.groups;
    const sums = new Float64Array(groups);
    const sizes = new Float64Array(groups);
    for (const [i, group] of this.#groupOf.entries()) {
      if (Number.isNaN(values[i])) continue;
      sums[group] += values[i];
      ++sizes[group];
    }
    const means = new Float64Array(this.#resamples);
    let known = 0;
    for (let r = 0; r < this.#resamples; ++r) {
      let sum = 0;
      let size = 0;
      for (let g = 0; g < groups; ++g) {
        const times = this.#counts[r * groups + g];
        sum += times * sums[g];
        size += times * sizes[g];
      }
      if (size > 0) means[known++] = sum / size;
    }
    const sorted = means.subarray(0, known).sort();
    return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
  }
}

/** Quantile of ascending numbers, linear between neighbours; NaN when there are none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}
