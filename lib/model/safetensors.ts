// Reader and writer of the safetensors container: 8 bytes little-endian header length, JSON header, tensor data.
// Little-endian hosts only, as is the engine.

import type { FileHandle } from 'node:fs/promises';
import { WamFlowError } from '../errors.js';
import { ioError, isMissing, openRegularFile, sha256 } from '../files.js';
import { bfloat16ToFloat32, float16ToFloat32 } from './half-floats.js';
import {
  corrupt,
  type Dtype,
  kDtypeBytes,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js';

export type { Dtype, SafetensorsHeader, TensorEntry } from './safetensors-header.js';

/** A view of tensor data. F16 and BF16 appear as their bit patterns, BOOL as bytes. */
export type TensorData =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Uint8Array;

/** One stored tensor; `data` is row-major, of shape[0] * shape[1] * ... elements. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** The content of a safetensors file. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** A float tensor with its name, as the engine takes and gives weights. */
export interface FloatTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What the header says of a tensor. */
interface TensorForm {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A tensor whose bytes come in pieces. */
export interface StreamedTensor extends TensorForm {
  /** The bytes, row-major and little-endian; may be asked for several times. */
  pieces(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Metadata key under which {@link encodeSafetensors} stores the SHA-256 of the data part; readers check it. */
export const kDigestKey = 'data_sha256';

// The limit of the format. A header is also never longer than its file, so a lie about it costs no memory.
const kMaxHeaderBytes = 100_000_000;
const kReadPieceBytes = 1 << 30;

/**
 * Reads a file in memory. Views point into `bytes` where their alignment allows it, otherwise the data is copied.
 * The digest is not checked (that is {@link readSafetensors}'s work).
 *
 * @param source what error messages call the file.
 * @throws WamFlowError `ERR_CHECKPOINT_CORRUPT` when anything about the file is not as the format demands.
 */
export function parseSafetensors(bytes: Uint8Array, source = 'safetensors'): Safetensors {
  const headerBytes = headerLength(bytes, bytes.byteLength, source);
  // Not bytes.subarray: views of a Buffer would be Buffers.
  const data = new Uint8Array(
    bytes.buffer,
    bytes.byteOffset + 8 + headerBytes,
    bytes.byteLength - 8 - headerBytes,
  );
  const text = decodeUtf8(bytes.subarray(8, 8 + headerBytes), source);
  return viewTensors(parseHeader(text, data.byteLength, source), data);
}

/**
 * Reads a file. The header is checked against the size of the file before memory for the data is taken, the digest
 * (when the metadata has one) after reading.
 *
 * @param inspect sees the header before any data is read; may throw to refuse the file.
 * @throws WamFlowError `ERR_CHECKPOINT_NOT_FOUND`, `ERR_CHECKPOINT_CORRUPT`, `ERR_OUT_OF_MEMORY` or `ERR_IO`.
 */
export async function readSafetensors(
  path: string,
  inspect?: (header: SafetensorsHeader) => void,
): Promise<Safetensors> {
  return withFile(path, (file, size) => readOpenFile(file, size, path, inspect));
}

/**
 * Reads the header of a file, and where its data begins. Nothing of the data is read.
 *
 * @throws WamFlowError as {@link readSafetensors}.
 */
export async function readSafetensorsHeader(
  path: string,
): Promise<{ header: SafetensorsHeader; dataStart: number }> {
  return withFile(path, (file, size) => readHeader(file, size, path));
}

/**
 * A file that holds `tensors` as F32: `pieces` to be written one after the other (header, then data sorted by name), and
 * the digest of the data, which is added to the metadata. The same tensors and metadata always give the same bytes.
 * Data is not copied: change nothing until the pieces are written.
 *
 * @throws WamFlowError `ERR_ARGUMENT` for two tensors of one name, `ERR_SHAPE` when data does not fill its shape.
 */
export async function encodeSafetensors(
  tensors: readonly FloatTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<{ pieces: Uint8Array[]; digest: string }> {
  const data: Uint8Array[] = [];
  const stored = sortedByName(tensors).map(({ name, shape, data: values }): TensorForm => {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== values.length) {
      throw new WamFlowError(
        'ERR_SHAPE',
        `tensor ${JSON.stringify(name)}: expected ${count} values for shape [${shape}], received ${values.length}`,
      );
    }
    data.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return { name, shape, dtype: 'F32' };
  });
  const digest = await sha256(data);
  return { pieces: [headerOf(stored, metadata, digest), ...data], digest };
}

/**
 * {@link encodeSafetensors} of tensors of any type whose bytes are made, or read, when they are needed: twice, once for
 * the digest and once for the file. They must give the same bytes both times.
 */
export async function streamSafetensors(
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<{ pieces: AsyncIterable<Uint8Array>; digest: string }> {
  const sorted = sortedByName(tensors);
  async function* data(): AsyncGenerator<Uint8Array> {
    for (const tensor of sorted) yield* checkedPieces(tensor);
  }
  const digest = await sha256(data());
  const header = headerOf(sorted, metadata, digest);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield header;
    yield* data();
  }
  return { pieces: pieces(), digest };
}

/** The pieces of a tensor, which must fill it. */
async function* checkedPieces({
  name,
  dtype,
  shape,
  pieces,
}: StreamedTensor): AsyncGenerator<Uint8Array> {
  const expected = bytesOf(dtype, shape);
  let received = 0;
  for await (const piece of pieces()) {
    received += piece.byteLength;
    yield piece;
  }
  if (received === expected) return;
  throw new WamFlowError(
    'ERR_SHAPE',
    `tensor ${JSON.stringify(name)}: expected ${expected} bytes for ${dtype} [${shape}], received ${received}`,
  );
}

function sortedByName<T extends { name: string }>(tensors: readonly T[]): T[] {
  const sorted = [...tensors].sort((a, b) => compare(a.name, b.name));
  const twice = sorted.find(({ name }, i) => name === sorted[i + 1]?.name);
  if (twice === undefined) return sorted;
  throw new WamFlowError('ERR_ARGUMENT', `tensors: two are named ${JSON.stringify(twice.name)}`);
}

function bytesOf(dtype: Dtype, shape: readonly number[]): number {
  return kDtypeBytes[dtype] * shape.reduce((product, size) => product * size, 1);
}

/** Length and header of a file that holds these tensors one after the other. */
function headerOf(
  tensors: readonly TensorForm[],
  metadata: Readonly<Record<string, string>>,
  digest: string,
): Uint8Array {
  let at = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const begin = at;
    at += bytesOf(dtype, shape);
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, at] })}`;
  });
  const all = { ...metadata, [kDigestKey]: digest };
  const members = Object.entries(all)
    .sort(([a], [b]) => compare(a, b))
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return encodeHeader(`{${[`"__metadata__":{${members}}`, ...entries]}}`);
}

/**
 * Values as float32: F32 as they are (no copy), F64 rounded, F16 and BF16 widened exactly.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_CORRUPT` for a tensor of integers, named `name`.
 */
export function toFloat32(tensor: StoredTensor, name: string): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  if (tensor.data instanceof Float64Array) return Float32Array.from(tensor.data);
  if (tensor.dtype === 'BF16') return bfloat16ToFloat32(tensor.data as Uint16Array);
  if (tensor.dtype === 'F16') return float16ToFloat32(tensor.data as Uint16Array);
  throw corrupt(
    `tensor ${JSON.stringify(name)}`,
    `expected floating point values, received ${tensor.dtype}`,
  );
}

async function withFile<T>(
  path: string,
  read: (file: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  let opened: Awaited<ReturnType<typeof openRegularFile>>;
  try {
    opened = await openRegularFile(path);
  } catch (error) {
    if (!isMissing(error)) throw ioError(`cannot open ${path}`, error);
    throw new WamFlowError('ERR_CHECKPOINT_NOT_FOUND', `${path} does not exist`, { cause: error });
  }
  if (!opened) throw corrupt(path, 'not a regular file');
  try {
    return await read(opened.file, opened.size);
  } catch (error) {
    throw ioError(`cannot read ${path}`, error);
  } finally {
    await opened.file.close();
  }
}

async function readHeader(
  file: FileHandle,
  size: number,
  path: string,
): Promise<{ header: SafetensorsHeader; dataStart: number }> {
  const headerBytes = headerLength(await readExactly(file, 0, Math.min(8, size), path), size, path);
  const text = decodeUtf8(await readExactly(file, 8, headerBytes, path), path);
  const dataStart = 8 + headerBytes;
  return { header: parseHeader(text, size - dataStart, path), dataStart };
}

async function readOpenFile(
  file: FileHandle,
  size: number,
  path: string,
  inspect?: (header: SafetensorsHeader) => void,
): Promise<Safetensors> {
  const { header, dataStart } = await readHeader(file, size, path);
  inspect?.(header);
  const data = await readExactly(file, dataStart, size - dataStart, path);
  const expected = header.metadata.get(kDigestKey);
  if (expected !== undefined && expected !== (await sha256(data))) {
    throw corrupt(path, 'the data does not match its checksum');
  }
  return viewTensors(header, data);
}

async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  path: string,
): Promise<Uint8Array> {
  const bytes = allocate(length, path);
  for (let at = 0; at < length; ) {
    const piece = Math.min(length - at, kReadPieceBytes);
    const { bytesRead } = await file.read(bytes, at, piece, position + at);
    if (bytesRead === 0) throw corrupt(path, 'the file became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
}

function allocate(length: number, path: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new WamFlowError('ERR_OUT_OF_MEMORY', `${path}: no memory for ${length} bytes`, {
      cause: error,
    });
  }
}

function headerLength(start: Uint8Array, fileBytes: number, source: string): number {
  if (fileBytes < 10)
    throw corrupt(source, `truncated: ${fileBytes} bytes are no safetensors file`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length < 2n || length > BigInt(Math.min(kMaxHeaderBytes, fileBytes - 8))) {
    throw corrupt(
      source,
      `truncated or not a safetensors file: a header of ${length} bytes in a file of ${fileBytes}`,
    );
  }
  return Number(length);
}

function decodeUtf8(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw corrupt(source, 'the header is not UTF-8');
  }
}

function viewTensors(header: SafetensorsHeader, data: Uint8Array): Safetensors {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of header.tensors) {
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, data: view(entry, data) });
  }
  return { tensors, metadata: header.metadata };
}

function view(entry: TensorEntry, data: Uint8Array): TensorData {
  const size = kDtypeBytes[entry.dtype];
  let bytes = data.subarray(entry.begin, entry.end);
  if (bytes.byteOffset % size !== 0) bytes = new Uint8Array(bytes);
  const { buffer, byteOffset } = bytes;
  const count = bytes.byteLength / size;
  switch (entry.dtype) {
    case 'F64':
      return new Float64Array(buffer, byteOffset, count);
    case 'F32':
      return new Float32Array(buffer, byteOffset, count);
    case 'F16':
    case 'BF16':
      return new Uint16Array(buffer, byteOffset, count);
    case 'I64':
      return new BigInt64Array(buffer, byteOffset, count);
    case 'I32':
      return new Int32Array(buffer, byteOffset, count);
    case 'U8':
    case 'BOOL':
      return bytes;
  }
}

function encodeHeader(json: string): Uint8Array {
  const text = Buffer.from(json, 'utf8');
  // Padded with spaces, so that the data begins at a multiple of 8 bytes and views of it are aligned.
  const length = Math.ceil(text.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  return bytes;
}

/** By UTF-16 code unit: the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
