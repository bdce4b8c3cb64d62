// The files of a model directory: config.json and model.safetensors, and beside them, for runs that can go on,
// optimizer.safetensors and trainer_state.json. They are read as one set and written as one set (file-set.ts).

import { join } from 'node:path';
import { WamFlowError } from '../errors.js';
import type { FileData } from '../files.js';
import { readJson } from './read-json.js';
import { commitFiles, type FileChanges, type FilePaths, readFiles } from './file-set.js';
import {
  encodeSafetensors,
  type FloatTensor,
  kDigestKey,
  readSafetensors,
  toFloat32,
} from './safetensors.js';
import { corrupt, type SafetensorsHeader } from './safetensors-header.js';

/** A kind of model that directories hold: how its configuration is checked and which tensors belong to it. */
export interface ModelKind<Config> {
  /** Checks parsed JSON; throws `ERR_CONFIG` with messages that begin with `source`. */
  parse(value: unknown, source: string): Config;
  /** Names and shapes that model.safetensors must hold, no more, no less. */
  layout(config: Config): readonly { name: string; shape: readonly number[] }[];
}

/** What a run needs to go on beside the model itself. */
export interface TrainingFiles {
  /** Content of optimizer.safetensors. */
  tensors: readonly FloatTensor[];
  /** Content of trainer_state.json, JSON values only. The key `files` is taken. */
  state: Readonly<Record<string, unknown>>;
}

/** Configuration and weights of a directory. */
export interface ModelFiles<Config> {
  config: Config;
  tensors: readonly FloatTensor[];
}

/** Names of the files. */
export const kConfig = 'config.json';
export const kModel = 'model.safetensors';
const kOptimizer = 'optimizer.safetensors';
const kState = 'trainer_state.json';
const kMaxListed = 8;

/**
 * Reads and checks configuration and weights.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND` when one of the two files is missing, `ERR_CONFIG` when the
 *   configuration is not valid, `ERR_CHECKPOINT_CORRUPT` for everything else that is wrong with the files.
 */
export async function readModelFiles<Config>(
  directory: string,
  kind: ModelKind<Config>,
): Promise<ModelFiles<Config>> {
  return readFiles(directory, [kConfig, kModel], async (paths) => {
    const at = join(directory, kConfig);
    if (!paths[kConfig]) throw notFound(directory, kConfig);
    const config = kind.parse(await readJson(paths[kConfig], at), at);
    if (!paths[kModel]) throw notFound(directory, kModel);
    return { config, tensors: await readWeights(paths[kModel], kind.layout(config)) };
  });
}

/**
 * Reads what a run needs to go on; undefined when the directory holds no trainer_state.json.
 *
 * @throws WamFlowError as {@link readModelFiles}; `ERR_CHECKPOINT_CORRUPT` also when the files are not of one moment.
 */
export async function readTrainingFiles<Config>(
  directory: string,
  kind: ModelKind<Config>,
): Promise<(TrainingFiles & { config: Config }) | undefined> {
  return readFiles(directory, kTrainingNames, async (paths) => {
    const training = await readTrainingState(directory, paths, (path, bind) =>
      readSafetensors(path, bind),
    );
    if (!training) return undefined;
    const configAt = join(directory, kConfig);
    const config = kind.parse(await readJson(paths[kConfig] as string, configAt), configAt);
    return { config, ...training };
  });
}

/** The files that {@link readTrainingState} needs, for {@link readFiles}. */
export const kTrainingNames = [kConfig, kModel, kOptimizer, kState] as const;

/**
 * Reads optimizer.safetensors and trainer_state.json; undefined when there is no state.
 *
 * @param checkModel gives the header of model.safetensors to `bind`, which refuses a file of another moment.
 * @throws WamFlowError `ERR_CHECKPOINT_CORRUPT`, `ERR_IO`
 */
export async function readTrainingState(
  directory: string,
  paths: FilePaths<(typeof kTrainingNames)[number]>,
  checkModel: (path: string, bind: (header: SafetensorsHeader) => void) => Promise<unknown>,
): Promise<TrainingFiles | undefined> {
  if (!paths[kState]) return undefined;
  const at = join(directory, kState);
  const state = await readJson(paths[kState], at);
  if (!isRecord(state) || !isRecord(state.files))
    throw corrupt(at, 'expected an object with "files"');
  const { files, ...rest } = state;
  for (const name of [kConfig, kModel, kOptimizer] as const) {
    if (!paths[name]) throw corrupt(directory, `${kState} is there but ${name} is not`);
  }
  const bind = (name: string) => (header: SafetensorsHeader) => {
    if (header.metadata.get(kDigestKey) === (files as Record<string, unknown>)[name]) return;
    throw corrupt(at, `belongs to another ${name} than the one beside it`);
  };
  await checkModel(paths[kModel] as string, bind(kModel));
  const optimizer = await readSafetensors(paths[kOptimizer] as string, bind(kOptimizer));
  const tensors = [...optimizer.tensors].map(([name, tensor]) => ({
    name,
    shape: [...tensor.shape],
    data: toFloat32(tensor, name),
  }));
  return { tensors, state: rest };
}

/**
 * Replaces the model of a directory, which is created where it is missing. A kill at any moment leaves the old files or
 * the new ones. Without `training` the files of an earlier run are removed.
 *
 * @throws WamFlowError `ERR_NOT_FINITE` when a weight is not finite (the directory is then as it was), `ERR_IO`.
 */
export async function writeModelFiles<Config extends object>(
  directory: string,
  model: ModelFiles<Config>,
  modelType: string,
  training?: TrainingFiles,
): Promise<void> {
  for (const tensor of [...model.tensors, ...(training?.tensors ?? [])]) {
    const at = firstNonFinite(tensor.data);
    if (at === undefined) continue;
    throw new WamFlowError(
      'ERR_NOT_FINITE',
      `tensor ${tensor.name}: value ${at} is ${tensor.data[at]}`,
    );
  }
  const weights = await encodeSafetensors(model.tensors, { format: 'pt', model_type: modelType });
  await commitModel(directory, { config: model.config, weights, training });
}

/** The files of a model as they are to be written. */
export interface ModelCommit {
  config: object;
  /** Content of model.safetensors, and the digest in its metadata. */
  weights: { pieces: FileData; digest: string };
  training?: TrainingFiles | undefined;
  /** Other files of the set by name; null removes one. */
  files?: FileChanges;
}

/**
 * Writes configuration, weights, training state and other files as one set.
 *
 * @throws WamFlowError `ERR_IO`; the directory is then as it was, or as asked.
 */
export async function commitModel(
  directory: string,
  { config, weights, training, files = {} }: ModelCommit,
): Promise<void> {
  const optimizer = training && (await encodeSafetensors(training.tensors));
  const state = optimizer && {
    ...training.state,
    files: { [kModel]: weights.digest, [kOptimizer]: optimizer.digest },
  };
  await commitFiles(directory, {
    [kConfig]: json(config),
    [kModel]: weights.pieces,
    [kOptimizer]: optimizer?.pieces ?? null,
    [kState]: state ? json(state) : null,
    ...files,
  });
}

async function readWeights(
  path: string,
  layout: ReturnType<ModelKind<unknown>['layout']>,
): Promise<FloatTensor[]> {
  // Before any data is read: a wrong file costs no memory.
  const { tensors } = await readSafetensors(path, (header) => checkLayout(path, header, layout));
  return layout.map(({ name, shape }) => {
    const data = toFloat32(tensors.get(name)!, name);
    const at = firstNonFinite(data);
    if (at !== undefined) throw corrupt(path, `tensor ${name}: value ${at} is ${data[at]}`);
    return { name, shape, data };
  });
}

function checkLayout(
  path: string,
  header: SafetensorsHeader,
  layout: ReturnType<ModelKind<unknown>['layout']>,
): void {
  const missing: string[] = [];
  const wrong: string[] = [];
  const expected = new Set<string>();
  for (const { name, shape } of layout) {
    expected.add(name);
    const found = header.tensors.get(name);
    if (!found) missing.push(name);
    else if (found.shape.join() !== shape.join() || !/F/.test(found.dtype)) {
      wrong.push(`${name} is ${found.dtype} [${found.shape}], expected floats [${shape}]`);
    }
  }
  const extra = [...header.tensors.keys()].filter((name) => !expected.has(name));
  const problems = [
    ...listed('missing', missing),
    ...listed('extra', extra),
    ...listed('mis-shaped', wrong),
  ];
  if (problems.length > 0)
    throw corrupt(path, `does not fit its config.json: ${problems.join('; ')}`);
}

function listed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > kMaxListed ? `, and ${names.length - kMaxListed} more` : '';
  return [`${what} (${names.length}): ${names.slice(0, kMaxListed).join(', ')}${rest}`];
}

function firstNonFinite(data: Float32Array): number | undefined {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return undefined;
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notFound(directory: string, name: string): WamFlowError {
  return new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${directory}: no ${name}`);
}
