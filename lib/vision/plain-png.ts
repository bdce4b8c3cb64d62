import { promisify } from 'node:util';
import { crc32, inflate } from 'node:zlib';
import type { Pixels } from './pixels.js';

const decompress = promisify(inflate);

/** Of a PNG file that {@link decodePlainPng} can decode. */
export interface PlainPng {
  /** Pixels. */
  width: number;
  height: number;
  /** Compressed rows. */
  data: Buffer;
}

/**
 * Takes a PNG file apart if it is one of the simplest, as `encodePng` writes them: 8 bits of red, green and blue, not
 * interlaced, no other chunks. Null for every other kind.
 *
 * @throws Error when it is cut short or its checksums are wrong
 */
export function plainPng(file: Uint8Array): PlainPng | null {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const parts: Buffer[] = [];
  let size: { width: number; height: number } | null = null;
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw new Error('cut short');
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (at + 12 + length > bytes.length) throw new Error(`cut short in ${JSON.stringify(type)}`);
    const checked = bytes.subarray(at + 4, at + 8 + length);
    if (crc32(checked) !== bytes.readUInt32BE(at + 8 + length)) {
      throw new Error(`wrong checksum of ${JSON.stringify(type)}`);
    }
    const data = checked.subarray(4);
    at += 12 + length;
    if (type === 'IHDR' && size === null && length === 13) {
      // Bits, colour type, compression, filters, interlacing.
      if (!data.subarray(8).equals(Buffer.of(8, 2, 0, 0, 0))) return null;
      size = { width: data.readUInt32BE(0), height: data.readUInt32BE(4) };
    } else if (type === 'IDAT' && size !== null) {
      parts.push(data);
    } else if (type === 'IEND' && size !== null) {
      return { ...size, data: Buffer.concat(parts) };
    } else {
      return null;
    }
  }
}

/**
 * Decodes it exactly.
 *
 * @throws Error (the promise rejects) when the data is damaged
 */
export async function decodePlainPng({ width, height, data }: PlainPng): Promise<Required<Pixels>> {
  const stride = width * 3;
  const bytes = (stride + 1) * height;
  const rows = await decompress(data, { maxOutputLength: Math.max(bytes, 1) });
  if (width === 0 || height === 0 || rows.length !== bytes) {
    throw new Error(`expected ${height} rows of ${width} pixels, received ${rows.length} bytes`);
  }
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; ++y) {
    const filter = rows[y * (stride + 1)];
    const predict = kPredictors[filter];
    if (!predict) throw new Error(`row ${y} has the unknown filter ${filter}`);
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    for (let i = 0; i < stride; ++i) {
      const left = i < 3 ? 0 : out[to + i - 3];
      const above = y === 0 ? 0 : out[to + i - stride];
      const corner = i < 3 || y === 0 ? 0 : out[to + i - stride - 3];
      out[to + i] = rows[from + i] + predict(left, above, corner);
    }
  }
  return { data: out, width, height, channels: 3 };
}

type Predictor = (left: number, above: number, corner: number) => number;

/** By number of the filter. */
const kPredictors: readonly Predictor[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const [a, b, c] = [
      Math.abs(above - corner),
      Math.abs(left - corner),
      Math.abs(left + above - 2 * corner),
    ];
    if (a <= b && a <= c) return left;
    return b <= c ? above : corner;
  },
];
