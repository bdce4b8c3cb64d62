import { WamFlowError } from '../errors.js';
import { buildModelInput, type ModelInput } from '../prompt/model-input.js';
import { answerMarker } from '../tokens/conversation-template.js';
import { assemblePrompt, type PromptTurn } from '../tokens/prompt.js';
import { formatNumberList, parseNumberList } from '../tokens/text-form.js';
import type { CheckedOptions } from './options.js';
import type { ConversationRow, RowTurn } from './row.js';

/** Why a row is not used. */
export type SkipReason =
  /** `kinds` or `splits` leave it out. */
  | 'other kind'
  | 'other split'
  /** No turn of the assistant, or an empty one at the end. */
  | 'no answer'
  /** More than `answerTokens`. */
  | 'answer too long'
  /** More than `maxTokens` in all. */
  | 'too long'
  /** More pictures than `maxImages`, or placeholders for another number of them. */
  | 'pictures'
  /** A list of numbers, but not of `answerNumbers`, or beyond the vocabulary. */
  | 'numbers'
  /** A special token, or what stands before answers, is written out in a text. */
  | 'special text'
  /** Labels of patches, but not one for each image token, or one that is no token. */
  | 'patches';

/** The tokens of a row. */
export interface EncodedRow {
  /** Answer included. */
  ids: Int32Array;
  /** 1 where features of a picture go. */
  imageMask: Uint8Array;
  /** First position of the answer; the end where there is none. */
  answerStart: number;
  /** 1 where something is learnt: what the position before it is to say. */
  counted: Uint8Array;
  /**
   * `numbers`: the answer is a list of numbers, which alone are counted. `patches`: there is no answer; image tokens are to
   * say their labels.
   */
  form: 'text' | 'numbers' | 'patches';
  /** What counted positions are learnt as, where it is not `ids`: of the form `patches`. */
  targets?: Int32Array;
}

/** What a conversation is put together from. */
interface Parts {
  system: string;
  /** Turns before the answer; those of the system are left out of the prompt. */
  before: RowTurn[];
  /** Numbers in the notation of the vocabulary. */
  answer: string;
  isText: boolean;
  images: number;
  /** Ids of labels, one for each image token; null where there is an answer. */
  labels: Int32Array | null;
}

/** The longest sequence that can be asked for. */
const kMost = 2 ** 24;
/** Tokens that may come around a text: a space, begin and end of sentence. */
const kAround = 4;
/** What LLaVA writes in the place of a picture. */
const kLlavaImage = '<image>';
/** Where labels are learnt there is no answer: any one, which is cut off. */
const kAnyAnswer = '0';
/** Four numbers between commas and more. */
const kNumberList = /^\s*[+-]?\d+(\.\d*)?(\s*,\s*[+-]?\d+(\.\d*)?){3,}\s*$/;

/** Turns rows into tokens: the last turn of the assistant is the answer, what is before it the prompt. */
export class RowEncoder {
  readonly #options: CheckedOptions;
  readonly #marker: string;
  /** What no text of a row may hold. */
  readonly #reserved: readonly string[];

  constructor(options: CheckedOptions) {
    const { special } = options.tokenizer;
    this.#options = options;
    this.#marker = answerMarker(options.template);
    this.#reserved = [
      special.beginOfSentence,
      special.endOfSentence,
      special.pad,
      special.imageStart,
      special.imageEnd,
    ].map(({ text }) => text);
  }

  /**
   * Why a row cannot be used, or null. Most rows are not encoded for it, which would take half a millisecond each: no text
   * has more tokens than bytes.
   */
  check(row: ConversationRow): SkipReason | null {
    const { tokenizer, answerTokens, maxTokens } = this.#options;
    const parts = this.#partsOf(row);
    if (typeof parts === 'string') return parts;
    if (this.#isAnswerTooLong(parts)) return 'answer too long';
    const { isText, images } = parts;
    const room = isText ? answerTokens : 0;
    const most =
      Buffer.byteLength(this.#prompt(parts)) +
      room +
      kAround +
      images * (tokenizer.imageTokens + 3);
    if (most <= maxTokens) return null;
    const encoded = this.encode(row);
    return typeof encoded === 'string' ? encoded : null;
  }

  encode(row: ConversationRow): EncodedRow | SkipReason {
    const { tokenizer, answerTokens, maxTokens } = this.#options;
    const parts = this.#partsOf(row);
    if (typeof parts === 'string') return parts;
    const { isText, labels } = parts;
    if (labels !== null) return this.#labelled(parts, labels);
    const input = this.#build(parts, maxTokens);
    if (!input) return this.#isAnswerTooLong(parts) ? 'answer too long' : 'too long';
    const { answerStart } = input;
    const end = this.#answerEnd(input);
    if (isText && end - answerStart > answerTokens) return 'answer too long';
    const length = isText ? answerStart + answerTokens : end;
    if (length > maxTokens) return 'too long';
    const ids = new Int32Array(length).fill(tokenizer.special.pad.id);
    ids.set(input.ids.subarray(0, end - 1));
    ids[end - 1] = tokenizer.special.endOfSentence.id;
    const imageMask = new Uint8Array(length);
    imageMask.set(input.imageMask.subarray(0, answerStart));
    const counted = new Uint8Array(length);
    if (isText) counted.fill(1, answerStart);
    else for (const i of input.numberPositions) counted[i] = 1;
    return { ids, imageMask, answerStart, counted, form: isText ? 'text' : 'numbers' };
  }

  /** The prompt alone: each image token is to say what its patch shows. */
  #labelled(parts: Parts, labels: Int32Array): EncodedRow | SkipReason {
    const { maxTokens } = this.#options;
    const input = this.#build(parts, kMost);
    if (!input || input.answerStart > maxTokens) return 'too long';
    const length = input.answerStart;
    const imageMask = input.imageMask.slice(0, length);
    const ids = input.ids.slice(0, length);
    const targets = ids.slice();
    const counted = new Uint8Array(length);
    let label = 0;
    for (let i = 0; i < length; i += 1) {
      if (imageMask[i] === 0) continue;
      // A position says the one after it; the marker of the answer is behind all pictures.
      targets[i + 1] = labels[label++];
      counted[i + 1] = 1;
    }
    return { ids, imageMask, answerStart: length, counted, form: 'patches', targets };
  }

  #partsOf(row: ConversationRow): Parts | SkipReason {
    if (row.patches !== undefined) return this.#labelledPartsOf(row, row.patches);
    const { tokenizer, answerTokens, maxImages } = this.#options;
    const last = row.turns.findLastIndex(({ role }) => role === 'assistant');
    const turns = row.turns.slice(0, last + 1);
    const answer = turns.at(-1)?.text.trim() ?? '';
    if (answer === '') return 'no answer';
    const images = row.images.length;
    if (images > maxImages) return 'pictures';
    if (this.#isReserved(turns)) return 'special text';
    const before = this.#placePictures(turns.slice(0, -1), images);
    if (!before) return 'pictures';
    const numbers = this.#numbersOf(answer);
    if (numbers === 'numbers') return 'numbers';
    const isText = numbers === null;
    // Known without encoding: no token has more characters than the longest.
    if (isText && answer.length > answerTokens * tokenizer.longestToken) return 'answer too long';
    const system = this.#systemOf(before);
    return { system, before, answer: numbers ?? answer, isText, images, labels: null };
  }

  #labelledPartsOf({ turns, images }: ConversationRow, letters: string): Parts | SkipReason {
    const { tokenizer, maxImages } = this.#options;
    if (images.length === 0 || images.length > maxImages) return 'pictures';
    if (this.#isReserved(turns)) return 'special text';
    const before = this.#placePictures(turns, images.length);
    if (!before) return 'pictures';
    const labels = [...letters].map((letter) => tokenizer.idOf(letter));
    const isComplete = labels.length === images.length * tokenizer.imageTokens;
    if (!isComplete || labels.includes(undefined)) return 'patches';
    return {
      ...{ system: this.#systemOf(before), before, answer: kAnyAnswer, isText: false },
      ...{ images: images.length, labels: Int32Array.from(labels as number[]) },
    };
  }

  #systemOf(before: readonly RowTurn[]): string {
    return before.find(({ role }) => role === 'system')?.text ?? this.#options.system;
  }

  /** Of the answer alone: what is before the marker does not change its tokens. */
  #isAnswerTooLong(parts: Parts): boolean {
    const { answerTokens } = this.#options;
    if (!parts.isText || Buffer.byteLength(parts.answer) + kAround <= answerTokens) return false;
    const alone = this.#build({ ...parts, before: [], system: '', images: 0 }, kMost);
    return !alone || this.#answerEnd(alone) - alone.answerStart > answerTokens;
  }

  /** Behind the end of sentence, which may have to be put there. */
  #answerEnd({ ids, answerStart }: ModelInput): number {
    const end = ids.indexOf(this.#options.tokenizer.special.endOfSentence.id, answerStart);
    return (end < 0 ? ids.length : end) + 1;
  }

  /**
   * The list in the notation of the vocabulary; null where the answer is a text, as all are without numeric tokens, `numbers`
   * where it is a wrong list.
   */
  #numbersOf(answer: string): string | null {
    const { tokenizer, answerNumbers } = this.#options;
    if (!tokenizer.hasNumbers || !kNumberList.test(answer)) return null;
    const { values, ok } = parseNumberList(answer, tokenizer.numbers, answerNumbers);
    return ok ? formatNumberList(values, tokenizer.numbers) : 'numbers';
  }

  #isReserved(turns: readonly RowTurn[]): boolean {
    const placeholder = this.#options.tokenizer.special.imagePlaceholder.text;
    return turns.some(({ role, text }, i) => {
      if (this.#reserved.some((token) => text.includes(token))) return true;
      // The answer begins after the last marker; pictures are the user's.
      if (i === turns.length - 1 && text.includes(this.#marker)) return true;
      return role !== 'user' && text.includes(placeholder);
    });
  }

  /** Turns with one placeholder a picture: where the row has them, else before the first turn of the user. */
  #placePictures(turns: readonly RowTurn[], images: number): RowTurn[] | null {
    const placeholder = this.#options.tokenizer.special.imagePlaceholder.text;
    const placed = turns.map(({ role, text }) => ({
      role,
      text: role === 'user' ? text.replaceAll(kLlavaImage, () => placeholder) : text,
    }));
    const count = placed.reduce((n, { text }) => n + text.split(placeholder).length - 1, 0);
    if (count === images) return placed;
    const first = placed.find(({ role }) => role === 'user');
    if (count > 0 || !first) return null;
    first.text = `${placeholder.repeat(images)}\n${first.text}`;
    return placed;
  }

  #prompt({ system, before, answer }: Parts): string {
    const { tokenizer, template } = this.#options;
    const spoken = before
      .filter(({ role }) => role !== 'system')
      .map(
        ({ role, text }): PromptTurn => ({
          role: role === 'user' ? 'User' : 'Assistant',
          text,
        }),
      );
    return assemblePrompt({
      system,
      turns: [...spoken, { role: 'Assistant', text: answer }],
      endOfSentence: tokenizer.special.endOfSentence.text,
      template,
    });
  }

  /** Null where the sequence is too long. */
  #build(parts: Parts, maxTokens: number): ModelInput | null {
    try {
      return buildModelInput(this.#options.tokenizer, this.#prompt(parts), {
        purpose: 'training',
        padding: 'none',
        mask: 'answer',
        marker: this.#marker,
        images: parts.images,
        maxTokens,
      });
    } catch (error) {
      if (error instanceof WamFlowError && error.code === 'ERR_RANGE') return null;
      throw error;
    }
  }
}
