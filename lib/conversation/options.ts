import { argumentError } from '../errors.js';
import { type ConversationTemplate, kFudokiTemplate } from '../tokens/conversation-template.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { integerIn } from '../vision/pixels.js';

/** A file of conversations. */
export interface ConversationSource {
  /** Of a `.jsonl` file; paths of pictures in it start at its folder. */
  path: string;
  /** Share of the draws, relative to the other sets'. Default 1; 0 keeps a set for `at` alone. */
  weight?: number;
  /** Kinds of rows that are used. Default all. */
  kinds?: readonly string[];
  /** Splits of rows that are used. Default all, and rows without a split. */
  splits?: readonly string[];
  /** For the summary and for `at`. Default the path. */
  name?: string;
}

/** Options of {@link openConversations}. */
export interface ConversationOptions {
  tokenizer: TextTokenizer;
  /** Side of the pictures that the vision tower takes, pixels. */
  imageSize: number;
  /** Default {@link kFudokiTemplate}. */
  template?: Readonly<ConversationTemplate>;
  /** System text of rows that bring none. Default the template's. */
  system?: string;
  /** Tokens that a text answer is padded to, its end of sentence counted; rows with a longer one are left out. Default 24. */
  answerTokens?: number;
  /** Numbers of an answer in numbers: 16 for 8 waypoints of x and y, the default; 24 with headings. */
  answerNumbers?: number;
  /** Tokens of a conversation, pictures and answer included; longer ones are left out. Default 1280. */
  maxTokens?: number;
  /** Pictures of a conversation; rows with more are left out. Default 1. */
  maxImages?: number;
  /** Letterboxed pictures that are kept, bytes. Default 1.5 GiB. */
  cacheBytes?: number;
  /** Stops the opening; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called some times a second while the files are read. */
  onProgress?: (progress: ConversationProgress) => void;
}

/** How far {@link openConversations} is. */
export interface ConversationProgress {
  /** Name of the set that is read. */
  set: string;
  /** Rows read of it. */
  rows: number;
  /** Bytes read of all files, and bytes in all. */
  bytes: number;
  totalBytes: number;
}

export interface CheckedSource {
  path: string;
  weight: number;
  kinds: ReadonlySet<string> | null;
  splits: ReadonlySet<string> | null;
  name: string;
}

export type CheckedOptions = Required<
  Omit<ConversationOptions, 'signal' | 'onProgress' | 'cacheBytes'>
>;

/** @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`. */
export function checkSources(sets: unknown): CheckedSource[] {
  if (!Array.isArray(sets) || sets.length === 0) {
    throw argumentError('sets', 'a list of at least one set', sets);
  }
  const sources = sets.map((set: Partial<ConversationSource> | null, i): CheckedSource => {
    const at = `sets[${i}]`;
    if (typeof set !== 'object' || set === null) throw argumentError(at, 'a set { path }', set);
    const { path, weight = 1, kinds, splits, name = path } = set;
    if (typeof path !== 'string' || path === '') throw argumentError(`${at}.path`, 'a path', path);
    if (typeof name !== 'string') throw argumentError(`${at}.name`, 'a text', name);
    if (typeof weight !== 'number') throw argumentError(`${at}.weight`, 'a number', weight);
    if (!(weight >= 0 && weight < 1e9)) {
      throw argumentError(`${at}.weight`, 'a number from 0 to 1e9', weight, 'ERR_RANGE');
    }
    return {
      path,
      weight,
      kinds: names(`${at}.kinds`, kinds),
      splits: names(`${at}.splits`, splits),
      name,
    };
  });
  const taken = new Set<string>();
  for (const { name } of sources) {
    if (taken.has(name)) throw argumentError('sets', 'another name for each set', name);
    taken.add(name);
  }
  return sources;
}

/** @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`. */
export function checkOptions(options: unknown): CheckedOptions {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  const {
    tokenizer,
    imageSize,
    template = kFudokiTemplate,
    system = template.system,
    answerTokens = 24,
    answerNumbers = 16,
    maxTokens = 1280,
    maxImages = 1,
  } = options as Partial<ConversationOptions>;
  if (!(tokenizer instanceof TextTokenizer)) {
    throw argumentError('tokenizer', 'a TextTokenizer', tokenizer);
  }
  if (typeof system !== 'string') throw argumentError('system', 'a text', system);
  return {
    tokenizer,
    template,
    system,
    imageSize: integerIn('imageSize', imageSize, 1, 4096),
    answerTokens: integerIn('answerTokens', answerTokens, 1, 65_536),
    answerNumbers: integerIn('answerNumbers', answerNumbers, 2, 512),
    maxTokens: integerIn('maxTokens', maxTokens, 1, 2 ** 24),
    maxImages: integerIn('maxImages', maxImages, 0, 64),
  };
}

function names(name: string, value: unknown): ReadonlySet<string> | null {
  if (value === undefined) return null;
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) {
    return new Set(value);
  }
  throw argumentError(name, 'a list of texts', value);
}
