// Files that survive a kill at any moment: written under a temporary name, flushed, renamed, folder flushed.

import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { WamFlowError } from './errors.js';

/** Bytes, or text that is written as UTF-8, or pieces that are written one after the other, made when they are needed. */
export type FileData = string | Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>;

const kHashPieceBytes = 1 << 22;

/**
 * Replaces `path` so that it holds, whenever the process or the machine stops, either all of what it held before or
 * all of `data`. The folder must exist.
 *
 * @throws WamFlowError `ERR_IO` when the file cannot be written; `path` is then as it was.
 */
export async function writeFileAtomic(path: string, data: FileData): Promise<void> {
  const folder = dirname(path);
  const suffix = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const temporary = join(folder, `.${basename(path)}.${suffix}.tmp`);
  try {
    await writeFileDurable(temporary, data);
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw ioError(`cannot write ${path}`, error);
  }
}

/** Creates a file that must not exist yet, writes `data` and flushes it to the device. Rejects with Node's error. */
export async function writeFileDurable(path: string, data: FileData): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for await (const piece of pieces(data)) await writeAll(file, piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Opens a file for reading; undefined when there is something else in its place (a folder, a named pipe, a device).
 * Rejects with Node's error when there is nothing.
 */
export async function openRegularFile(
  path: string,
): Promise<{ file: FileHandle; size: number } | undefined> {
  // O_NONBLOCK: a named pipe would be waited for; it does not exist on Windows.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const stat = await file.stat();
  if (stat.isFile()) return { file, size: stat.size };
  await file.close();
  return undefined;
}

/** Flushes the entries of a folder (creations, renames), where the system can do that. Rejects with Node's error. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders; its renames are as durable as it makes them.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * SHA-256 of the pieces joined, as 64 hexadecimal digits. Returns to the event loop every 4 MiB, which take about
 * 3 ms.
 */
export async function sha256(data: FileData): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces(data)) {
    for (let at = 0; at < piece.byteLength; at += kHashPieceBytes) {
      if (at > 0) await setImmediate();
      hash.update(piece.subarray(at, at + kHashPieceBytes));
    }
  }
  return hash.digest('hex');
}

/** `error` as a WamFlowError `ERR_IO` that begins with `action`; a WamFlowError is returned as it is. */
export function ioError(action: string, error: unknown): WamFlowError {
  if (error instanceof WamFlowError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new WamFlowError('ERR_IO', `${action}: ${reason}`, { cause: error });
}

/** Whether `error` is Node's error for a file or folder that does not exist. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function pieces(data: FileData): readonly Uint8Array[] | AsyncIterable<Uint8Array> {
  if (typeof data === 'string') return [Buffer.from(data, 'utf8')];
  return data instanceof Uint8Array ? [data] : data;
}

async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  // A single write may take less than it was given (and at most 2 GiB on Linux).
  for (let at = 0; at < data.byteLength; ) {
    const { bytesWritten } = await file.write(data, at, data.byteLength - at);
    at += bytesWritten;
  }
}
