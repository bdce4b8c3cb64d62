import { expect, test, vi } from 'vitest';
import { encodePng, readImage } from '../lib/index.js';

vi.mock('sharp', () => {
  throw new Error('not here');
});

const width = 30;
const height = 20;
const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i) % 251);

test('readImage reads what encodePng writes, and keeps its limits', async () => {
  const picture = { data, width, height, channels: 3 as const };
  const file = await encodePng(picture);
  expect(await readImage(file)).toEqual(picture);
  const codes = [
    readImage(file, { maxPixels: 599 }),
    readImage(file.subarray(0, 100)),
    readImage(Uint8Array.of(1, 2, 3)),
    readImage('no-such-file.png'),
  ].map((reading) => reading.catch(({ code }) => code));
  expect(await Promise.all(codes)).toEqual(['ERR_IMAGE', 'ERR_IMAGE', 'ERR_IMAGE', 'ERR_IO']);
});

test('for what is no plain picture it says what to install', async () => {
  const alpha = await encodePng({ data: new Uint8Array(16), width: 2, height: 2, channels: 4 });
  for (const file of [alpha, Uint8Array.of(0xff, 0xd8, 0xff)]) {
    await expect(readImage(file)).rejects.toMatchObject({
      code: 'ERR_DEPENDENCY_MISSING',
      message: expect.stringContaining('npm install sharp'),
    });
  }
});
