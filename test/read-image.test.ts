import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  encodePng,
  encodePpm,
  type Pixels,
  readImage,
  WamFlowError,
  writeImage,
} from '../lib/index.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wam-flow-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A smooth picture, which survives JPEG. */
function gradient(width: number, height: number): Required<Pixels> {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [(x * 255) / width, (y * 255) / height, 128][i % 3]!;
  });
  return { data, width, height, channels: 3 };
}

function raw({ data, width, height, channels }: Required<Pixels>) {
  return sharp(data, { raw: { width, height, channels } });
}

const image = (problem: RegExp) =>
  expect.objectContaining({ code: 'ERR_IMAGE', message: expect.stringMatching(problem) });

describe('readImage', () => {
  const picture = gradient(37, 21);

  test('reads a PNG exactly, from a path and from memory', async () => {
    const bytes = await raw(picture).png().toBuffer();
    const path = join(folder, 'a.png');
    writeFileSync(path, bytes);
    expect(await readImage(path)).toEqual(picture);
    expect(await readImage(bytes)).toEqual(picture);
    expect(await readImage(new Uint8Array(bytes))).toEqual(picture);
  });

  test.each([
    ['baseline', { quality: 95 }],
    ['progressive', { quality: 95, progressive: true }],
    ['4:4:4', { quality: 95, chromaSubsampling: '4:4:4' }],
  ])('reads a JPEG: %s', async (_, options) => {
    const { data, ...size } = await readImage(await raw(picture).jpeg(options).toBuffer());
    expect(size).toEqual({ width: 37, height: 21, channels: 3 });
    data.forEach((byte, i) => {
      expect(Math.abs(byte - picture.data[i]!)).toBeLessThan(12);
    });
  });

  test('grey, alpha and 16 bits become RGB of 8 bits', async () => {
    const grey = await raw(picture).greyscale().png().toBuffer();
    const { data, channels } = await readImage(grey);
    expect(channels).toBe(3);
    for (let i = 0; i < data.length; i += 3) {
      expect(data[i + 1]).toBe(data[i]);
      expect(data[i + 2]).toBe(data[i]);
    }
    const alpha = await raw(picture).ensureAlpha(0.25).png().toBuffer();
    expect(await readImage(alpha)).toEqual(picture);
    const deep = await raw(picture).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect(await readImage(deep)).toEqual(picture);
  });

  test('an orientation in the file is not applied, as with Pillow', async () => {
    const turned = await raw(picture).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await readImage(turned)).toMatchObject({ width: 37, height: 21 });
  });
});

describe('readImage refuses', () => {
  test('a file cut short, at every length', async () => {
    const jpeg = await raw(gradient(64, 48)).jpeg().toBuffer();
    const png = await raw(gradient(64, 48)).png().toBuffer();
    for (const whole of [jpeg, png]) {
      for (let part = 0.05; part < 0.95; part += 0.1) {
        const cut = whole.subarray(0, Math.floor(whole.length * part));
        await expect(readImage(cut)).rejects.toEqual(image(/^image: expected a/));
      }
    }
  });

  test('damaged files, or reads them: nothing else happens', async () => {
    const jpeg = await raw(gradient(64, 48)).jpeg().toBuffer();
    const png = await raw(gradient(64, 48)).png().toBuffer();
    const damage = fc.array(fc.tuple(fc.nat(10_000), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(jpeg, png), damage, async (whole, changes) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const result = await readImage(bytes, { maxPixels: 100_000 }).catch((e) => e);
        if (result instanceof WamFlowError) expect(result.code).toBe('ERR_IMAGE');
        else expect(result.data.length).toBe(result.width * result.height * 3);
      }),
      { numRuns: 150 },
    );
  });

  test('a JPEG of 100 megapixels before it is decoded, with little memory', async () => {
    // A small one whose frame header says 10,000 x 10,000: 300 MB once decoded.
    const bytes = await raw(gradient(64, 48)).jpeg().toBuffer();
    const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
    bytes.writeUInt16BE(10_000, frame + 5);
    bytes.writeUInt16BE(10_000, frame + 7);
    const before = process.memoryUsage().rss;
    const problem = /at most 50000000 pixels, received 10000 x 10000 = 100000000$/;
    await expect(readImage(bytes)).rejects.toEqual(image(problem));
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
    await expect(readImage(bytes, { maxPixels: 99_999_999 })).rejects.toEqual(
      image(/at most 99999999/),
    );
  });

  test('what is no JPEG or PNG', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const webp = await raw(gradient(8, 8)).webp().toBuffer();
    for (const bytes of [svg, webp, Buffer.alloc(0), Buffer.from('JPEG')]) {
      await expect(readImage(bytes)).rejects.toEqual(image(/a JPEG or PNG file/));
    }
  });

  test('too long a file, a folder, a missing file, other things', async () => {
    const path = join(folder, 'b.png');
    writeFileSync(path, await raw(gradient(20, 20)).png().toBuffer());
    const long = image(/b\.png: expected at most 50 bytes, received \d+$/);
    await expect(readImage(path, { maxBytes: 50 })).rejects.toEqual(long);
    await expect(readImage(readFileSync(path), { maxBytes: 50 })).rejects.toEqual(
      image(/50 bytes/),
    );
    await expect(readImage(folder)).rejects.toEqual(image(/expected a file/));
    await expect(readImage(join(folder, 'none.jpg'))).rejects.toMatchObject({ code: 'ERR_IO' });
    await expect(readImage(7 as never)).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    await expect(readImage(path, { maxPixels: 0 })).rejects.toMatchObject({ code: 'ERR_RANGE' });
  });

  test('to decode without sharp, and says what to do; raw pixels need none', () => {
    // The built package, with everything installed except sharp.
    const root = resolve(import.meta.dirname, '..');
    const copy = join(folder, 'package');
    mkdirSync(join(copy, 'node_modules'), { recursive: true });
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (name === 'sharp' || name.startsWith('.')) continue;
      symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
    }
    cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(root, 'build'), join(copy, 'build'));
    const code = `
      const { readImage, letterbox } = await import(process.argv[1]);
      const error = await readImage(Uint8Array.of(0xff, 0xd8, 0xff)).catch((e) => e);
      const data = new Uint8Array(12);
      const { size } = await letterbox({ data, width: 2, height: 2 }, { size: 8 });
      console.log(JSON.stringify({ code: error.code, message: error.message, size }));`;
    const args = ['--input-type=module', '-e', code, join(copy, 'dist', 'index.js')];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    const result = JSON.parse(run.stdout);
    expect(result).toMatchObject({ code: 'ERR_DEPENDENCY_MISSING', size: 8 });
    expect(result.message).toContain('npm install sharp');
  });
});

describe('pictures are written', () => {
  const some = fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.integer())
    .map(([width, height, seed]) => {
      const data = new Uint8Array(width * height * 3).map(
        (_, i) => Math.imul(i + seed, 48271) >> 7,
      );
      return { data, width, height, channels: 3 as const };
    });

  test('as PNG, which reads back exactly', async () => {
    await fc.assert(
      fc.asyncProperty(some, async (picture) => {
        expect(await readImage(await encodePng(picture))).toEqual(picture);
      }),
      { numRuns: 25 },
    );
    const data = Uint8Array.from({ length: 24 }, (_, i) => i * 10);
    const rgba = await encodePng({ data, width: 3, height: 2, channels: 4 });
    const back = await sharp(rgba).raw().toBuffer({ resolveWithObject: true });
    expect(back.info.channels).toBe(4);
    expect(new Uint8Array(back.data)).toEqual(data);
  });

  test('as PPM, and by the ending of a path', async () => {
    const data = Uint8Array.from({ length: 12 }, (_, i) => i);
    const ppm = Buffer.from(encodePpm({ data, width: 2, height: 2 }));
    expect(ppm.subarray(0, 11).toString()).toBe('P6\n2 2\n255\n');
    expect(new Uint8Array(ppm.subarray(11))).toEqual(data);
    const rgba = encodePpm({ data, width: 3, height: 1, channels: 4 });
    expect([...rgba.slice(11)]).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10]);
    await writeImage(join(folder, 'c.PPM'), { data, width: 2, height: 2 });
    expect(readFileSync(join(folder, 'c.PPM'))).toEqual(ppm);
    await writeImage(join(folder, 'c.png'), { data, width: 2, height: 2 });
    expect((await readImage(join(folder, 'c.png'))).data).toEqual(data);
    const jpg = writeImage(join(folder, 'c.jpg'), { data, width: 2, height: 2 });
    await expect(jpg).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });
});
