// What Pillow's bilinear resize does, written a second time in the plainest way: one target pixel after the other,
// weights in float64, sums in BigInt. Nothing here is shared with the code under test.

import type { Pixels } from '../../lib/index.js';

interface Axis {
  /** First source pixel and weights in units of 2^-22, for each target pixel. */
  first: number;
  weights: bigint[];
}

function axis(from: number, to: number): Axis[] {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const triangle: number[] = [];
    for (let j = first; j < end; j += 1) {
      triangle.push(Math.max(0, 1 - Math.abs((j - center + 0.5) * (1 / support))));
    }
    const total = triangle.reduce((sum, w) => sum + w, 0);
    return { first, weights: triangle.map((w) => BigInt(Math.floor(0.5 + (w / total) * 2 ** 22))) };
  });
}

function weighted({ first, weights }: Axis, at: (i: number) => number): number {
  const sum = weights.reduce((s, w, i) => s + w * BigInt(at(first + i)), 1n << 21n);
  const value = Number(sum >> 22n);
  return Math.max(0, Math.min(255, value));
}

/** RGB [height, width, 3]. */
export function pillowResize(pixels: Pixels, width: number, height: number): Uint8Array {
  const { data, channels = 3 } = pixels;
  const columns = axis(pixels.width, width);
  const lines = axis(pixels.height, height);
  const rows = new Uint8Array(pixels.height * width * 3);
  for (let y = 0; y < pixels.height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) {
        const at = (i: number) => data[(y * pixels.width + i) * channels + c]!;
        rows[(y * width + x) * 3 + c] = weighted(columns[x]!, at);
      }
    }
  }
  const out = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) {
        const at = (i: number) => rows[(i * width + x) * 3 + c]!;
        out[(y * width + x) * 3 + c] = weighted(lines[y]!, at);
      }
    }
  }
  return out;
}

/** RGB [size, size, 3]: the released letterbox. */
export function pillowLetterbox(
  pixels: Pixels,
  size: number,
  background: readonly number[],
): Uint8Array {
  const scale = size / Math.max(pixels.width, pixels.height);
  const width = Math.max(1, Math.trunc(pixels.width * scale));
  const height = Math.max(1, Math.trunc(pixels.height * scale));
  const picture = pillowResize(pixels, width, height);
  const left = Math.floor((size - width) / 2);
  const top = Math.floor((size - height) / 2);
  return Uint8Array.from({ length: size * size * 3 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 3 / size) - top, (Math.floor(i / 3) % size) - left, i % 3];
    const inside = x >= 0 && x < width && y >= 0 && y < height;
    return inside ? picture[(y * width + x) * 3 + c]! : background[c]!;
  });
}
