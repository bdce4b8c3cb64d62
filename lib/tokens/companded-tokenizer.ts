import { argumentError } from '../errors.js';
import { dimension, kernelAddon } from '../kernel-addon.js';
import type { EncodeOptions } from './numeric-tokenizer.js';

/** How the values of each slot become tokens. */
export interface CompandedTokenizerOptions {
  /** Tokens of every slot. Default 401; odd, so that 0 has one. */
  size?: number;
  /** How much finer the steps are around 0 than at the ends: by sqrt(1 + compand^2). 0: equal steps. Default 5. */
  compand?: number;
  /** Greatest value of each slot, in the slot's unit (metres for x and y, radians for heading). */
  scales: ArrayLike<number>;
}

/**
 * Value grids of the planner's action tokens: slot s holds scale_s sinh(u asinh(compand)) / compand with u = -1 .. 1 in
 * equal steps. Encoding picks the token of the nearest value.
 */
export class CompandedTokenizer {
  /** Tokens of every slot. */
  readonly size: number;
  readonly compand: number;
  /** Number of slots. */
  readonly slots: number;
  readonly #scale: Float64Array;

  /** @throws WamFlowError `ERR_CONFIG` */
  constructor(options: CompandedTokenizerOptions) {
    const { size = 401, compand = 5, scales } = options;
    if (!Number.isInteger(size) || size < 3 || size % 2 === 0) {
      throw argumentError('size', 'an odd integer from 3', size, 'ERR_CONFIG');
    }
    if (!Number.isFinite(compand) || compand < 0) {
      throw argumentError('compand', 'a finite number >= 0', compand, 'ERR_CONFIG');
    }
    this.#scale = Float64Array.from(scales, (scale) => {
      if (Number.isFinite(scale) && scale > 0) return scale;
      throw argumentError('scales', 'positive finite numbers', scale, 'ERR_CONFIG');
    });
    if (this.#scale.length === 0) throw argumentError('scales', 'one a slot', scales, 'ERR_CONFIG');
    this.size = size;
    this.compand = compand;
    this.slots = this.#scale.length;
  }

  /** The token's place on the grid, u of [-1, 1]: the coordinate of the metric path. */
  coordinate(token: number): number {
    this.#check(token);
    return -1 + (2 * token) / (this.size - 1);
  }

  /** All coordinates, ascending, [size]. */
  coordinates(): Float64Array {
    return Float64Array.from({ length: this.size }, (_, token) => this.coordinate(token));
  }

  /**
   * Tokens of values, [rows, slots], and how many values lay beyond the ends of their slot (by more than half a step)
   * and took the end token.
   *
   * @throws WamFlowError `ERR_RANGE` when there are such values and `clamp` is not set; `ERR_NOT_FINITE`, `ERR_SHAPE`
   */
  encode(
    values: ArrayLike<number>,
    options: EncodeOptions = {},
  ): { tokens: Int32Array; clipped: number } {
    const rows = this.#rows('values', values);
    const finite = Float64Array.from(values, (value) => {
      if (Number.isFinite(value)) return value;
      throw argumentError('values', 'finite numbers', value, 'ERR_NOT_FINITE');
    });
    const tokens = new Int32Array(finite.length);
    const clipped = kernelAddon().encodeCompanded({
      ...this.#grid(rows),
      values: finite,
      tokens,
    });
    if (clipped > 0 && !options.clamp) {
      const problem = `${clipped} beyond it`;
      throw argumentError('values', "numbers within their slot's scale", problem, 'ERR_RANGE');
    }
    return { tokens, clipped };
  }

  /**
   * Values of tokens, [rows, slots].
   *
   * @throws WamFlowError `ERR_RANGE` for a token that does not exist, `ERR_SHAPE`
   */
  decode(tokens: ArrayLike<number>): Float64Array {
    const rows = this.#rows('tokens', tokens);
    const ids = Int32Array.from(tokens, (token) => this.#check(token));
    const values = new Float64Array(ids.length);
    kernelAddon().decodeCompanded({ ...this.#grid(rows), tokens: ids, values });
    return values;
  }

  #grid(rows: number) {
    return { rows, slots: this.slots, count: this.size, compand: this.compand, scale: this.#scale };
  }

  #rows(name: string, array: ArrayLike<number>): number {
    const rows = array.length / this.slots;
    if (Number.isInteger(rows)) return dimension(`${name}.length`, rows, 0);
    throw argumentError(name, `rows of ${this.slots} slots`, array, 'ERR_SHAPE');
  }

  #check(token: number): number {
    if (Number.isInteger(token) && token >= 0 && token < this.size) return token;
    throw argumentError('token', `an integer from 0 to ${this.size - 1}`, token, 'ERR_RANGE');
  }
}
