import { letterboxSync } from '../../vision/letterbox.js';
import { numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';

/** Pictures scaled and centred in a square, as bytes and as the values that the vision tower takes. */
export const runImageLetterbox: GroupRunner = (check, golden, test) => {
  const size = numberOf(test.size, 'size');
  const width = numberOf(test.width, 'width');
  const height = numberOf(test.height, 'height');
  const want = golden.bytes(test, 'out');
  const { preview, values } = letterboxSync(
    { data: golden.bytes(test, 'in'), width, height },
    { size },
  );
  check.close('bytes', preview, want, { abs: golden.limit('u8_abs') });
  const planes = Float32Array.from(values, (_, i) => {
    const [channel, pixel] = [Math.floor(i / size ** 2), i % size ** 2];
    return Math.fround(Math.fround(preview[pixel * 3 + channel]! / 255) - 0.5) / 0.5;
  });
  check.close('values', values, planes, {});
};
