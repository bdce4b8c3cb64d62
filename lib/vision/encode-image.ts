import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import { writeFileAtomic } from '../files.js';
import { argumentError } from '../errors.js';
import { checkPixels, type Pixels } from './pixels.js';

const deflateAsync = promisify(deflate);

/**
 * A picture as a PNG file. RGBA keeps its alpha.
 *
 * @throws WamFlowError (the promise rejects) `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_SHAPE`.
 */
export async function encodePng(pixels: Pixels): Promise<Uint8Array> {
  const { data, width, height, channels } = checkPixels('pixels', pixels);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 4 ? 6 : 2], 8); // bits a channel; colour type
  const row = width * channels;
  const lines = Buffer.alloc(height * (row + 1)); // each line begins with its filter, 0: none
  for (let y = 0; y < height; y += 1) {
    lines.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', await deflateAsync(lines)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/**
 * A picture as a binary PPM file (P6). Alpha is left out.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_SHAPE`.
 */
export function encodePpm(pixels: Pixels): Uint8Array {
  const { data, width, height, channels } = checkPixels('pixels', pixels);
  const rgb = channels === 3 ? data : data.filter((_, i) => i % 4 !== 3);
  return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), rgb]);
}

/**
 * Writes a picture as `.png` or `.ppm`, whichever the path ends with; the file appears whole or not at all.
 *
 * @throws WamFlowError (the promise rejects) as {@link encodePng}; `ERR_ARGUMENT` for another ending, `ERR_IO`.
 */
export async function writeImage(path: string, pixels: Pixels): Promise<void> {
  const ending = /\.(png|ppm)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === undefined) throw argumentError('path', 'a name ending in .png or .ppm', path);
  await writeFileAtomic(path, ending === 'png' ? await encodePng(pixels) : encodePpm(pixels));
}

function chunk(type: string, data: Uint8Array): Buffer {
  const name = Buffer.from(type, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(data, crc32(name)));
  return Buffer.concat([length, name, data, check]);
}
