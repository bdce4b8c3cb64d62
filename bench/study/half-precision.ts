// Checkpoints of the study in half precision: what is measured is what is kept.

import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadCheckpoint } from '../../lib/model/checkpoint.js';

/** Nearest IEEE half-precision bit patterns, ties to even. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => {
    const sign = (word >>> 16) & 0x8000;
    const size = word & 0x7fffffff;
    if (size >= 0x7f800000) return sign | 0x7c00 | (size > 0x7f800000 ? 0x200 : 0);
    if (size >= 0x47800000) return sign | 0x7c00; // beyond the largest half
    if (size < 0x38800000) {
      // Subnormal: multiples of 2^-24.
      const scaled = Math.abs(new Float32Array(Uint32Array.of(size).buffer)[0]!) * 2 ** 24;
      const floor = Math.floor(scaled);
      const up = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 === 1);
      return sign | (floor + (up ? 1 : 0));
    }
    const half = (size - 0x38000000) >>> 13;
    const rest = size & 0x1fff;
    return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0));
  });
}

/** Writes the model in `from` as F16 into `to`, which exists. */
export async function saveHalfPrecision(from: string, to: string): Promise<void> {
  const { tensors } = await loadCheckpoint(from);
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { name, shape, data } of [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const half = float32ToFloat16(data);
    header[name] = { dtype: 'F16', shape: [...shape], data_offsets: [at, at + half.byteLength] };
    parts.push(new Uint8Array(half.buffer));
    at += half.byteLength;
  }
  // Data begins at a multiple of 8.
  const text = JSON.stringify(header);
  const padded = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(padded.length), true);
  await writeFile(join(to, 'model.safetensors'), Buffer.concat([size, padded, ...parts]));
  await copyFile(join(from, 'config.json'), join(to, 'config.json'));
}
