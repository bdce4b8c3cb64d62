import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import { writeFileAtomic } from '../files.js';
import { argumentError } from '../errors.js';
import { checkPixels, type Pixels } from './pixels.js';

const compress = promisify(deflate);
/** Of deflate: rendered pictures are large and many, higher levels gain little. */
const kLevel = 3;

/**
 * A picture as a PNG file, 8 bits a channel. RGBA keeps its alpha. Compression runs in libuv's pool.
 *
 * @throws WamFlowError (the promise rejects) `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_SHAPE`.
 */
export async function encodePng(pixels: Pixels): Promise<Uint8Array> {
  const { data, width, height, channels } = checkPixels('pixels', pixels);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 4 ? 6 : 2], 8); // bits a channel; colour type
  const stride = width * channels;
  // Each row as its difference to the one above (filter 2), the first to its left neighbour (filter 1).
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; ++y) {
    const to = y * (stride + 1);
    const from = y * stride;
    rows[to] = y === 0 ? 1 : 2;
    for (let i = 0; i < stride; ++i) {
      const before = y > 0 ? data[from - stride + i]! : i < channels ? 0 : data[i - channels]!;
      rows[to + 1 + i] = data[from + i]! - before;
    }
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', await compress(rows, { level: kLevel })),
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
