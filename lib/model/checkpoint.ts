// Models of the family `wam-flow` on disk, the bundled one included.

import { resolve } from 'node:path';
import { WamFlowError } from '../errors.js';
import { type NamedTensor, type NativeModelConfig, native } from '../native.js';
import { modelDirectory } from './bundled.js';
import {
  type ModelKind,
  readModelFiles,
  readTrainingFiles,
  type TrainingFiles,
  writeModelFiles,
} from './checkpoint-files.js';
import { type ModelConfig, parseModelConfig, toNativeConfig } from './config.js';
import type { FloatTensor } from './safetensors.js';

/** A model that was read and checked. */
export interface Checkpoint {
  /** Absolute path. */
  directory: string;
  config: ModelConfig;
  /** The same in the engine's form. */
  native: NativeModelConfig;
  /** Exactly the tensors that the engine's layout for `config` has; finite float32. */
  tensors: NamedTensor[];
}

const kModelKind: ModelKind<ModelConfig> = { parse: parseModelConfig, layout: layoutOf };

/**
 * Reads a model: config.json and model.safetensors (F32, F16, BF16 or F64).
 *
 * @param nameOrDirectory `mini` for the model that comes with the package (`./mini` is a folder), or a directory.
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CONFIG` when a configuration field is wrong,
 *   `ERR_CHECKPOINT_CORRUPT` when a file is damaged or the weights do not fit the configuration, `ERR_IO`.
 */
export async function loadCheckpoint(nameOrDirectory: string): Promise<Checkpoint> {
  const directory = modelDirectory(nameOrDirectory);
  const { config, tensors } = await readModelFiles(directory, kModelKind);
  return {
    directory,
    config,
    native: toNativeConfig(config),
    tensors: tensors.map(({ name, shape, data }) => ({ name, shape: [...shape], data })),
  };
}

/**
 * Writes a model so that a kill at any moment leaves the earlier one or this one. Without `training` the training state
 * of an earlier run in this directory is removed.
 *
 * @throws WamFlowError `ERR_SHAPE` when the tensors are not those of the configuration, `ERR_NOT_FINITE`, `ERR_IO`.
 */
export async function saveCheckpoint(
  directory: string,
  model: { config: ModelConfig; tensors: readonly FloatTensor[] },
  training?: TrainingFiles,
): Promise<void> {
  const { config, tensors } = model;
  const given = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const layout = layoutOf(config);
  const wrong = layout.find(({ name, shape }) => given.get(name)?.shape.join() !== shape.join());
  if (wrong || layout.length !== tensors.length) {
    const what = wrong ? `${wrong.name} of shape [${wrong.shape}]` : `${layout.length} tensors`;
    throw new WamFlowError('ERR_SHAPE', `tensors: expected ${what}, as the configuration says`);
  }
  await writeModelFiles(resolve(directory), model, config.model_type, training);
}

/**
 * Reads what a run in `directory` needs to go on; undefined when there is none.
 *
 * @throws WamFlowError as {@link loadCheckpoint}.
 */
export async function loadTraining(
  directory: string,
): Promise<(TrainingFiles & { config: ModelConfig }) | undefined> {
  return readTrainingFiles(resolve(directory), kModelKind);
}

function layoutOf(config: ModelConfig): { name: string; shape: number[] }[] {
  const form = toNativeConfig(config);
  native().validateConfig(form);
  return native().parameterLayout(form);
}
