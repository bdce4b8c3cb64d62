import type { NumericTokenizer } from './numeric-tokenizer.js';
import { tokenizerError } from './tokenizer-files.js';

/** An entry of `added_tokens` in tokenizer.json: matched in raw text before anything else. */
export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  [flag: string]: unknown;
}

/**
 * The tokens of a `tokenizer.json` and those that are added to it, with the ids that the reference implementation
 * gives: an added string that exists keeps its id, others follow the last one.
 */
export class Vocabulary {
  readonly #ids = new Map<string, number>();
  readonly #byId = new Map<number, string>();
  readonly #added = new Map<string, AddedToken>();
  readonly #modelSize: number;

  /** @throws WamFlowError `ERR_TOKENIZER` when the file is not of the expected form. */
  constructor(tokenizer: Readonly<Record<string, unknown>>) {
    const model = tokenizer.model as { type?: unknown; vocab?: unknown } | null | undefined;
    const vocab = model?.vocab;
    if (model?.type !== 'BPE' || typeof vocab !== 'object' || vocab === null) {
      throw tokenizerError('tokenizer.json: expected a model of type BPE with a vocabulary');
    }
    for (const [token, id] of Object.entries(vocab)) this.#put(token, id);
    this.#modelSize = this.#ids.size;
    const added = tokenizer.added_tokens ?? [];
    if (!Array.isArray(added)) throw tokenizerError('tokenizer.json: expected a list added_tokens');
    for (const token of added as Partial<AddedToken>[]) {
      if (typeof token?.content !== 'string' || token.content === '') {
        throw tokenizerError('tokenizer.json: an entry of added_tokens has no content');
      }
      this.#put(token.content, token.id);
      const { content, id, special = false } = token;
      this.#added.set(content, { ...token, content, id: id as number, special });
    }
  }

  /** Number of different tokens: the reference's `len(tokenizer)`. */
  get length(): number {
    return this.#ids.size;
  }

  get added(): readonly AddedToken[] {
    return [...this.#added.values()];
  }

  /** One more than the greatest id. */
  get idLimit(): number {
    let limit = 0;
    for (const id of this.#byId.keys()) limit = Math.max(limit, id + 1);
    return limit;
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** Whether it is matched in raw text. */
  isAdded(token: string): boolean {
    return this.#added.has(token);
  }

  /** Adds a special token at the next id, or marks one that exists. */
  addSpecial(content: string): void {
    const id = this.#ids.get(content) ?? this.#nextId();
    this.#put(content, id);
    // As the reference adds special tokens: matched exactly as written.
    this.#added.set(content, { ...plain(content, id), special: true, normalized: false });
  }

  /**
   * Adds all numbers; their ids begin at `firstId`, by default at {@link length}. Returns the id of the first one.
   *
   * @throws WamFlowError `ERR_TOKENIZER` when their ids would not be consecutive: some exist already, the vocabulary has
   *   holes, or ids from `firstId` on are taken.
   */
  addNumbers(numbers: NumericTokenizer, firstId?: number): number {
    const texts = numbers.vocabulary();
    const existing = texts.filter((text) => this.#ids.has(text));
    const first = existing.length > 0 ? this.#ids.get(texts[0]!) : (firstId ?? this.length);
    if (existing.length === 0) this.#expectFree(first!, texts.length, firstId === undefined);
    const astray = texts.findIndex((text, i) => (this.#ids.get(text) ?? first! + i) !== first! + i);
    if (
      first === undefined ||
      astray >= 0 ||
      (existing.length > 0 && existing.length < texts.length)
    ) {
      const some = existing.slice(0, 3).map((text) => `"${text}" (${this.#ids.get(text)})`);
      throw tokenizerError(
        `expected ${texts.length} numbers with consecutive ids; ${existing.length} of them are in the vocabulary ` +
          `already and keep their ids: ${some.join(', ')}${existing.length > 3 ? ', ...' : ''}`,
      );
    }
    if (firstId !== undefined && firstId !== first) {
      throw tokenizerError(
        `expected the numbers from id ${firstId} on, but they are in the vocabulary already, from ${first} on`,
      );
    }
    texts.forEach((text, i) => {
      this.#put(text, first + i);
      this.#added.set(text, plain(text, first + i));
    });
    return first;
  }

  #expectFree(first: number, count: number, computed: boolean): void {
    if (computed && this.#nextId() !== first) {
      throw tokenizerError(
        `the tokenizer has ${first} tokens but its next free id is ${this.#nextId()}: its ids have holes, so that the ` +
          'reference would look for numbers where they are not; give firstNumberId',
      );
    }
    for (const [id, token] of this.#byId) {
      if (id < first || id >= first + count) continue;
      const range = `${first} to ${first + count - 1}`;
      throw tokenizerError(
        `numbers cannot have the ids ${range}: ${id} is ${JSON.stringify(token)}`,
      );
    }
  }

  /** As the reference counts: after the last added token, or after the model's where those are fewer. */
  #nextId(): number {
    let next = this.#modelSize;
    for (const { id } of this.#added.values()) next = Math.max(next, id + 1);
    return next;
  }

  #put(token: string, id: unknown): void {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 0x7fffffff) {
      throw tokenizerError(`${JSON.stringify(token)} has no valid id: ${String(id)}`);
    }
    const other = this.#byId.get(id);
    if (other !== undefined && other !== token) {
      throw tokenizerError(
        `${JSON.stringify(token)} and ${JSON.stringify(other)} have one id, ${id}`,
      );
    }
    this.#ids.set(token, id);
    this.#byId.set(id, token);
  }
}

function plain(content: string, id: number): AddedToken {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: true };
  return { id, content, ...flags, special: false };
}
