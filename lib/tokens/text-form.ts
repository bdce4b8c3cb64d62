import { argumentError } from '../errors.js';
import type { NumericTokenizer } from './numeric-tokenizer.js';

/** What {@link parseNumberList} made of a text. */
export interface ParsedNumberList {
  /** The numbers read, in order; fields that are not numbers are NaN. */
  values: Float64Array;
  /** True when there are exactly the expected number of fields and all are numbers within the tokenizer's range. */
  ok: boolean;
  /** What is wrong, one sentence each; empty when `ok`. */
  problems: string[];
}

/**
 * The paper's answer form `x1,y1,...,xN,yN`: numbers in the tokenizer's notation, comma-separated, no spaces.
 *
 * @param values metres, for a trajectory x and y of each waypoint in turn
 * @throws WamFlowError `ERR_RANGE` for a value outside the tokenizer's range, `ERR_NOT_FINITE`
 */
export function formatNumberList(values: ArrayLike<number>, tokenizer: NumericTokenizer): string {
  return Array.from(values, (value) => tokenizer.text(tokenizer.encode(value))).join(',');
}

/**
 * Reads the answer form back. Answers come from a network, so nothing here throws on malformed text: problems are
 * reported and what could be read is returned. Spaces around fields are allowed; anything after the end-of-sentence
 * marker is ignored.
 *
 * @param count expected number of fields, 16 for 8 waypoints of x and y
 * @param endOfSentence the marker, default the one of {@link assemblePrompt}
 * @throws WamFlowError `ERR_ARGUMENT` only for a `count` that is not a positive integer
 */
export function parseNumberList(
  text: string,
  tokenizer: NumericTokenizer,
  count: number,
  endOfSentence: string = END_OF_SENTENCE,
): ParsedNumberList {
  if (!Number.isInteger(count) || count < 1) {
    throw argumentError('count', 'a positive integer', count);
  }
  const answer = String(text).split(endOfSentence, 1)[0] ?? '';
  const fields = answer.trim() === '' ? [] : answer.split(',', count + 1);
  const problems: string[] = [];
  if (fields.length !== count) {
    const found = fields.length > count ? `more than ${count}` : String(fields.length);
    problems.push(`expected ${count} numbers, found ${found}`);
  }
  const values = Float64Array.from(fields.slice(0, count), (field, index) => {
    const number = parseField(field.trim());
    if (Number.isNaN(number)) {
      problems.push(`field ${index} is not a number: ${JSON.stringify(field.slice(0, 40))}`);
    } else if (!tokenizer.contains(number)) {
      problems.push(`field ${index} is out of range: ${number}`);
    }
    return number;
  });
  return { values, ok: problems.length === 0, problems };
}

/** The end-of-sentence token of the Janus tokenizer. */
export const END_OF_SENTENCE = '<｜end▁of▁sentence｜>';

/** Plain decimal notation only: `Number` alone would also take '', '0x10' and '1e3'. */
function parseField(field: string): number {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(field) ? Number(field) : Number.NaN;
}
