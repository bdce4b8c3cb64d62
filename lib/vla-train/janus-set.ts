// The files of a Janus directory as one set: written so that a kill at any moment leaves the earlier set or the new one,
// by the mechanism of all checkpoints (lib/model/file-set.ts).

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { WamFlowError } from '../errors.js';
import type { FileData } from '../files.js';
import { commitFiles, type FileChanges } from '../model/file-set.js';
import {
  encodeSafetensors,
  type FloatTensor,
  type StreamedTensor,
  streamSafetensors,
} from '../model/safetensors.js';

export const kConfig = 'config.json';
export const kModel = 'model.safetensors';
export const kIndex = 'model.safetensors.index.json';
export const kOptimizer = 'optimizer.safetensors';
export const kState = 'trainer_state.json';

/** Files beside configuration and weights that belong to a model: text and pictures need them. */
export const kCompanions: readonly string[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'processor_config.json',
  'preprocessor_config.json',
];

/** What is written. */
export interface JanusSet {
  /** config.json as it is to stand there. */
  config: object;
  tensors: readonly StreamedTensor[];
  /** Other files by name; null removes one. */
  files: Readonly<Record<string, FileData | null>>;
  /** What a run needs to go on; left out, the state of an earlier run is removed. */
  training?: { tensors: readonly FloatTensor[]; state: Readonly<Record<string, unknown>> };
}

/**
 * Replaces the model of a directory, which is created where it is missing.
 *
 * @throws WamFlowError `ERR_NOT_FINITE` when a value of the training state is not finite, `ERR_SHAPE`, `ERR_IO`.
 */
export async function writeJanusSet(directory: string, set: JanusSet): Promise<void> {
  const { config, tensors, files, training } = set;
  for (const { name, data } of training?.tensors ?? []) refuseNonFinite(name, data);
  const weights = await streamSafetensors(tensors, { format: 'pt' });
  const optimizer = training && (await encodeSafetensors(training.tensors));
  const state = optimizer && {
    ...training.state,
    files: { [kModel]: weights.digest, [kOptimizer]: optimizer.digest },
  };
  const changes: FileChanges = {
    [kConfig]: jsonText(config),
    [kModel]: weights.pieces,
    [kOptimizer]: optimizer?.pieces ?? null,
    [kState]: state ? jsonText(state) : null,
    ...files,
  };
  // Shards of an earlier model would be taken for this one's; where there are none, nothing needs to be removed.
  const sharded = await exists(join(directory, kIndex));
  await commitFiles(directory, sharded ? { ...changes, [kIndex]: null } : changes);
}

/** A tensor in memory as one to write. */
export function floatTensor({ name, shape, data }: FloatTensor): StreamedTensor {
  refuseNonFinite(name, data);
  return {
    name,
    shape,
    dtype: 'F32',
    pieces: () => [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
  };
}

/** @throws WamFlowError `ERR_NOT_FINITE` naming the value. */
export function refuseNonFinite(name: string, data: Float32Array): void {
  for (let i = 0; i < data.length; i += 1) {
    if (Number.isFinite(data[i])) continue;
    throw new WamFlowError('ERR_NOT_FINITE', `tensor ${name}: value ${i} is ${data[i]}`);
  }
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
