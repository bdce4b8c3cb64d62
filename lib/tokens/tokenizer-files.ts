import { join } from 'node:path';
import { WamFlowError } from '../errors.js';
import { ioError, isMissing, openRegularFile, writeFileAtomic } from '../files.js';

type Json = Readonly<Record<string, unknown>>;

/** The files of a tokenizer's folder, as parsed JSON. */
export interface TokenizerFiles {
  /** `tokenizer.json`. */
  tokenizer: Json;
  /** `tokenizer_config.json`, `special_tokens_map.json` and `processor_config.json`, where there are any. */
  tokenizerConfig?: Json;
  specialTokensMap?: Json;
  processorConfig?: Json;
}

const kNames = {
  tokenizer: 'tokenizer.json',
  tokenizerConfig: 'tokenizer_config.json',
  specialTokensMap: 'special_tokens_map.json',
  processorConfig: 'processor_config.json',
} as const;

const kMaxBytes = 2 ** 27;

/**
 * Reads them.
 *
 * @throws WamFlowError (the promise rejects) `ERR_TOKENIZER` when there is no `tokenizer.json` or a file is no JSON
 *   object, `ERR_IO`.
 */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  const read = (file: keyof TokenizerFiles) => readJson(join(directory, kNames[file]));
  const tokenizer = await read('tokenizer');
  if (tokenizer === undefined) {
    throw tokenizerError(
      `${directory}: expected a tokenizer.json, found none. It comes with the Janus or FUDOKI weights and may be ` +
        'copied beside others; a tokenizer.model or vocab.txt alone is not read',
    );
  }
  return {
    tokenizer,
    tokenizerConfig: await read('tokenizerConfig'),
    specialTokensMap: await read('specialTokensMap'),
    processorConfig: await read('processorConfig'),
  };
}

/**
 * Writes them into a folder that exists.
 *
 * @throws WamFlowError (the promise rejects) `ERR_IO`.
 */
export async function writeTokenizerFiles(directory: string, files: TokenizerFiles): Promise<void> {
  for (const name of Object.keys(kNames) as (keyof TokenizerFiles)[]) {
    const value = files[name];
    if (value === undefined) continue;
    await writeFileAtomic(join(directory, kNames[name]), `${JSON.stringify(value, null, 1)}\n`);
  }
}

/** An `ERR_TOKENIZER`. */
export function tokenizerError(message: string, cause?: unknown): WamFlowError {
  return new WamFlowError('ERR_TOKENIZER', message, { cause });
}

async function readJson(path: string): Promise<Json | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw tokenizerError(`${path}: expected JSON: ${(error as Error).message}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw tokenizerError(`${path}: expected a JSON object`);
  }
  return value as Json;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const opened = await openRegularFile(path);
    if (!opened) throw tokenizerError(`${path}: expected a file`);
    try {
      if (opened.size > kMaxBytes) {
        throw tokenizerError(
          `${path}: expected at most ${kMaxBytes} bytes, received ${opened.size}`,
        );
      }
      return await opened.file.readFile('utf8');
    } finally {
      await opened.file.close();
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw ioError(`cannot read ${path}`, error);
  }
}
