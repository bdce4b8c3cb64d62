// The files of a Janus directory as one set: tensors stream from where they are stored into the new set, which a kill
// leaves whole or leaves out (lib/model/file-set.ts).

import { access, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WamFlowError } from '../errors.js';
import { type FileData, ioError, isMissing } from '../files.js';
import { commitModel, kConfig, kModel, type TrainingFiles } from '../model/checkpoint-files.js';
import {
  type FloatTensor,
  readSafetensorsHeader,
  type StreamedTensor,
  streamSafetensors,
} from '../model/safetensors.js';

const kIndex = 'model.safetensors.index.json';
/** Tensors as they were before the run: what adapters are added to, and what an alignment stays near to. */
export const kRunStart = 'start.safetensors';
const kPieceBytes = 1 << 22;

/** Files beside configuration and weights that belong to a model: text and pictures need them. */
const kCompanions = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'processor_config.json',
  'preprocessor_config.json',
] as const;

/** What is written. */
export interface JanusSet {
  /** config.json as it is to stand there. */
  config: object;
  tensors: readonly StreamedTensor[];
  /** Other files by name. */
  files?: Readonly<Record<string, FileData>>;
  /** At the start of a run: tensors that it needs as they are now. */
  base?: readonly StreamedTensor[];
  /** What a run needs to go on; left out, the state of an earlier run is removed. */
  training?: TrainingFiles;
}

/**
 * Replaces the model of a directory, which is created where it is missing.
 *
 * @throws WamFlowError `ERR_NOT_FINITE` when a value of the training state is not finite, `ERR_SHAPE`, `ERR_IO`; the
 *   directory is then as it was.
 */
export async function writeJanusSet(directory: string, set: JanusSet): Promise<void> {
  const { config, tensors, files = {}, base, training } = set;
  for (const { name, data } of training?.tensors ?? []) refuseNonFinite(name, data);
  const weights = await streamSafetensors(tensors, { format: 'pt' });
  const others: Record<string, FileData | null> = { ...files };
  // Shards of an earlier model would be taken for this one's.
  if (await exists(join(directory, kIndex))) others[kIndex] = null;
  if (base && base.length > 0) others[kRunStart] = (await streamSafetensors(base)).pieces;
  else if ((base || !training) && (await exists(join(directory, kRunStart))))
    others[kRunStart] = null;
  await commitModel(directory, { config, weights, training, files: others });
}

/** The companions that a directory has, by name. */
export async function companionsOf(directory: string): Promise<Record<string, Uint8Array>> {
  const found: Record<string, Uint8Array> = {};
  for (const name of kCompanions) {
    try {
      found[name] = await readFile(join(directory, name));
    } catch (error) {
      if (!isMissing(error)) throw ioError(`cannot read ${join(directory, name)}`, error);
    }
  }
  return found;
}

/**
 * All tensors of a directory's weight files, unused ones too, with the types and bytes that they are stored with. A file
 * must stay until its tensors were read.
 *
 * @throws WamFlowError as `readSafetensors`.
 */
export async function storedTensors(
  directory: string,
  files: readonly { name: string }[],
): Promise<StreamedTensor[]> {
  const all: StreamedTensor[] = [];
  for (const { name: file } of files) {
    const path = join(directory, file);
    const { header, dataStart } = await readSafetensorsHeader(path);
    for (const [name, { dtype, shape, begin, end }] of header.tensors) {
      const pieces = () => piecesOf(path, dataStart + begin, dataStart + end);
      all.push({ name, dtype, shape, pieces });
    }
  }
  return all;
}

/** A tensor in memory as one to write. */
export function floatTensor({ name, shape, data }: FloatTensor): StreamedTensor {
  refuseNonFinite(name, data);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, shape, dtype: 'F32', pieces: () => [bytes] };
}

/** @throws WamFlowError `ERR_ARGUMENT` when a model is there already. */
export async function refuseModel(directory: string): Promise<void> {
  for (const name of [kConfig, kModel, kIndex]) {
    if (!(await exists(join(directory, name)))) continue;
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `output: ${directory} holds a model already; resume its run, allow to overwrite it, or choose another folder`,
    );
  }
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

async function* piecesOf(path: string, begin: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    for (let at = begin; at < end; ) {
      const bytes = new Uint8Array(Math.min(kPieceBytes, end - at));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
      if (bytesRead === 0) break; // whoever takes the pieces counts them
      yield bytes.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function refuseNonFinite(name: string, data: Float32Array): void {
  for (let i = 0; i < data.length; i += 1) {
    if (Number.isFinite(data[i])) continue;
    throw new WamFlowError('ERR_NOT_FINITE', `tensor ${name}: value ${i} is ${data[i]}`);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
