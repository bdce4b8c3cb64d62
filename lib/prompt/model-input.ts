import { argumentError, WamFlowError } from '../errors.js';
import { answerMarker, kFudokiTemplate } from '../tokens/conversation-template.js';
import type { TextTokenizer } from '../tokens/text-tokenizer.js';

/** How long the sequence becomes: `'released'`, `'none'`, or a fixed number of tokens. */
export type Padding = 'released' | 'none' | number;

/** Which positions the model fills in, or learns from. */
export type AnswerMask = 'released' | 'answer' | 'numbers';

export interface ModelInputOptions {
  /**
   * Where the answer begins: after the first marker in a prompt that is to be answered, after the last one in training.
   * They differ only when a conversation has several answers. Default `'inference'`.
   */
  purpose?: 'inference' | 'training';
  /**
   * `'released'` (default): pad tokens up to `textTokens` and all image tokens, 500 + 576 for one picture, and they count
   * as tokens like others. `'none'`: no pads. A number: pads up to that length, which the attention mask leaves out.
   */
  padding?: Padding;
  /**
   * `'released'` (default): everything after the marker, pads included. `'answer'`: the answer of the prompt up to its
   * end of sentence. `'numbers'`: its numbers alone. The last two need an answer in the prompt: the right one in
   * training, one of the right form, such as sixteen zeros, in inference.
   */
  mask?: AnswerMask;
  /** What stands before an answer. Default `Assistant:`. */
  marker?: string;
  /** Tokens for text in a released sequence. Default 500. */
  textTokens?: number;
  /**
   * Pads that a released sequence has at least, even if it becomes longer than its block: room for an answer. Default 100
   * in inference, as the newer released agent has it, and 0 in training.
   */
  leastPads?: number;
  /** Pictures that are given with the prompt; another number of placeholders is refused. Default as many as there are. */
  images?: number;
  /** Longest sequence that is accepted, pads included. Default 4096. */
  maxTokens?: number;
}

/** A prompt as the model takes it; all arrays have a value for each position. */
export interface ModelInput {
  /** Token ids; 0 where features of a picture go. */
  ids: Int32Array;
  /** 1 where features of a picture go. */
  imageMask: Uint8Array;
  /** 1 where the model fills in, or learns from. */
  textMask: Uint8Array;
  /** 1 where other positions may look. */
  attentionMask: Uint8Array;
  /** First position after the marker. */
  answerStart: number;
  /** Positions of the answer's numbers, ascending. */
  numberPositions: Int32Array;
  /** Number of pictures. */
  images: number;
  /** Positions before the pads. */
  tokens: number;
}

/**
 * Turns a prompt into token ids and masks: encodes it, puts for every image placeholder a begin of image, the image
 * tokens and an end of image, finds the answer, and pads on the right.
 *
 * @param prompt what `assemblePrompt` gives
 * @throws WamFlowError `ERR_RANGE` for a sequence longer than `maxTokens` or than a fixed length, with the counts;
 *   `ERR_ARGUMENT` when the marker or an answer is missing, the number of pictures is another, or an option impossible.
 */
export function buildModelInput(
  tokenizer: TextTokenizer,
  prompt: string,
  options: ModelInputOptions = {},
): ModelInput {
  const { purpose, padding, mask, marker, textTokens, leastPads, maxTokens } = checked(options);
  if (typeof prompt !== 'string') throw argumentError('prompt', 'a string', prompt);
  // Known without encoding: no token has more characters than the longest.
  const least = Math.ceil(prompt.length / tokenizer.longestToken);
  if (least > maxTokens)
    throw tooLong(maxTokens, `at least ${least}`, `${prompt.length} characters`);

  const text = tokenizer.encode(prompt);
  const {
    ids: expanded,
    images,
    imageMask: imagePlaces,
  } = expandImages(tokenizer, text, options.images, maxTokens);
  const tokens = expanded.length;
  const answerStart = afterMarker(tokenizer, expanded, marker, purpose);

  const block = textTokens + tokenizer.imageTokens * images;
  const released = Math.max(block, tokens + leastPads);
  const length = padding === 'released' ? released : padding === 'none' ? tokens : padding;
  if (tokens > length) throw tooLong(length, `${tokens}`, 'the fixed length');
  if (length > maxTokens) throw tooLong(maxTokens, `${length}`, `${tokens} of them before pads`);

  const ids = new Int32Array(length).fill(tokenizer.special.pad.id);
  ids.set(expanded);
  const imageMask = new Uint8Array(length);
  imageMask.set(imagePlaces);
  const attentionMask = new Uint8Array(length).fill(1, 0, padding === 'released' ? length : tokens);
  const end = answerEnd(tokenizer, expanded, answerStart);
  const numberPositions = Int32Array.from(
    range(answerStart, end).filter((i) => tokenizer.numbers.isNumeric(ids[i]!)),
  );
  const textMask = new Uint8Array(length);
  if (mask === 'released') textMask.fill(1, answerStart);
  else if (mask === 'answer') textMask.fill(1, answerStart, end);
  else for (const i of numberPositions) textMask[i] = 1;
  if (!textMask.includes(1)) {
    const wanted = mask === 'numbers' ? 'an answer with numbers' : 'an answer';
    throw argumentError('prompt', `${wanted} after ${marker} for the mask '${mask}'`, 'none');
  }
  return { ids, imageMask, textMask, attentionMask, answerStart, numberPositions, images, tokens };
}

type Checked = Required<Omit<ModelInputOptions, 'images'>>;

function checked(options: ModelInputOptions): Checked {
  const {
    purpose = 'inference',
    padding = 'released',
    mask = 'released',
    marker = answerMarker(kFudokiTemplate),
    textTokens = 500,
    leastPads = purpose === 'training' ? 0 : 100,
    maxTokens = 4096,
  } = options;
  oneOf('purpose', purpose, ['inference', 'training']);
  oneOf('mask', mask, ['released', 'answer', 'numbers']);
  if (typeof padding === 'number') count('padding', padding);
  else oneOf('padding', padding, ['released', 'none']);
  if (typeof marker !== 'string' || marker === '') throw argumentError('marker', 'a text', marker);
  count('textTokens', textTokens);
  count('leastPads', leastPads);
  count('maxTokens', maxTokens);
  if (options.images !== undefined) count('images', options.images);
  return { purpose, padding, mask, marker, textTokens, leastPads, maxTokens };
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === 'string' && allowed.includes(value)) return;
  throw argumentError(name, `one of ${allowed.join(', ')}`, value);
}

function count(name: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 2 ** 24) return;
  throw argumentError(name, 'an integer from 0 to 16777216', value);
}

function tooLong(most: number, received: string, detail: string): WamFlowError {
  return new WamFlowError(
    'ERR_RANGE',
    `prompt: expected at most ${most} tokens, received ${received} (${detail})`,
  );
}

function expandImages(
  tokenizer: TextTokenizer,
  text: Int32Array,
  expected: number | undefined,
  maxTokens: number,
): { ids: Int32Array; imageMask: Uint8Array; images: number } {
  const { special, imageTokens, keepsPlaceholder } = tokenizer;
  const placeholder = special.imagePlaceholder.id;
  const images = text.reduce((n, id) => n + (id === placeholder ? 1 : 0), 0);
  if (expected !== undefined && images !== expected) {
    const wanted = `${expected} of ${special.imagePlaceholder.text}, one a picture`;
    throw argumentError('prompt', wanted, images);
  }
  const kept = keepsPlaceholder ? 1 : 0;
  const length = text.length + images * (imageTokens + 1 + kept);
  if (length > maxTokens) {
    const parts = `${text.length - images} of text, ${images} pictures of ${imageTokens + 2 + kept}`;
    throw tooLong(maxTokens, `${length}`, parts);
  }
  const ids = new Int32Array(length);
  const imageMask = new Uint8Array(length);
  let at = 0;
  for (const id of text) {
    if (id !== placeholder || keepsPlaceholder) ids[at++] = id;
    if (id !== placeholder) continue;
    ids[at++] = special.imageStart.id;
    imageMask.fill(1, at, at + imageTokens); // ids stay 0
    at += imageTokens;
    ids[at++] = special.imageEnd.id;
  }
  return { ids, imageMask, images };
}

/** The marker is looked for in the ids, as the released code does. */
function afterMarker(
  tokenizer: TextTokenizer,
  ids: Int32Array,
  marker: string,
  purpose: 'inference' | 'training',
): number {
  const pattern = tokenizer.encode(marker, { addSpecial: false });
  const isHere = (start: number) => pattern.every((id, i) => ids[start + i] === id);
  const starts = range(0, ids.length - pattern.length + 1);
  const start = purpose === 'inference' ? starts.find(isHere) : starts.findLast(isHere);
  if (start !== undefined) return start + pattern.length;
  throw argumentError('prompt', `a text with ${JSON.stringify(marker)} before the answer`, 'none');
}

/** After the answer's end of sentence, or after the last token where there is none. */
function answerEnd(tokenizer: TextTokenizer, ids: Int32Array, start: number): number {
  const end = ids.indexOf(tokenizer.special.endOfSentence.id, start);
  return end < 0 ? ids.length : end + 1;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
