import { argumentError } from '../errors.js';
import { formatDecimal } from './decimal.js';

/** Where the numeric vocabulary lies. The defaults are the published ones: 20,001 tokens, -100.00 to 100.00. */
export interface NumericTokenizerOptions {
  /** Least value, a multiple of 10^-decimals. Default -100. */
  min?: number;
  /** Greatest value, a multiple of 10^-decimals. Default 100. */
  max?: number;
  /** Decimals of every token; neighbours are 10^-decimals apart. 0 to 6, default 2. */
  decimals?: number;
  /**
   * Token id of `min`. Default 0. With a text tokenizer it is the number of tokens that the text tokenizer has before
   * the numbers are added, which for Janus is less than the number of embedding rows.
   */
  firstId?: number;
}

/** What to do with a value that has no token. */
export interface EncodeOptions {
  /** Take the end of the range instead of throwing. Default false. */
  clamp?: boolean;
}

/**
 * The numeric tokenizer of the paper (section 3.1): every number of one shared absolute grid is one token, written with
 * two decimals. A value is first rounded as Python's `'%.2f'` does, so ids agree with tokenizers that go through text.
 */
export class NumericTokenizer {
  /** Number of numeric tokens. */
  readonly size: number;
  /** Id of the least value. */
  readonly firstId: number;
  readonly decimals: number;
  readonly #perUnit: number;
  readonly #first: number;

  /** @throws WamFlowError `ERR_CONFIG` when min and max are not multiples of the step or out of order */
  constructor(options: NumericTokenizerOptions = {}) {
    const { min = -100, max = 100, decimals = 2, firstId = 0 } = options;
    if (!Number.isInteger(decimals) || decimals < 0 || decimals > 6) {
      throw argumentError('decimals', 'an integer from 0 to 6', decimals, 'ERR_CONFIG');
    }
    if (!Number.isSafeInteger(firstId) || firstId < 0) {
      throw argumentError('firstId', 'a token id >= 0', firstId, 'ERR_CONFIG');
    }
    const perUnit = 10 ** decimals;
    const first = Math.round(min * perUnit);
    const last = Math.round(max * perUnit);
    if (!Number.isSafeInteger(first) || first / perUnit !== min) {
      throw argumentError('min', `a multiple of ${1 / perUnit}`, min, 'ERR_CONFIG');
    }
    if (!Number.isSafeInteger(last) || last / perUnit !== max || last <= first) {
      throw argumentError('max', `a multiple of ${1 / perUnit} above min`, max, 'ERR_CONFIG');
    }
    this.size = last - first + 1;
    this.firstId = firstId;
    this.decimals = decimals;
    this.#perUnit = perUnit;
    this.#first = first;
  }

  /**
   * The text of a value, rounded to the grid's decimals; not limited to the range.
   *
   * @throws WamFlowError `ERR_NOT_FINITE`; `ERR_RANGE` from 1e21 on, which has no plain decimal notation
   */
  format(value: number): string {
    if (!Number.isFinite(value)) {
      throw argumentError('value', 'a finite number', value, 'ERR_NOT_FINITE');
    }
    if (Math.abs(value) >= 1e21) {
      throw argumentError('value', 'a magnitude below 1e21', value, 'ERR_RANGE');
    }
    return formatDecimal(value, this.decimals);
  }

  /**
   * Id of the token nearest to `value`.
   *
   * @throws WamFlowError `ERR_RANGE` when the rounded value lies outside the range and `clamp` is not set,
   *   `ERR_NOT_FINITE` for NaN and, without `clamp`, the infinities
   */
  encode(value: number, options: EncodeOptions = {}): number {
    const infinite = Math.abs(value) === Number.POSITIVE_INFINITY;
    if (Number.isNaN(value) || (infinite && !options.clamp)) {
      throw argumentError('value', 'a finite number', value, 'ERR_NOT_FINITE');
    }
    const index = this.#index(value);
    if (options.clamp) return this.firstId + Math.min(Math.max(index, 0), this.size - 1);
    if (index < 0 || index >= this.size) {
      const range = `${this.#text(0)} to ${this.#text(this.size - 1)}`;
      throw argumentError('value', `a number from ${range}`, value, 'ERR_RANGE');
    }
    return this.firstId + index;
  }

  /** {@link encode} of every value. */
  encodeAll(values: ArrayLike<number>, options: EncodeOptions = {}): Int32Array {
    return Int32Array.from(values, (value) => this.encode(value, options));
  }

  /** Whether `value` has a token: {@link encode} would not throw. */
  contains(value: number): boolean {
    const index = Number.isFinite(value) ? this.#index(value) : -1;
    return index >= 0 && index < this.size;
  }

  /** Whether `id` stands for a number. */
  isNumeric(id: number): boolean {
    return Number.isInteger(id) && id >= this.firstId && id < this.firstId + this.size;
  }

  /**
   * Value of a token: the double nearest to its decimal notation.
   *
   * @throws WamFlowError `ERR_RANGE` when `id` is not numeric
   */
  decode(id: number): number {
    if (!this.isNumeric(id)) {
      const range = `${this.firstId} to ${this.firstId + this.size - 1}`;
      throw argumentError('id', `a numeric token id from ${range}`, id, 'ERR_RANGE');
    }
    return (this.#first + id - this.firstId) / this.#perUnit;
  }

  /** {@link decode} of every id. */
  decodeAll(ids: ArrayLike<number>): Float64Array {
    return Float64Array.from(ids, (id) => this.decode(id));
  }

  /** Text of a token, such as `-12.50`. */
  text(id: number): string {
    return formatDecimal(this.decode(id), this.decimals);
  }

  /** Id of a token's text, or undefined when it is not exactly a token (`1.5`, `-0.00`, `123.45`). */
  idOf(text: string): number | undefined {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) return undefined;
    const index = Math.round(value * this.#perUnit) - this.#first;
    return index >= 0 && index < this.size && this.#text(index) === text
      ? this.firstId + index
      : undefined;
  }

  /** All tokens in id order, for adding to a text tokenizer. */
  vocabulary(): string[] {
    return Array.from({ length: this.size }, (_, index) => this.#text(index));
  }

  #text(index: number): string {
    return formatDecimal((this.#first + index) / this.#perUnit, this.decimals);
  }

  /** Position on the grid after rounding through the decimal notation; may lie outside. */
  #index(value: number): number {
    // |value| < 1e21 is needed for decimal notation; far outside the range the exact index does not matter.
    if (Math.abs(value) > 1e15) return value < 0 ? -1 : this.size;
    return Math.round(Number(this.format(value)) * this.#perUnit) - this.#first;
  }
}
