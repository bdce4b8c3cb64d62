import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { argumentError } from '../errors.js';
import { ioError, isMissing } from '../files.js';
import { kConfig } from '../model/checkpoint-files.js';
import { float32ToBfloat16 } from '../model/half-floats.js';
import { readJson } from '../model/read-json.js';
import type { StreamedTensor } from '../model/safetensors.js';
import { inspectCheckpoint, readCheckpointValues } from '../vla/inspect-checkpoint.js';
import { kSettingsName } from '../vla/vla-settings.js';
import { companionsOf, refuseModel, storedTensors, writeJanusSet } from './janus-set.js';

/** Options of {@link exportVla}. */
export interface ExportVlaOptions {
  /** Janus directory, of a run mostly. */
  model: string;
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

/**
 * Copies a model without what only training needs, in one weight file of one type: what is shipped.
 *
 * @returns bytes of all tensors
 * @throws WamFlowError (the promise rejects) as `inspectCheckpoint`; `ERR_ARGUMENT`, `ERR_IO`
 */
export async function exportVla(options: ExportVlaOptions): Promise<{ bytes: number }> {
  const { model, output, dtype = 'bf16', overwrite = false } = options;
  if (typeof output !== 'string' || output === '') {
    throw argumentError('output', 'the path of a folder', output);
  }
  if (!Object.hasOwn(kTypes, dtype)) throw argumentError('dtype', "'bf16' or 'f32'", dtype);
  const target = resolve(output);
  if (!overwrite) await refuseModel(target);
  const { directory, files } = await inspectCheckpoint(model);
  const type = kTypes[dtype];
  const tensors = (await storedTensors(directory, files)).map((tensor): StreamedTensor => {
    if (!kFloats.has(tensor.dtype) || tensor.dtype === type.dtype) return tensor;
    const { name, shape } = tensor;
    const pieces = () => convertedPieces(directory, name, sizeOf(shape), dtype);
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

async function* convertedPieces(
  directory: string,
  name: string,
  count: number,
  dtype: 'bf16' | 'f32',
): AsyncGenerator<Uint8Array> {
  for (let begin = 0; begin < count; begin += kPiece) {
    const values = await readCheckpointValues(
      directory,
      name,
      begin,
      Math.min(kPiece, count - begin),
    );
    const data = dtype === 'bf16' ? float32ToBfloat16(values) : values;
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
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
