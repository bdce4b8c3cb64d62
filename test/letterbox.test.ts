import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { letterbox, letterboxSync, type Pixels, readImage } from '../lib/index.js';
import { type NativeImageThread, type NativePicture, native } from '../lib/native.js';
import { pillowLetterbox } from './support/pillow.js';

function noise(width: number, height: number, channels: 3 | 4 = 3, seed = 1): Pixels {
  let state = seed;
  const data = new Uint8Array(width * height * channels).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { data, width, height, channels };
}

function differing(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((count, byte, i) => count + (byte === b[i] ? 0 : 1), 0);
}

/** Sizes from a pixel to a few dozen, sides near and far from the square's. */
const kSide = fc.integer({ min: 1, max: 90 });

describe('letterbox', () => {
  test('gives every byte as a second implementation of the same algorithm does', () => {
    fc.assert(
      fc.property(
        kSide,
        kSide,
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom<3 | 4>(3, 4),
        fc.integer(),
        (width, height, size, channels, seed) => {
          const pixels = noise(width, height, channels, seed);
          const { preview } = letterboxSync(pixels, { size, background: [9, 130, 255] });
          expect(differing(preview, pillowLetterbox(pixels, size, [9, 130, 255]))).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([
    ['a wide one', 640, 360, 384],
    ['a tall one', 120, 500, 384],
    ['one whose longer side ends a pixel short', 47, 20, 384],
    ['a line', 700, 1, 48],
    ['a single pixel', 1, 1, 384],
    ['one a pixel too large', 385, 384, 384],
  ])('of %s', (_, width, height, size) => {
    const pixels = noise(width, height);
    const { preview } = letterboxSync(pixels, { size });
    expect(differing(preview, pillowLetterbox(pixels, size, [127, 127, 127]))).toBe(0);
  });

  test('leaves a picture of the right size as it is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer(), (size, seed) => {
        const pixels = noise(size, size, 3, seed);
        expect(differing(letterboxSync(pixels, { size }).preview, pixels.data)).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('keeps a picture of one colour, and never leaves the range of its colours', () => {
    fc.assert(
      fc.property(
        kSide,
        kSide,
        fc.integer({ min: 1, max: 64 }),
        fc.tuple(fc.nat(255), fc.nat(255)),
        (width, height, size, [a, b]) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const background = [low, low, low] as const;
          const plain = { data: new Uint8Array(width * height * 3).fill(low), width, height };
          expect(letterboxSync(plain, { size, background }).preview.every((v) => v === low)).toBe(
            true,
          );
          const data = noise(width, height).data.map(
            (v) => low + Math.round((v / 255) * (high - low)),
          );
          const { preview } = letterboxSync({ data, width, height }, { size, background });
          expect(preview.every((v) => v >= low && v <= high)).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('values are the preview, channel first, from -1 to 1 in float32', () => {
    const { values, preview, size } = letterboxSync(noise(50, 30), { size: 40 });
    expect(values.length).toBe(3 * size * size);
    for (let i = 0; i < size * size; i += 1) {
      for (let c = 0; c < 3; c += 1) {
        const byte = preview[i * 3 + c]!;
        const want = Math.fround(Math.fround(byte / 255) - 0.5) / 0.5;
        expect(values[c * size * size + i]).toBe(want);
      }
    }
  });

  test('says where the picture lies', () => {
    const { placement, size } = letterboxSync(noise(192, 108));
    expect(size).toBe(384);
    expect(placement).toEqual({ left: 0, top: 84, width: 384, height: 216 });
  });

  test('works off the event loop on a copy, several at once', async () => {
    const pixels = noise(400, 300);
    const whole = letterboxSync(pixels, { size: 24 });
    const pending = [1, 2, 3].map(() => letterbox(pixels, { size: 24 }));
    pixels.data.fill(0);
    for (const result of await Promise.all(pending)) expect(result).toEqual(whole);
  });
});

describe('letterbox refuses', () => {
  const good = noise(4, 3);
  const cases: [string, unknown, unknown, string, RegExp][] = [
    ['no picture', null, {}, 'ERR_ARGUMENT', /^pixels: expected a picture/],
    ['other data', { ...good, data: [1, 2] }, {}, 'ERR_ARGUMENT', /^pixels\.data: .*Uint8Array/],
    ['too few bytes', { ...good, height: 4 }, {}, 'ERR_SHAPE', /48 bytes.*of length 36/],
    ['too many bytes', { ...good, channels: 4, width: 2 }, {}, 'ERR_SHAPE', /24 bytes/],
    ['no width', { data: good.data, height: 3 }, {}, 'ERR_ARGUMENT', /^pixels\.width/],
    ['no pixels', { data: new Uint8Array(0), width: 0, height: 3 }, {}, 'ERR_RANGE', /width/],
    ['a huge side', { ...good, width: 65_536 }, {}, 'ERR_RANGE', /65535, received 65536/],
    ['a broken side', { ...good, width: 3.5 }, {}, 'ERR_ARGUMENT', /width/],
    ['one channel', { ...good, channels: 1 }, {}, 'ERR_ARGUMENT', /channels: expected 3 or 4/],
    ['no square', good, { size: 0 }, 'ERR_RANGE', /^size/],
    ['a huge square', good, { size: 5000 }, 'ERR_RANGE', /4096, received 5000/],
    ['a colour', good, { background: [1, 2] }, 'ERR_ARGUMENT', /^background: /],
    ['a bright colour', good, { background: [1, 2, 256] }, 'ERR_RANGE', /^background\[2\]/],
  ];
  test.each(cases)('%s', async (_, pixels, options, code, message) => {
    const error = expect.objectContaining({ code, message: expect.stringMatching(message) });
    expect(() => letterboxSync(pixels as Pixels, options as object)).toThrow(error);
    await expect(letterbox(pixels as Pixels, options as object)).rejects.toEqual(error);
  });

  test('data whose memory was transferred away', () => {
    const { data, ...rest } = noise(4, 3);
    structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
    const error = expect.objectContaining({ code: 'ERR_SHAPE' });
    expect(() => letterboxSync({ data, ...rest })).toThrow(error);
  });
});

describe('the addon checks for itself', () => {
  const picture: NativePicture = {
    ...{ data: new Uint8Array(36), width: 4, height: 3, channels: 3 },
    ...{ size: 8, red: 0, green: 0, blue: 0 },
  };

  test.each([
    ['data', new Float32Array(36), 'ERR_ARGUMENT'],
    ['data', new Uint8Array(35), 'ERR_SHAPE'],
    ['width', 1e9, 'ERR_RANGE'],
    ['height', 0, 'ERR_RANGE'],
    ['channels', 5, 'ERR_RANGE'],
    ['size', 100_000, 'ERR_RANGE'],
    ['red', 256, 'ERR_RANGE'],
    ['blue', Number.NaN, 'ERR_NOT_FINITE'],
  ])('%s %s', (name, value, code) => {
    const addon = native();
    const broken = { ...picture, [name]: value } as NativePicture;
    expect(() => addon.letterboxSync(broken)).toThrow(expect.objectContaining({ code }));
    const thread = addon.createImageThread();
    expect(() => addon.letterbox(thread, broken)).toThrow(expect.objectContaining({ code }));
  });

  test('that a thread is one', () => {
    const error = expect.objectContaining({ code: 'ERR_ARGUMENT' });
    for (const other of [{}, undefined, native().createDataset()]) {
      expect(() => native().letterbox(other as unknown as NativeImageThread, picture)).toThrow(
        error,
      );
    }
  });
});

const kPhotos = '../shared/navsim-samples';
const photos = existsSync(kPhotos)
  ? readdirSync(kPhotos).filter((name) => name.endsWith('.jpg'))
  : [];

describe.skipIf(photos.length === 0)('real photographs of ../shared/navsim-samples', () => {
  // SHA-256 of what Pillow 11.3.0 makes of the file by itself: decoded, letterboxed to 384.
  const kFirst = 'test__2021.09.09.17.18.51_veh-48_00889_01147__9a6f0331d98258a0.jpg';
  const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  test('the sample with a known prompt is what Pillow decodes and scales, byte for byte', async () => {
    const pixels = await readImage(join(kPhotos, kFirst));
    expect(sha(pixels.data)).toBe(
      '5acaa04239c26e9f18547754ef3610d0902b59b5af1f02b87fccf2b50df30e25',
    );
    expect(sha((await letterbox(pixels)).preview)).toBe(
      '6bde5ce8a330b33d3b9cbe1f15ef18c7049dc23176f41505cc930416fbeed334',
    );
  });

  test('all of them: 1920 x 1080, a strip of 216 lines between grey', async () => {
    for (const name of photos) {
      const pixels = await readImage(join(kPhotos, name));
      expect([pixels.width, pixels.height, pixels.channels]).toEqual([1920, 1080, 3]);
      const { preview, placement, values } = await letterbox(pixels);
      expect(placement).toEqual({ left: 0, top: 84, width: 384, height: 216 });
      expect(preview.subarray(0, 84 * 384 * 3).every((v) => v === 127)).toBe(true);
      expect(preview.subarray(300 * 384 * 3).every((v) => v === 127)).toBe(true);
      expect(values.every((v) => v >= -1 && v <= 1)).toBe(true);
    }
  });

  test('a part of one is what the second implementation gives', async () => {
    const whole = await readImage(join(kPhotos, photos[0]!));
    const [width, height] = [480, 270];
    const data = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y += 1) {
      const from = ((y + 400) * whole.width + 700) * 3;
      data.set(whole.data.subarray(from, from + width * 3), y * width * 3);
    }
    const { preview } = letterboxSync({ data, width, height }, { size: 96 });
    const want = pillowLetterbox({ data, width, height }, 96, [127, 127, 127]);
    expect(differing(preview, want)).toBe(0);
  });
});
