import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import { argumentError } from '../errors.js';

const compress = promisify(deflate);
const kSignature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const kMostPixels = 1 << 28;

/**
 * A picture as a PNG file: 8 bits a channel, red, green and blue. Compression runs in libuv's pool.
 *
 * @param rgb [height, width, 3].
 * @throws WamFlowError `ERR_SHAPE` when `rgb` has another size.
 */
export async function encodePng(
  rgb: Uint8Array,
  width: number,
  height: number,
  level = 3,
): Promise<Uint8Array> {
  if (!(width >= 1 && height >= 1 && width * height <= kMostPixels)) {
    throw argumentError('width, height', 'sizes from 1 on', `${width} x ${height}`, 'ERR_RANGE');
  }
  if (rgb.length !== width * height * 3) {
    throw argumentError('rgb', `${width * height * 3} bytes`, rgb, 'ERR_SHAPE');
  }
  const stride = width * 3;
  // Each row as its difference to the one above (filter 2), the first to its left neighbour (filter 1).
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; ++y) {
    const to = y * (stride + 1);
    const from = y * stride;
    rows[to] = y === 0 ? 1 : 2;
    for (let i = 0; i < stride; ++i) {
      const before = y === 0 ? (i < 3 ? 0 : rgb[i - 3]) : rgb[from - stride + i];
      rows[to + 1 + i] = rgb[from + i] - before;
    }
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, 2);
  const data = await compress(rows, { level });
  return Buffer.concat([
    kSignature,
    chunk('IHDR', new Uint8Array(header.buffer)),
    chunk('IDAT', data),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(name, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, data.length + 8)), data.length + 8);
  return bytes;
}
