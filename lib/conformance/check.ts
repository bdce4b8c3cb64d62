/** Numbers to be compared, with any typed array. */
type Numbers = ArrayLike<number>;

/** |got - want| <= abs + rel |want|. */
export interface Limit {
  abs?: number;
  rel?: number;
}

/** The comparisons of one case. */
export class Check {
  /** What did not agree, one line each. */
  readonly failures: string[] = [];
  /** The greatest error of all comparisons as a part of its limit. */
  worst = 0;
  /** Number of values compared. */
  compared = 0;

  /** Compares numbers within limits; a NaN agrees with a NaN, an infinity with itself. */
  close(name: string, got: Numbers, want: Numbers, { abs = 0, rel = 0 }: Limit): void {
    if (got.length !== want.length) {
      this.failures.push(`${name}: ${got.length} values, expected ${want.length}`);
      return;
    }
    let bad = 0;
    let first = '';
    for (let i = 0; i < want.length; i += 1) {
      const g = got[i]!;
      const w = want[i]!;
      if (Object.is(g, w) || g === w) continue;
      const limit = abs + rel * Math.abs(w);
      const error = Math.abs(g - w);
      this.worst = Math.max(this.worst, Number.isNaN(error) ? Infinity : error / limit);
      if (error <= limit) continue;
      if (bad === 0) first = `[${i}] ${g}, expected ${w} +- ${limit.toExponential(1)}`;
      bad += 1;
    }
    this.compared += want.length;
    if (bad > 0) this.failures.push(`${name}: ${bad} of ${want.length} off, first ${first}`);
  }

  /** Compares numbers or strings exactly. */
  equal(name: string, got: ArrayLike<number | string>, want: ArrayLike<number | string>): void {
    this.compared += want.length;
    if (got.length !== want.length) {
      this.failures.push(`${name}: ${got.length} values, expected ${want.length}`);
      return;
    }
    for (let i = 0; i < want.length; i += 1) {
      if (got[i] === want[i]) continue;
      this.failures.push(`${name}: [${i}] ${got[i]}, expected ${want[i]}`);
      return;
    }
  }
}

/** Thrown by a group for a case that it has no operation for. */
export class NotImplemented extends Error {}
