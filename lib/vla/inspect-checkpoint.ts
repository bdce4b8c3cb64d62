// What a directory of the Janus family holds, without loading it.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { ioError, isMissing } from '../files.js';
import { modelDirectory } from '../model/bundled.js';
import { finishCommit, readFiles } from '../model/file-set.js';
import { readJson } from '../model/read-json.js';
import {
  type CheckpointPart,
  type CheckpointTensor,
  type NativeInspection,
  native,
} from '../native.js';
import { type JanusConfig, parseJanusConfig, toNativeJanusShape } from './janus-config.js';

/** Options of {@link inspectCheckpoint}. */
export interface InspectOptions {
  /**
   * Read every weight that planning uses and refuse NaN and infinity. Takes as long as reading the files does; default
   * false, which reads headers alone.
   */
  checkValues?: boolean;
  /** Stops the reading of values between pieces of 4 M. */
  signal?: AbortSignal;
}

/** How many tensors, weights and bytes. */
export interface TensorTotals {
  tensors: number;
  parameters: number;
  bytes: number;
}

/** What {@link inspectCheckpoint} finds. */
export interface CheckpointInspection {
  /** Absolute path. */
  directory: string;
  /** With all defaults; `language.vocab_size` is the number of rows that the embedding table has. */
  config: JanusConfig;
  /** All stored tensors, sorted by name. */
  tensors: CheckpointTensor[];
  /** By dtype: `F32`, `BF16`, ... */
  dtypes: Record<string, TensorTotals>;
  /** By part of the model; only parts that are there. */
  parts: Partial<Record<CheckpointPart, TensorTotals>>;
  /** Numbers in all tensors. */
  parameters: number;
  /** Numbers in those that planning reads. */
  usedParameters: number;
  /** Of all tensors. */
  bytes: number;
  /** Weight files. */
  files: { name: string; bytes: number; tensors: number }[];
  /** Beside the weights; null where there is none. */
  companions: Record<string, number | null>;
  /** What is odd but lets the model load, a sentence each. */
  warnings: string[];
}

const kPreprocessor = 'preprocessor_config.json';

/** Files beside weights and configuration that text and images need. */
const kCompanions = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'processor_config.json',
  kPreprocessor,
] as const;

const kConfig = 'config.json';
const kListed = 8;

/**
 * Opens a Janus-1.3B/1.5B, FUDOKI or WAM-Flow directory on a thread of its own and checks everything that its files say
 * of themselves: config.json, headers, index, and every name and shape against what the configuration asks for.
 *
 * @param directory `vla-mini` for the model that comes with the package, or the path of a directory
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND` when files are missing (pickled weights are named as such),
 *   `ERR_CONFIG`, `ERR_CHECKPOINT_CORRUPT` with one list of all tensors that are missing or mis-shaped, `ERR_IO`; the
 *   signal's reason when it is aborted.
 */
export async function inspectCheckpoint(
  directory: string,
  options: InspectOptions = {},
): Promise<CheckpointInspection> {
  const { checkValues = false, signal } = options;
  if (typeof checkValues !== 'boolean') {
    throw argumentError('checkValues', 'a boolean', checkValues);
  }
  signal?.throwIfAborted();
  const folder = modelDirectory(directory, 'directory');
  await settle(folder);
  const config = await readJanusConfig(folder);
  await checkNormalisation(folder, config);
  const found = await readTensors(folder, config, checkValues, signal);
  const companions = await sizesOf(folder, kCompanions);
  const tensors = found.tensors;
  const all = totals(tensors);
  const opened = {
    ...config,
    language: { ...config.language, vocab_size: found.vocab },
  };
  return {
    directory: folder,
    config: opened,
    tensors,
    dtypes: groups(tensors, ({ dtype }) => dtype),
    parts: groups(tensors, ({ part }) => part) as CheckpointInspection['parts'],
    parameters: all.parameters,
    usedParameters: totals(tensors.filter(({ used }) => used)).parameters,
    bytes: all.bytes,
    files: found.files,
    companions,
    warnings: [...found.warnings, ...warningsOf(config, found, companions)],
  };
}

/**
 * Reads config.json of a directory of the Janus family.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CONFIG`, `ERR_CHECKPOINT_CORRUPT` when it is no JSON, `ERR_IO`.
 */
export async function readJanusConfig(directory: string): Promise<JanusConfig> {
  const at = join(directory, kConfig);
  return readFiles(directory, [kConfig], async (paths) => {
    const path = paths[kConfig];
    if (!path) throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${directory}: no ${kConfig}`);
    return parseJanusConfig(await readJson(path, at), at);
  });
}

/** The engine reads files in their places: what a killed writer had committed goes there first. */
async function settle(folder: string): Promise<void> {
  try {
    await finishCommit(folder);
  } catch (error) {
    throw ioError(`cannot read ${folder}`, error);
  }
}

/** Who normalises pictures: the tower, when its configuration says with what, or else whoever prepares them. Not both. */
async function checkNormalisation(folder: string, { vision }: JanusConfig): Promise<void> {
  if (!vision.pixel_mean) return;
  const { [kPreprocessor]: bytes } = await sizesOf(folder, [kPreprocessor]);
  if (bytes === null) return;
  const path = join(folder, kPreprocessor);
  const preprocessor = await readJson(path, path);
  if ((preprocessor as { do_normalize?: unknown } | null)?.do_normalize !== true) return;
  throw new WamFlowError(
    'ERR_CONFIG',
    `${join(folder, kConfig)}: vision_config.params has pixel_mean and pixel_std, so the tower normalises pictures itself, ` +
      `but ${kPreprocessor} says do_normalize true: they would be normalised twice. Set it to false, or take the two out of ` +
      'config.json, whichever the weights were trained with',
  );
}

/**
 * Values of one float tensor of a checkpoint directory as float32, whatever it is stored as.
 *
 * @param begin first value, in row-major order. Default 0.
 * @param count how many, 2^29 at most. Default all that follow.
 * @throws WamFlowError as {@link inspectCheckpoint}; `ERR_ARGUMENT` when there is no such tensor, `ERR_RANGE`.
 */
export async function readCheckpointValues(
  directory: string,
  name: string,
  begin = 0,
  count = -1,
): Promise<Float32Array> {
  const addon = native();
  const reader = addon.createCheckpointReader(modelDirectory(directory));
  try {
    // Never undefined: nothing stops this reader.
    const values = (await addon.checkpointValues(reader, name, begin, count)) as ArrayBuffer;
    return new Float32Array(values);
  } finally {
    await addon.closeCheckpointReader(reader);
  }
}

async function readTensors(
  folder: string,
  config: JanusConfig,
  checkValues: boolean,
  signal: AbortSignal | undefined,
): Promise<NativeInspection> {
  const addon = native();
  const reader = addon.createCheckpointReader(folder);
  const stop = () => addon.stopCheckpointReader(reader);
  signal?.addEventListener('abort', stop);
  try {
    const found = await addon.inspectCheckpoint(reader, toNativeJanusShape(config), checkValues);
    if (found !== undefined) return found;
    throw signal?.reason;
  } finally {
    signal?.removeEventListener('abort', stop);
    await addon.closeCheckpointReader(reader);
  }
}

function warningsOf(
  config: JanusConfig,
  found: NativeInspection,
  companions: CheckpointInspection['companions'],
): string[] {
  const warnings: string[] = [];
  const { vocab_size } = config.language;
  if (found.vocab !== vocab_size) {
    warnings.push(
      `config.json says vocab_size ${vocab_size}, the token tables have ${found.vocab} rows; the tables count`,
    );
  }
  if (found.unknown.length > 0) {
    const rest = found.unknown.length - kListed;
    warnings.push(
      `unknown tensors are ignored (${found.unknown.length}): ${found.unknown.slice(0, kListed).join(', ')}` +
        (rest > 0 ? `, and ${rest} more` : ''),
    );
  }
  if (companions['tokenizer.json'] === null) {
    warnings.push('no tokenizer.json: planning from text needs the one of the original model');
  }
  if (companions['processor_config.json'] === null) {
    warnings.push('no processor_config.json: it names the image tags and their number');
  }
  return warnings;
}

function totals(tensors: readonly CheckpointTensor[]): TensorTotals {
  const sum: TensorTotals = { tensors: tensors.length, parameters: 0, bytes: 0 };
  for (const { shape, bytes } of tensors) {
    sum.parameters += shape.reduce((product, size) => product * size, 1);
    sum.bytes += bytes;
  }
  return sum;
}

function groups(
  tensors: readonly CheckpointTensor[],
  key: (tensor: CheckpointTensor) => string,
): Record<string, TensorTotals> {
  const members = new Map<string, CheckpointTensor[]>();
  for (const tensor of tensors) {
    const of = members.get(key(tensor));
    if (of) of.push(tensor);
    else members.set(key(tensor), [tensor]);
  }
  return Object.fromEntries([...members].map(([name, of]) => [name, totals(of)]));
}

async function sizesOf(
  folder: string,
  names: readonly string[],
): Promise<Record<string, number | null>> {
  const entries = names.map(async (name) => {
    try {
      const found = await stat(join(folder, name));
      return [name, found.isFile() ? found.size : null] as const;
    } catch (error) {
      if (isMissing(error)) return [name, null] as const;
      throw ioError(`cannot read ${join(folder, name)}`, error);
    }
  });
  return Object.fromEntries(await Promise.all(entries));
}
