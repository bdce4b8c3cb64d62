import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ioError, openRegularFile } from '../files.js';
import { fileError } from './fields.js';

const gunzipAsync = promisify(gunzip);

/**
 * A whole file, decompressed when it begins like gzip.
 *
 * @param maxBytes neither the file nor what it decompresses to may be larger.
 * @throws WamFlowError `ERR_IO` when it cannot be read, `ERR_SCENARIO` when it is too large, a damaged gzip file or
 *   something else than a file.
 */
export async function readBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  const packed = await readRegularFile(path, maxBytes);
  if (!isGzip(packed)) return packed;
  return gunzipAsync(packed, { maxOutputLength: maxBytes }).catch((e) =>
    rejectGzip(path, e, maxBytes),
  );
}

/** `action`'s result; an error of Node's becomes `ERR_IO` that names the path. */
export async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw ioError(`cannot read ${path}`, error);
  }
}

function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  return attempt(path, async () => {
    const opened = await openRegularFile(path);
    if (!opened) throw fileError(path, 'expected a file, received something else');
    const { file, size } = opened;
    try {
      if (size > maxBytes)
        throw fileError(path, `expected at most ${maxBytes} bytes, received ${size}`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  });
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 1 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function rejectGzip(path: string, error: unknown, maxBytes: number): never {
  const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
  const problem = tooLarge
    ? `expected at most ${maxBytes} bytes, received more once decompressed`
    : `expected a whole gzip file, received a damaged one (${(error as Error).message})`;
  throw fileError(path, problem, error);
}
