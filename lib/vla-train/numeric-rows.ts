// Rows for numbers in a token table that has none.

import { WamFlowError } from '../errors.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';
import { normalValues } from './draws.js';

/** Standard deviation around the mean of the digits, as released. */
const kSpread = 0.01;

/**
 * A table with rows for all tokens of a tokenizer with numbers. Rows of texts stay as they are; those of numbers, and what
 * else is new, start from the mean of the digits' and the dot's rows with a little noise (`digits`, as the released code
 * starts input rows), or from normal numbers as spread as the table is (`random`).
 *
 * @param table [rows, width]
 * @param name of the tensor: random numbers are its own
 * @throws WamFlowError `ERR_TOKENIZER` when digits are no tokens
 */
export function withNumericRows(
  table: { name: string; data: Float32Array; width: number },
  tokenizer: TextTokenizer,
  start: 'digits' | 'random',
  seed: number,
): Float32Array {
  const { name, data, width } = table;
  const before = data.length / width;
  const rows = Math.max(before, tokenizer.idLimit);
  const { firstId, size } = tokenizer.numbers;
  const grown = new Float32Array(rows * width);
  grown.set(data);
  const deviation = start === 'digits' ? kSpread : deviationOf(data);
  const centre = start === 'digits' ? meanOfDigits(data, width, tokenizer) : undefined;
  const fill = (begin: number, end: number) => {
    if (end <= begin) return;
    const noise = normalValues(`${name} from ${begin}`, seed, (end - begin) * width, deviation);
    for (let i = 0; i < noise.length; i += 1) {
      grown[begin * width + i] = noise[i]! + (centre?.[i % width] ?? 0);
    }
  };
  fill(firstId, firstId + size);
  fill(Math.max(before, firstId + size), rows);
  return grown;
}

function meanOfDigits(data: Float32Array, width: number, tokenizer: TextTokenizer): Float64Array {
  const row = (token: string): Float32Array => {
    const id = tokenizer.idOf(token);
    if (id === undefined || (id + 1) * width > data.length) {
      throw new WamFlowError(
        'ERR_TOKENIZER',
        `rows: expected a token ${JSON.stringify(token)} to start rows of numbers from; 'random' needs none`,
      );
    }
    return data.subarray(id * width, (id + 1) * width);
  };
  const mean = new Float64Array(width);
  // The digits together weigh as much as the dot.
  for (const digit of '0123456789') row(digit).forEach((v, i) => (mean[i]! += v / 20));
  row('.').forEach((v, i) => (mean[i]! += v / 2));
  return mean;
}

function deviationOf(data: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const value of data) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / data.length;
  return Math.sqrt(Math.max(0, squares / data.length - mean * mean));
}
