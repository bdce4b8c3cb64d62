import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { ioError, isMissing } from '../files.js';
import { sharesOf } from '../model/average.js';
import { kConfig } from '../model/checkpoint-files.js';
import { float32ToBfloat16 } from '../model/half-floats.js';
import { readJson } from '../model/read-json.js';
import type { StreamedTensor } from '../model/safetensors.js';
import { inspectCheckpoint, readCheckpointValues } from '../vla/inspect-checkpoint.js';
import { kSettingsName } from '../vla/vla-settings.js';
import { companionsOf, refuseModel, storedTensors, writeJanusSet } from './janus-set.js';

/** Options of {@link exportVla}. */
export interface ExportVlaOptions {
  /**
   * Janus directory, of a run mostly; or several that were trained from one, whose weights are averaged. Everything else is
   * that of the first.
   */
  model: string | readonly string[];
  /** One a model, of any sum but 0. Default equal ones. */
  weights?: readonly number[];
  /** Folder of the copy. */
  output: string;
  /** Type of all float tensors. Default `bf16`: half the bytes, rounded to nearest. */
  dtype?: 'bf16' | 'f32';
  /** Replace a model that is in `output`. Default false: refused. */
  overwrite?: boolean;
}

const kTypes = {
  bf16: { dtype: 'BF16', torch: 'bfloat16' },
  f32: { dtype: 'F32', torch: 'float32' },
} as const;
const kFloats: ReadonlySet<string> = new Set(['F32', 'BF16', 'F16']);
const kPiece = 1 << 22; // values

/** A directory whose weights are part of what is written. */
interface Source {
  directory: string;
  /** Of its weights in the mean. */
  share: number;
  tensors: StreamedTensor[];
}

/**
 * Copies a model, or the mean of several, without what only training needs, in one weight file of one type: what is shipped.
 *
 * @returns bytes of all tensors
 * @throws WamFlowError (the promise rejects) as `inspectCheckpoint`; `ERR_CONFIG` when models to average have other tensors
 *   than the first; `ERR_ARGUMENT`, `ERR_IO`
 */
export async function exportVla(options: ExportVlaOptions): Promise<{ bytes: number }> {
  const { output, dtype = 'bf16', overwrite = false } = options;
  if (typeof output !== 'string' || output === '') {
    throw argumentError('output', 'the path of a folder', output);
  }
  if (!Object.hasOwn(kTypes, dtype)) throw argumentError('dtype', "'bf16' or 'f32'", dtype);
  const target = resolve(output);
  if (!overwrite) await refuseModel(target);
  const sources = await sourcesOf(options);
  const { directory, tensors: stored } = sources[0]!;
  const type = kTypes[dtype];
  const tensors = stored.map((tensor): StreamedTensor => {
    if (!kFloats.has(tensor.dtype)) return tensor;
    if (sources.length === 1 && tensor.dtype === type.dtype) return tensor;
    const { name, shape } = tensor;
    const pieces = () => convertedPieces(sources, name, sizeOf(shape), dtype);
    return { name, shape, dtype: type.dtype, pieces };
  });
  const at = join(directory, kConfig);
  const config = (await readJson(at, at)) as Record<string, unknown>;
  const language = config.language_config as object;
  await writeJanusSet(target, {
    config: {
      ...config,
      torch_dtype: type.torch,
      language_config: { ...language, torch_dtype: type.torch },
    },
    tensors,
    files: { ...(await companionsOf(directory)), ...(await settingsOf(directory)) },
  });
  const bytesOf = ({ shape, dtype: stored }: StreamedTensor) =>
    sizeOf(shape) * (stored === 'F32' ? 4 : stored === 'I64' ? 8 : 2);
  return { bytes: tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0) };
}

/** The directories of the options, all with the same tensors. */
async function sourcesOf({ model, weights }: ExportVlaOptions): Promise<Source[]> {
  const models = typeof model === 'string' ? [model] : model;
  if (!Array.isArray(models) || models.length === 0) {
    throw argumentError('model', 'a path, or at least one', model);
  }
  const shares = sharesOf(models, weights === undefined ? models.map(() => 1) : weights);
  const sources: Source[] = [];
  for (const [i, path] of models.entries()) {
    const { directory, files } = await inspectCheckpoint(path);
    const tensors = await storedTensors(directory, files);
    const source = { directory, share: shares[i]!, tensors };
    if (i > 0) expectSameTensors(source, sources[0]!);
    sources.push(source);
  }
  return sources;
}

function expectSameTensors({ directory, tensors }: Source, first: Source): void {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, String(shape)]));
  const other = first.tensors.find(({ name, shape }) => shapes.get(name) !== String(shape));
  if (other === undefined && shapes.size === first.tensors.length) return;
  const received = other ? `${other.name} of shape ${shapes.get(other.name) ?? 'none'}` : 'more';
  throw new WamFlowError(
    'ERR_CONFIG',
    `${directory}: expected the tensors of ${first.directory}, received ${received}`,
  );
}

async function* convertedPieces(
  sources: readonly Source[],
  name: string,
  count: number,
  dtype: 'bf16' | 'f32',
): AsyncGenerator<Uint8Array> {
  for (let begin = 0; begin < count; begin += kPiece) {
    const values = await meanOf(sources, name, begin, Math.min(kPiece, count - begin));
    const data = dtype === 'bf16' ? float32ToBfloat16(values) : values;
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
}

async function meanOf(
  sources: readonly Source[],
  name: string,
  begin: number,
  count: number,
): Promise<Float32Array> {
  const valuesOf = ({ directory }: Source) => readCheckpointValues(directory, name, begin, count);
  if (sources.length === 1) return valuesOf(sources[0]!);
  const mean = new Float64Array(count);
  for (const source of sources) {
    const values = await valuesOf(source);
    for (let i = 0; i < count; ++i) mean[i]! += source.share * values[i]!;
  }
  return Float32Array.from(mean);
}

async function settingsOf(directory: string): Promise<Record<string, Uint8Array>> {
  const path = join(directory, kSettingsName);
  try {
    return { [kSettingsName]: await readFile(path) };
  } catch (error) {
    if (isMissing(error)) return {};
    throw ioError(`cannot read ${path}`, error);
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
