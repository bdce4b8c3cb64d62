// Rows for numbers in a token table that has none.

import { WamFlowError } from '../errors.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';
import { normalValues, purposeOf, unitOf, wordsFor } from './draws.js';

/** Wavelengths of `waves`: from so many steps of the grid to so many times its span. */
const kShortestSteps = 100;
const kLongestSpans = 4;

/** What rows of numbers start from. */
export type NumericStart = 'digits' | 'random' | 'waves';

/** Standard deviation around the mean of the digits, as released. */
const kSpread = 0.01;

/**
 * A table with rows for all tokens of a tokenizer with numbers. Rows of texts stay as they are; those of numbers, and what
 * else is new, start from the mean of the digits' and the dot's rows with a little noise (`digits`, as the released code
 * starts input rows), from normal numbers as spread as the table is (`random`), or
 * from the number itself (`waves`): cosines and sines of it at geometric wavelengths, of length 1 together. Their distances
 * grow about as the logarithm of the difference, so that near numbers are told apart and far ones are far: nearly the order
 * that the triplet loss asks for.
 *
 * @param table [rows, width]
 * @param name of the tensor: random numbers are its own
 * @throws WamFlowError `ERR_TOKENIZER` when digits are no tokens
 */
export function withNumericRows(
  table: { name: string; data: Float32Array; width: number },
  tokenizer: TextTokenizer,
  start: NumericStart,
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
  if (start === 'waves') grown.set(waves(tokenizer, name, width, seed), firstId * width);
  else fill(firstId, firstId + size);
  fill(Math.max(before, firstId + size), rows);
  return grown;
}

function waves(tokenizer: TextTokenizer, name: string, width: number, seed: number): Float32Array {
  const { size } = tokenizer.numbers;
  const pairs = Math.ceil(width / 2);
  const purpose = purposeOf(`${name} phases`);
  const words = new Uint32Array(4);
  const [shortest, longest] = [kShortestSteps, kLongestSpans * (size - 1)];
  const rows = new Float32Array(size * width);
  for (let pair = 0; pair < pairs; pair += 1) {
    const length = shortest * (longest / shortest) ** (pair / Math.max(1, pairs - 1));
    const phase = 2 * Math.PI * unitOf(wordsFor(words, purpose, seed, pair)[0]!);
    for (let k = 0; k < size; k += 1) {
      const angle = (2 * Math.PI * k) / length + phase;
      const at = k * width + 2 * pair;
      rows[at] = Math.cos(angle) / Math.sqrt(pairs);
      if (2 * pair + 1 < width) rows[at + 1] = Math.sin(angle) / Math.sqrt(pairs);
    }
  }
  return rows;
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
  const add = (token: string, share: number) => {
    for (const [i, value] of row(token).entries()) mean[i]! += value * share;
  };
  // The digits together weigh as much as the dot.
  for (const digit of '0123456789') add(digit, 1 / 20);
  add('.', 1 / 2);
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
