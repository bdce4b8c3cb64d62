import { Tokenizer } from '@huggingface/tokenizers';
import { argumentError } from '../errors.js';
import { NumericTokenizer, type NumericTokenizerOptions } from './numeric-tokenizer.js';
import { checkPreTokenizer } from './pre-tokenizer.js';
import {
  kSpecialTokens,
  readSettings,
  type SpecialTokenName,
  type TokenizerSettings,
} from './special-tokens.js';
import { readTokenizerFiles, type TokenizerFiles, tokenizerError } from './tokenizer-files.js';
import { Vocabulary } from './vocabulary.js';

/** A special token by its string, which is looked up in the vocabulary. */
export interface SpecialToken {
  readonly text: string;
  readonly id: number;
}

export interface TextTokenizerOptions {
  /** The numbers that are added. Default the published ones: -100.00 to 100.00. */
  numbers?: Omit<NumericTokenizerOptions, 'firstId'>;
  /** Id of the first number. Default the number of tokens that the tokenizer has without the numbers. */
  firstNumberId?: number;
  /**
   * Whether numbers are tokens of their own. Default true. False for a model whose token table has no rows for them: it
   * reads and writes digits.
   */
  addNumbers?: boolean;
  /** Strings of special tokens, instead of those that the files name. */
  specialTokens?: Partial<Record<SpecialTokenName, string>>;
  /** Image tokens of a picture. Default as `processor_config.json` says, or 576. */
  imageTokens?: number;
}

/**
 * A text tokenizer with numbers: every number of the paper's grid, such as `-0.06`, is one token wherever it stands in a
 * text. Ids are those that the released code gets by adding the numbers to the same tokenizer, special tokens are found
 * by their strings; nothing is assumed about either.
 */
export class TextTokenizer {
  /** The numbers, with their ids. */
  readonly numbers: NumericTokenizer;
  /** Whether numbers are tokens; without, {@link numbers} says where they would be. */
  readonly hasNumbers: boolean;
  readonly special: Readonly<Record<SpecialTokenName, SpecialToken>>;
  /** Image tokens of a picture. */
  readonly imageTokens: number;
  /** Whether the placeholder stays before the start of a picture. */
  readonly keepsPlaceholder: boolean;
  /** One more than the greatest id: a model must have at least as many rows. */
  readonly idLimit: number;
  /** Characters of the longest token; a text has at least `text.length / longestToken` tokens. */
  readonly longestToken: number;
  readonly #tokenizer: Tokenizer;
  readonly #added: ReadonlyMap<number, { content: string; special: boolean }>;
  readonly #settings: TokenizerSettings;

  /**
   * Loads `tokenizer.json` of a model's folder with `tokenizer_config.json`, `special_tokens_map.json` and
   * `processor_config.json` where they exist. 100,000 tokens take about a second on the calling thread.
   *
   * @throws WamFlowError (the promise rejects) `ERR_TOKENIZER`, `ERR_IO`, `ERR_CONFIG`, `ERR_ARGUMENT`.
   */
  static async load(directory: string, options: TextTokenizerOptions = {}): Promise<TextTokenizer> {
    return new TextTokenizer(await readTokenizerFiles(directory), options);
  }

  /**
   * @throws WamFlowError `ERR_TOKENIZER` when the files are not of the expected form, a special token is missing, or the
   *   numbers cannot have consecutive ids; `ERR_CONFIG`, `ERR_ARGUMENT` for impossible options.
   */
  constructor(files: TokenizerFiles, options: TextTokenizerOptions = {}) {
    const vocabulary = new Vocabulary(files.tokenizer);
    const settings = readSettings(files, (token) => vocabulary.idOf(token) !== undefined);
    this.#settings = settings;
    for (const token of settings.additional) {
      if (vocabulary.idOf(token) === undefined) vocabulary.addSpecial(token);
    }
    const strings = { ...settings.strings, ...options.specialTokens };
    const placeholder = strings.imagePlaceholder;
    if (placeholder !== undefined && !vocabulary.isAdded(placeholder)) {
      vocabulary.addSpecial(placeholder);
    }
    this.special = findSpecialTokens(vocabulary, strings);
    const grid = new NumericTokenizer(options.numbers);
    this.hasNumbers = options.addNumbers ?? true;
    const wanted = checkFirstId(options.firstNumberId);
    const firstId = this.hasNumbers
      ? vocabulary.addNumbers(grid, wanted)
      : (wanted ?? vocabulary.length);
    this.numbers = new NumericTokenizer({ ...options.numbers, firstId });
    this.imageTokens = options.imageTokens ?? settings.imageTokens;
    if (!Number.isInteger(this.imageTokens) || this.imageTokens < 1 || this.imageTokens > 65_536) {
      throw argumentError('imageTokens', 'an integer from 1 to 65536', this.imageTokens);
    }
    this.keepsPlaceholder = settings.keepsPlaceholder;
    this.idLimit = vocabulary.idLimit;
    const { added } = vocabulary;
    this.#added = new Map(added.map((token) => [token.id, token]));
    const vocab = (files.tokenizer.model as { vocab: object }).vocab;
    this.longestToken = [...Object.keys(vocab), ...added.map(({ content }) => content)].reduce(
      (longest, { length }) => Math.max(longest, length),
      1,
    );
    this.#tokenizer = buildTokenizer(files.tokenizer, added);
  }

  /**
   * Token ids of a text.
   *
   * @param options `addSpecial`: put the begin of sentence in front, and what else the tokenizer's files say. Default true.
   * @throws WamFlowError `ERR_ARGUMENT` when `text` is no string.
   */
  encode(text: string, { addSpecial = true } = {}): Int32Array {
    if (typeof text !== 'string') throw argumentError('text', 'a string', text);
    const { addsBegin, addsEnd } = this.#settings;
    const byConfig = addsBegin !== undefined || addsEnd !== undefined;
    const encoding = this.#tokenizer.encode(text, { add_special_tokens: addSpecial && !byConfig });
    const ids: (number | undefined)[] = encoding.ids;
    if (!ids.every((id) => id !== undefined)) {
      throw tokenizerError('tokenizer.json: its post-processor adds a token that does not exist');
    }
    if (!addSpecial || !byConfig) return Int32Array.from(ids);
    const before = addsBegin ? [this.special.beginOfSentence.id] : [];
    const after = addsEnd ? [this.special.endOfSentence.id] : [];
    return Int32Array.from([...before, ...ids, ...after]);
  }

  /**
   * Text of token ids. Ids that the tokenizer does not have, of which a model's table has some, give nothing.
   *
   * @param options `skipSpecial`: leave special tokens out. Default false.
   */
  decode(ids: ArrayLike<number>, { skipSpecial = false } = {}): string {
    let text = '';
    let run: number[] = [];
    const flush = () => {
      if (run.length > 0) text += this.#tokenizer.decode(run, kExactDecoding);
      run = [];
    };
    for (let i = 0; i < ids.length; i += 1) {
      const id = ids[i]!;
      const added = this.#added.get(id);
      if (added !== undefined) {
        flush();
        if (!(skipSpecial && added.special)) text += added.content;
      } else if (this.#tokenizer.id_to_token(id) !== undefined) {
        run.push(id);
      }
    }
    flush();
    return text;
  }

  /** Id of a token by its string in the vocabulary. */
  idOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }
}

const kExactDecoding = { clean_up_tokenization_spaces: false };

function checkFirstId(value: unknown): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) {
    return value as number | undefined;
  }
  throw argumentError('firstNumberId', 'a token id >= 0', value);
}

function findSpecialTokens(
  vocabulary: Vocabulary,
  strings: Readonly<Record<SpecialTokenName, string | undefined>>,
): Record<SpecialTokenName, SpecialToken> {
  const missing: string[] = [];
  const found = kSpecialTokens.map((name): [SpecialTokenName, SpecialToken] => {
    const text = strings[name];
    const id = text === undefined ? undefined : vocabulary.idOf(text);
    if (text === undefined) missing.push(`${name} (named in no file)`);
    else if (id === undefined) missing.push(`${name} ${JSON.stringify(text)}`);
    return [name, { text: text ?? '', id: id ?? -1 }];
  });
  if (missing.length === 0)
    return Object.fromEntries(found) as Record<SpecialTokenName, SpecialToken>;
  throw tokenizerError(
    `the tokenizer lacks special tokens: ${missing.join(', ')}; other strings can be given as specialTokens`,
  );
}

function buildTokenizer(json: TokenizerFiles['tokenizer'], added: readonly object[]): Tokenizer {
  const kept = { normalizer: null, post_processor: null, decoder: null, ...json };
  const pre_tokenizer = checkPreTokenizer(json.pre_tokenizer ?? null);
  try {
    const tokenizer = new Tokenizer({ ...kept, pre_tokenizer, added_tokens: added }, {});
    // Added tokens are decoded here: the decoder would search the list of them for every token.
    if (tokenizer.decoder !== null) tokenizer.decoder.added_tokens = [];
    return tokenizer;
  } catch (error) {
    throw tokenizerError(`tokenizer.json: ${(error as Error).message}`, error);
  }
}
