import { resolve } from 'node:path';
import { argumentError } from '../errors.js';
import { makeTokenizer } from '../tokens/byte-level-bpe.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { readTokenizerFiles, type TokenizerFiles } from '../tokens/tokenizer-files.js';
import { freshSettings, kSettingsName, settingsText } from '../vla/vla-settings.js';
import { normalValues } from './draws.js';
import { floatTensor, jsonText, refuseModel, writeJanusSet } from './janus-set.js';
import {
  checkVlaSizes,
  freshTensors,
  imageTokensOf,
  type VlaSizes,
  vlaConfigFile,
} from './vla-sizes.js';

/** Options of {@link createVla}. */
export interface CreateVlaOptions {
  /** Folder of the model. */
  output: string;
  /** What differs from the defaults of {@link VlaSizes}. */
  sizes?: Partial<VlaSizes>;
  /**
   * Texts that a tokenizer of at most `size` tokens (default 2048) is learnt from; or the folder of a `tokenizer.json`,
   * whose files are copied; or their contents.
   */
  tokenizer: { texts: Iterable<string>; size?: number } | { directory: string } | TokenizerFiles;
  /** A token for "nothing known yet", which is read at t = 0. Default `<mask>`; false for none. */
  maskToken?: string | false;
  /**
   * Whether the token table has rows for the numbers from the start. Default false: stage `embed` appends them.
   */
  numbers?: boolean;
  /** Of the weights; an integer from 0 to 2^53-1. Default 1. */
  seed?: number;
  /** Replace a model that is in `output`. Default false: refused. */
  overwrite?: boolean;
}

/** What {@link createVla} made. */
export interface CreatedVla {
  /** Absolute path. */
  directory: string;
  /** Rows of the token table. */
  vocab: number;
  parameters: number;
  /** Of the numbers, once there are rows for them. */
  firstNumberId: number;
  imageTokens: number;
}

const kTokens = 2048;

/**
 * Writes a Janus directory with random weights of a size of one's own, and a tokenizer: what stage `causal` starts
 * from. The same options give the same bytes.
 *
 * @throws WamFlowError (the promise rejects) `ERR_ARGUMENT`, `ERR_TOKENIZER`, `ERR_IO`.
 */
export async function createVla(options: CreateVlaOptions): Promise<CreatedVla> {
  const { output, seed = 1, maskToken = '<mask>', numbers = false, overwrite = false } = options;
  if (typeof output !== 'string' || output === '') {
    throw argumentError('output', 'the path of a folder', output);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw argumentError('seed', 'an integer from 0 to 2^53-1', seed);
  }
  if (maskToken !== false && (typeof maskToken !== 'string' || maskToken === '')) {
    throw argumentError('maskToken', 'a text or false', maskToken);
  }
  const sizes = checkVlaSizes(options.sizes);
  const directory = resolve(output);
  if (!overwrite) await refuseModel(directory);

  const imageTokens = imageTokensOf(sizes);
  const files = await tokenizerFiles(options.tokenizer, maskToken, imageTokens);
  const tokenizer = new TextTokenizer(files);
  const { firstId } = tokenizer.numbers;
  const maskId = maskToken === false ? undefined : tokenizer.idOf(maskToken);
  if (maskToken !== false && maskId === undefined) {
    throw argumentError('maskToken', 'a token of the tokenizer', maskToken);
  }
  // A tokenizer may have tokens behind its numbers; then the table reaches them.
  const beyond = tokenizer.idLimit > firstId + tokenizer.numbers.size;
  const vocab = numbers || beyond ? tokenizer.idLimit : firstId;
  const tensors = freshTensors(sizes, vocab).map(({ name, shape, start }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const data =
      'value' in start
        ? new Float32Array(count).fill(start.value)
        : normalValues(name, seed, count, start.deviation);
    return { name, shape, data };
  });
  const settings = freshSettings(sizes.imageSize);
  const { min, max, decimals } = rangeOf(tokenizer);
  await writeJanusSet(directory, {
    config: vlaConfigFile(sizes, vocab),
    tensors: tensors.map(floatTensor),
    files: {
      [kSettingsName]: settingsText({
        ...settings,
        numbers: vocab > firstId ? { firstId, min, max, decimals } : null,
        maskToken: maskToken === false ? null : { text: maskToken, id: maskId! },
      }),
      'preprocessor_config.json': jsonText(preprocessor(sizes.imageSize)),
      ...tokenizerTexts(files),
    },
  });
  return {
    directory,
    vocab,
    parameters: tensors.reduce((sum, { data }) => sum + data.length, 0),
    firstNumberId: firstId,
    imageTokens,
  };
}

/** The grid of a tokenizer's numbers. */
export function rangeOf({ numbers }: TextTokenizer): {
  min: number;
  max: number;
  decimals: number;
} {
  return {
    min: numbers.decode(numbers.firstId),
    max: numbers.decode(numbers.firstId + numbers.size - 1),
    decimals: numbers.decimals,
  };
}

async function tokenizerFiles(
  from: CreateVlaOptions['tokenizer'],
  maskToken: string | false,
  imageTokens: number,
): Promise<TokenizerFiles> {
  if (typeof from !== 'object' || from === null) {
    throw argumentError('tokenizer', 'texts, a folder or the contents of files', from);
  }
  let files: TokenizerFiles;
  if ('texts' in from) files = makeTokenizer({ texts: from.texts, size: from.size ?? kTokens });
  else if ('directory' in from) files = await readTokenizerFiles(from.directory);
  else files = from;
  const processorConfig = { ...files.processorConfig, num_image_tokens: imageTokens };
  return { ...files, tokenizer: withToken(files.tokenizer, maskToken), processorConfig };
}

/** The tokenizer with one special token more, unless it has it. */
function withToken(
  tokenizer: TokenizerFiles['tokenizer'],
  content: string | false,
): TokenizerFiles['tokenizer'] {
  const added = (tokenizer.added_tokens ?? []) as { id: number; content: string }[];
  const vocab = ((tokenizer.model as { vocab?: Record<string, number> } | null)?.vocab ??
    {}) as Record<string, number>;
  if (content === false || Object.hasOwn(vocab, content)) return tokenizer;
  if (added.some((token) => token.content === content)) return tokenizer;
  const ids = [...Object.values(vocab), ...added.map(({ id }) => id)];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const id = ids.reduce((next, used) => Math.max(next, used + 1), 0);
  return { ...tokenizer, added_tokens: [...added, { id, content, ...flags, special: true }] };
}

/** Contents of the files, by name. */
function tokenizerTexts(files: TokenizerFiles): Record<string, string> {
  const named = {
    'tokenizer.json': files.tokenizer,
    'tokenizer_config.json': files.tokenizerConfig,
    'special_tokens_map.json': files.specialTokensMap,
    'processor_config.json': files.processorConfig,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, `${JSON.stringify(value, null, 1)}\n`]],
    ),
  );
}

function preprocessor(imageSize: number): object {
  return {
    image_processor_type: 'VLMImageProcessor',
    processor_class: 'VLChatProcessor',
    image_size: imageSize,
    min_size: 14,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    rescale_factor: 1 / 255,
    background_color: [127, 127, 127],
    do_normalize: true,
  };
}
