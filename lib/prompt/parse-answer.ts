import { argumentError } from '../errors.js';
import { NumericTokenizer } from '../tokens/numeric-tokenizer.js';
import { END_OF_SENTENCE } from '../tokens/text-form.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';

export interface ParseAnswerOptions {
  /** Waypoints that the answer should have. Default 8. */
  waypoints?: number;
  /** Numbers of a waypoint: 2 for x, y; 3 for x, y, heading. Default 2. */
  values?: 2 | 3;
}

/** What was understood of an answer. */
export interface ParsedAnswer {
  /** [n, values], n at most as many as expected: metres, and radians for a heading. All finite and within range. */
  waypoints: Float64Array;
  /** Whether all expected waypoints were understood. */
  complete: boolean;
  /** What was missing, left out or odd, one sentence each, at most 20; also beside a complete answer. */
  problems: string[];
}

/** A number in an answer, or something that looks like one and is not. */
interface Item {
  /** NaN when it is not a number. */
  value: number;
  text: string;
  /** What stands between the item before it, or the start, and this one. */
  before: string;
}

const kMaxProblems = 20;
const kPaperNumbers = new NumericTokenizer();

/**
 * Reads waypoints from an answer in words. Whatever the text is, nothing is thrown: what cannot be understood is said.
 *
 * Two readings are tried, and the one with more numbers is taken: waypoints in brackets, `(3.88,-0.06), (7.50,-0.07)`,
 * and the longest list of numbers with nothing but commas, semicolons, brackets, white space or the unit m between them.
 * Numbers elsewhere, as in `the next 4 s`, are left out. What follows the end of sentence is not read.
 *
 * @throws WamFlowError `ERR_ARGUMENT` for impossible options only
 */
export function parseAnswer(
  text: string,
  options: ParseAnswerOptions & { endOfSentence?: string; numbers?: NumericTokenizer } = {},
): ParsedAnswer {
  const { endOfSentence = END_OF_SENTENCE, numbers = kPaperNumbers } = options;
  const answer = String(text).split(endOfSentence, 1)[0] ?? '';
  const scan = new Scan();
  scan.text(answer);
  return understand(scan, numbers, options);
}

/**
 * {@link parseAnswer} of token ids, such as those after `answerStart` of a model's input. Tokens of numbers are taken as
 * they are, so that two without a comma between them stay two; pads and other special tokens are passed over.
 */
export function parseAnswerIds(
  ids: ArrayLike<number>,
  tokenizer: TextTokenizer,
  options: ParseAnswerOptions = {},
): ParsedAnswer {
  const { numbers, special } = tokenizer;
  const scan = new Scan();
  let words: number[] = [];
  const flush = () => {
    scan.text(tokenizer.decode(words, { skipSpecial: true }));
    words = [];
  };
  for (let i = 0; i < ids.length; i += 1) {
    const id = ids[i]!;
    if (id === special.endOfSentence.id) break;
    if (numbers.isNumeric(id)) {
      flush();
      scan.number(numbers.decode(id), numbers.text(id));
    } else {
      words.push(id);
    }
  }
  flush();
  return understand(scan, numbers, options);
}

/** A word with what digits it has, or digits and points in one piece with a sign. */
const kWordOrNumber =
  /[\p{L}_][\p{L}\p{N}_]*(?:\.\p{N}[\p{L}\p{N}_]*)*|[+\-\u2212]?[\d.]+(?:[eE][+-]?\d+)?/gu;

/** Cuts an answer into numbers and what is between them. */
class Scan {
  readonly items: Item[] = [];
  /** What follows the last item. */
  rest = '';

  text(text: string): void {
    let from = 0;
    for (const { 0: match, index } of text.matchAll(kWordOrNumber)) {
      this.rest += text.slice(from, index);
      from = index + match.length;
      const number = match.replace(/\.+$/, ''); // the point may end a sentence
      if (!/^[+\-\u2212]?\.*\d/.test(match)) {
        this.rest += match;
        continue;
      }
      // A word that begins right after it, other than a unit: `4x`, `0x10`, `8th`.
      const isWord = /^(?!m\b|m\/s)[\p{L}_]/u.test(text.slice(from, from + 4));
      this.number(isWord ? Number.NaN : plainDecimal(number), number);
      this.rest = match.slice(number.length);
    }
    this.rest += text.slice(from);
  }

  number(value: number, text: string): void {
    this.items.push({ value, text, before: this.rest });
    this.rest = '';
  }
}

function plainDecimal(text: string): number {
  const ascii = text.replace('\u2212', '-');
  const value = /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(ascii) ? Number(ascii) : Number.NaN;
  return Number.isFinite(value) ? value : Number.NaN;
}

function understand(
  scan: Scan,
  numbers: NumericTokenizer,
  { waypoints = 8, values = 2 }: ParseAnswerOptions,
): ParsedAnswer {
  if (!Number.isInteger(waypoints) || waypoints < 1 || waypoints > 10_000) {
    throw argumentError('waypoints', 'an integer from 1 to 10000', waypoints);
  }
  if (values !== 2 && values !== 3) throw argumentError('values', '2 or 3', values);
  const problems: string[] = [];
  const { items } = scan;
  const run = longestRun(items);
  const tuples = bracketed(scan, values);
  const read = tuples.length > run.length ? tuples : run;

  const wanted = waypoints * values;
  for (let k = 1; k < read.length && problems.length < kMaxProblems; k += 1) {
    const { before, text } = items[read[k]!]!;
    if (before !== '') continue;
    problems.push(
      `nothing between ${items[read[k - 1]!]!.text.slice(0, 20)} and ${text.slice(0, 20)}`,
    );
  }
  const out = read.findIndex((i) => !numbers.contains(items[i]!.value));
  const usable = out < 0 ? read.length : out;
  if (out >= 0)
    problems.push(`number ${out} is out of range: ${items[read[out]!]!.text.slice(0, 40)}`);
  const count = Math.min(Math.floor(usable / values), waypoints);
  if (read.length !== wanted) problems.push(`expected ${wanted} numbers, found ${read.length}`);
  const inRead = new Set(read);
  const others = items.filter((_, i) => !inRead.has(i)).map(({ text }) => text.slice(0, 20));
  if (others.length > 0) {
    const some = others.slice(0, 5).join(' ');
    problems.push(
      `${others.length} numbers elsewhere were left out: ${some}${others.length > 5 ? ' ...' : ''}`,
    );
  }
  return {
    waypoints: Float64Array.from(read.slice(0, count * values), (i) => items[i]!.value),
    complete: count === waypoints,
    problems: problems.slice(0, kMaxProblems),
  };
}

/** Indices of the longest list of numbers, the first where several are. */
function longestRun(items: readonly Item[]): number[] {
  let [start, best, length] = [0, 0, 0];
  items.forEach(({ value, before }, i) => {
    if (!separates(before)) start = i;
    if (Number.isNaN(value)) start = i + 1;
    if (i + 1 - start > length) [best, length] = [start, i + 1 - start];
  });
  return Array.from({ length }, (_, i) => best + i);
}

/** Indices of the numbers that stand in brackets, `values` of them in each. */
function bracketed({ items, rest }: Scan, values: number): number[] {
  const found: number[] = [];
  for (let i = 0; i + values <= items.length; i += 1) {
    const group = items.slice(i, i + values);
    const after = items[i + values]?.before ?? rest;
    if (!/[([]$/.test(group[0]!.before.trimEnd())) continue;
    if (!group.slice(1).every(({ before }) => separates(before) && !/[()[\]]/.test(before)))
      continue;
    if (!/^[)\]]/.test(withoutUnit(after))) continue;
    if (group.some(({ value }) => Number.isNaN(value))) continue;
    found.push(...group.map((_, k) => i + k));
    i += values - 1;
  }
  return found;
}

/** Whether numbers with this between them belong together. */
function separates(between: string): boolean {
  return /^[\s,;()[\]]*$/.test(withoutUnit(between));
}

function withoutUnit(text: string): string {
  return text.trimStart().replace(/^m(?!\p{L})\s*/u, '');
}
