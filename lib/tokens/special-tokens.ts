import type { TokenizerFiles } from './tokenizer-files.js';

/** The special tokens that a prompt is made with. */
export const kSpecialTokens = [
  'beginOfSentence',
  'endOfSentence',
  'pad',
  'imageStart',
  'imageEnd',
  'imagePlaceholder',
] as const;
export type SpecialTokenName = (typeof kSpecialTokens)[number];

/** What the files of a tokenizer say beside the vocabulary. */
export interface TokenizerSettings {
  /** Strings of the special tokens; undefined where no file names one. */
  strings: Record<SpecialTokenName, string | undefined>;
  /** Strings that the released processor adds to the vocabulary when they are missing, in its order. */
  additional: string[];
  /** Image tokens of a picture. */
  imageTokens: number;
  /** Whether the placeholder stays before the start of the picture. */
  keepsPlaceholder: boolean;
  /** Whether `encode` puts these around a text; undefined leaves it to `tokenizer.json`. */
  addsBegin: boolean | undefined;
  addsEnd: boolean | undefined;
}

/** The Janus processor's names for what no file names: they are its defaults and are not always written out. */
const kProcessorDefaults = {
  pad_tag: '<｜▁pad▁｜>',
  image_tag: '<image_placeholder>',
  image_start_tag: '<begin_of_image>',
  image_end_tag: '<end_of_image>',
  num_image_tokens: 576,
} as const;

const kNamed = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'] as const;

/**
 * Puts together what the files say: `processor_config.json` for the picture and the pad, `special_tokens_map.json` before
 * `tokenizer_config.json` for the rest. `has` tells what is in the vocabulary: the processor's own pad is taken before
 * the tokenizer's when it is there, since DeepSeek tokenizers name the end of sentence as their pad.
 */
export function readSettings(
  files: TokenizerFiles,
  has: (token: string) => boolean,
): TokenizerSettings {
  const { tokenizerConfig = {}, specialTokensMap = {}, processorConfig = {} } = files;
  const named = (name: string): string | undefined =>
    contentOf(specialTokensMap[`${name}_token`]) ?? contentOf(tokenizerConfig[`${name}_token`]);
  const tag = (name: 'pad_tag' | 'image_tag' | 'image_start_tag' | 'image_end_tag') =>
    contentOf(processorConfig[name]);
  const ownPad = has(kProcessorDefaults.pad_tag) ? kProcessorDefaults.pad_tag : undefined;
  const count = processorConfig.num_image_tokens;
  return {
    strings: {
      beginOfSentence: named('bos'),
      endOfSentence: named('eos'),
      pad: tag('pad_tag') ?? ownPad ?? named('pad'),
      imageStart: tag('image_start_tag') ?? kProcessorDefaults.image_start_tag,
      imageEnd: tag('image_end_tag') ?? kProcessorDefaults.image_end_tag,
      imagePlaceholder: tag('image_tag') ?? kProcessorDefaults.image_tag,
    },
    additional: [
      ...addedTokens(tokenizerConfig.added_tokens_decoder),
      ...kNamed.map(named),
      ...contents(specialTokensMap.additional_special_tokens),
      ...contents(tokenizerConfig.additional_special_tokens),
    ].filter((token) => token !== undefined),
    imageTokens: typeof count === 'number' ? count : kProcessorDefaults.num_image_tokens,
    keepsPlaceholder: processorConfig.add_special_token === true,
    addsBegin: flag(tokenizerConfig.add_bos_token),
    addsEnd: flag(tokenizerConfig.add_eos_token),
  };
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** A token is written as a string or as an object with its flags. */
function contentOf(value: unknown): string | undefined {
  const content =
    typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
  return typeof content === 'string' && content !== '' ? content : undefined;
}

function contents(value: unknown): (string | undefined)[] {
  return Array.isArray(value) ? value.map(contentOf) : [];
}

/** Of `{ "100000": { "content": ... } }`, in the order of ids. */
function addedTokens(value: unknown): (string | undefined)[] {
  if (typeof value !== 'object' || value === null) return [];
  const entries = Object.entries(value).sort(([a], [b]) => Number(a) - Number(b));
  return entries.map(([, token]) => contentOf(token));
}
