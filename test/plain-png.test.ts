import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { encodePng, type Pixels, readImage } from '../lib/index.js';
import { decodePlainPng, plainPng } from '../lib/vision/plain-png.js';

const some = fc
  .tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }), fc.integer())
  .map(([width, height, seed]): Required<Pixels> => {
    const data = new Uint8Array(width * height * 3).map((_, i) => Math.imul(i + seed, 48271) >> 7);
    return { data, width, height, channels: 3 };
  });

/** A chunk of a PNG file, by the format's description. */
function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

const kSignature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Width, height, bits, colour type, compression, filters, interlacing. */
function header(width: number, height: number, rest = [8, 2, 0, 0, 0]): Buffer {
  const bytes = Buffer.alloc(13);
  bytes.writeUInt32BE(width, 0);
  bytes.writeUInt32BE(height, 4);
  bytes.set(rest, 8);
  return chunk('IHDR', bytes);
}

const kEnd = chunk('IEND', Buffer.alloc(0));
const png = (...chunks: Buffer[]) => Buffer.concat([kSignature, ...chunks]);
const rowsOf = (rows: Uint8Array) => chunk('IDAT', deflateSync(rows));

async function decode(file: Uint8Array): Promise<Required<Pixels> | null> {
  const plain = plainPng(file);
  return plain && decodePlainPng(plain);
}

describe('a plain PNG', () => {
  test('as encodePng writes it is read exactly', async () => {
    await fc.assert(
      fc.asyncProperty(some, async (picture) => {
        expect(await decode(await encodePng(picture))).toEqual(picture);
      }),
      { numRuns: 50 },
    );
  });

  test('with any filter in any row is read as sharp reads it', async () => {
    await fc.assert(
      fc.asyncProperty(
        some,
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 24, maxLength: 24 }),
        fc.integer({ min: 1, max: 3 }),
        async ({ data, width, height }, filters, pieces) => {
          const rows = Buffer.concat(
            Array.from({ length: height }, (_, y) =>
              Buffer.from([filters[y], ...data.subarray(y * width * 3, (y + 1) * width * 3)]),
            ),
          );
          const packed = deflateSync(rows);
          const cut = Math.ceil(packed.length / pieces);
          const parts = Array.from({ length: pieces }, (_, k) =>
            chunk('IDAT', packed.subarray(k * cut, (k + 1) * cut)),
          );
          const file = png(header(width, height), ...parts, kEnd);
          expect((await decode(file))?.data).toEqual((await readImage(file)).data);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('is not one of another kind', async () => {
    const rows = rowsOf(new Uint8Array(4));
    const gamma = chunk('gAMA', Buffer.of(0, 0, 0, 1));
    expect(await decode(png(header(1, 1), rows, kEnd))).not.toBeNull();
    expect(plainPng(png(header(1, 1), gamma, rows, kEnd))).toBeNull();
    expect(plainPng(png(rows, header(1, 1), kEnd))).toBeNull();
    expect(plainPng(png(header(1, 1), header(1, 1), rows, kEnd))).toBeNull();
    for (const [i, value] of [16, 6, 1, 1, 1].entries()) {
      const rest = [8, 2, 0, 0, 0].with(i, value);
      expect(plainPng(png(header(1, 1, rest), rows, kEnd))).toBeNull();
    }
    const { data, info } = await sharp(new Uint8Array(48), {
      raw: { width: 4, height: 4, channels: 3 },
    })
      .ensureAlpha()
      .png()
      .toBuffer({ resolveWithObject: true });
    expect(info.channels).toBe(4);
    expect(plainPng(data)).toBeNull();
  });

  test.each<[string, Buffer, RegExp]>([
    ['without an end', png(header(1, 1), rowsOf(new Uint8Array(4))), /cut short/],
    ['of a signature alone', png(), /cut short/],
    ['with too few rows', png(header(1, 2), rowsOf(new Uint8Array(4)), kEnd), /expected 2 rows/],
    ['with too many rows', png(header(1, 1), rowsOf(new Uint8Array(8)), kEnd), /larger than 4/],
    ['without a pixel', png(header(0, 0), rowsOf(new Uint8Array(0)), kEnd), /expected 0 rows/],
    ['without data', png(header(1, 1), kEnd), /unexpected end/],
    [
      'with an unknown filter',
      png(header(1, 1), rowsOf(Uint8Array.of(5, 0, 0, 0)), kEnd),
      /filter 5/,
    ],
    [
      'with a wrong checksum',
      png(header(1, 1), Buffer.from(kEnd).fill(0, 8)),
      /wrong checksum of "IEND"/,
    ],
  ])('%s is refused', async (_, file, message) => {
    await expect((async () => decode(file))()).rejects.toThrow(message);
  });

  test('that is damaged anywhere gives an error or a picture, nothing else', async () => {
    const file = Buffer.from(await encodePng({ data: new Uint8Array(300), width: 10, height: 10 }));
    for (let i = 0; i < file.length; ++i) {
      const damaged = Buffer.from(file);
      damaged[i] ^= 0x55;
      await decode(damaged).catch((error) => expect(error).toBeInstanceOf(Error));
      await decode(file.subarray(0, i)).catch((error) => expect(error).toBeInstanceOf(Error));
    }
  });
});
