import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { argumentError, WamFlowError } from '../errors.js';
import { ioError, openRegularFile } from '../files.js';
import { integerIn, type Pixels } from './pixels.js';
import { decodePlainPng, plainPng } from './plain-png.js';

export interface ReadImageOptions {
  /** A picture with more pixels is refused before it is decoded. Default 50,000,000; up to 1,000,000,000. */
  maxPixels?: number;
  /** A longer file is refused before it is read. Default 128 MiB. */
  maxBytes?: number;
}

type Sharp = typeof import('sharp').default;

/**
 * Decodes a JPEG or PNG file to RGB, by the optional package `sharp`; without it only PNG files as `encodePng` writes them. As with Pillow's `open(path).convert('RGB')`, which
 * the released weights' pictures went through, an orientation in the file is not applied, nor a colour profile, and alpha
 * is dropped.
 *
 * Memory: the file, and at most about 9 bytes a pixel while a progressive JPEG is decoded (3 are returned).
 *
 * @param source a path, or the content of a file
 * @throws WamFlowError (the promise rejects) `ERR_DEPENDENCY_MISSING` where `sharp` is needed and missing; `ERR_IO` when the file cannot be
 *   read; `ERR_IMAGE` when it is no JPEG or PNG, damaged, cut short or too large; `ERR_ARGUMENT`, `ERR_RANGE`.
 */
export async function readImage(
  source: string | Uint8Array,
  options: ReadImageOptions = {},
): Promise<Required<Pixels>> {
  const maxPixels = integerIn('maxPixels', options.maxPixels ?? 50_000_000, 1, 1_000_000_000);
  const maxBytes = integerIn('maxBytes', options.maxBytes ?? 2 ** 27, 1, 2 ** 31);
  const where = typeof source === 'string' ? source : 'image';
  const bytes = await bytesOf(source, maxBytes);
  if (!isJpeg(bytes) && !isPng(bytes)) {
    throw imageError(where, 'expected a JPEG or PNG file, received something else');
  }
  const sharp = await loadSharp();
  if (sharp instanceof WamFlowError) {
    const plain = isPng(bytes) ? await attempt(where, async () => plainPng(bytes)) : null;
    if (!plain) throw sharp;
    expectFewPixels(where, plain, maxPixels);
    return attempt(where, () => decodePlainPng(plain));
  }
  const size = await attempt(where, () => sharp(bytes, { limitInputPixels: false }).metadata());
  expectFewPixels(where, size, maxPixels);
  return attempt(where, async () => {
    const { data, info } = await sharp(bytes, {
      failOn: 'warning',
      limitInputPixels: maxPixels,
      ignoreIcc: true,
    })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3 || data.length !== width * height * 3) {
      throw imageError(where, `expected 3 channels once decoded, received ${channels}`);
    }
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
      width,
      height,
      channels: 3 as const,
    };
  });
}

/** An error, which is not thrown, where there is none. */
async function loadSharp(): Promise<Sharp | WamFlowError> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return new WamFlowError(
      'ERR_DEPENDENCY_MISSING',
      'decoding JPEG and PNG needs the package sharp: npm install sharp. ' +
        `Pictures that are decoded already need nothing. It could not be loaded: ${reason}`,
      { cause: error },
    );
  }
}

/** A copy: the decoder reads it on other threads, while the caller's array may be changed or transferred away. */
async function bytesOf(source: unknown, maxBytes: number): Promise<Buffer> {
  if (typeof source === 'string') return readFile(source, maxBytes);
  if (!types.isUint8Array(source)) {
    throw argumentError('source', 'a path or a Uint8Array', source);
  }
  expectAtMost('image', source.length, maxBytes);
  return Buffer.from(source);
}

async function readFile(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const opened = await openRegularFile(path);
    if (!opened) throw imageError(path, 'expected a file, received something else');
    try {
      expectAtMost(path, opened.size, maxBytes);
      return await opened.file.readFile();
    } finally {
      await opened.file.close();
    }
  } catch (error) {
    throw ioError(`cannot read ${path}`, error);
  }
}

function expectAtMost(where: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw imageError(where, `expected at most ${maxBytes} bytes, received ${bytes}`);
}

function expectFewPixels(
  where: string,
  { width, height }: { width: number; height: number },
  maxPixels: number,
): void {
  if (width * height <= maxPixels) return;
  const received = `${width} x ${height} = ${width * height}`;
  throw imageError(where, `expected at most ${maxPixels} pixels, received ${received}`);
}

/** What `decode` gives; what it throws becomes `ERR_IMAGE`. */
async function attempt<T>(where: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof WamFlowError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw imageError(where, `expected a whole picture, received a damaged one (${reason})`, error);
  }
}

function imageError(where: string, problem: string, cause?: unknown): WamFlowError {
  return new WamFlowError('ERR_IMAGE', `${where}: ${problem}`, { cause });
}

function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

function isPng(bytes: Uint8Array): boolean {
  return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, i) => bytes[i] === byte);
}
