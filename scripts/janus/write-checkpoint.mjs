// Checkpoints of random weights, written piece by piece: memory stays small whatever their size.

import { mkdirSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  JANUS_SIZES,
  janusConfig,
  janusTensors,
  PREPROCESSOR,
  processorConfig,
} from './layout.mjs';
import { DTYPES, fill, tensorKey, toBfloat16, toFloat16 } from './random-values.mjs';

const PIECE = 1 << 21; // values

/**
 * Writes a directory that looks like Janus-1.3B's: config, processor files, weights; no tokenizer.
 *
 * @param {object} options
 * @param {string} options.output a folder that does not exist yet
 * @param {'bf16' | 'f16' | 'f32'} [options.dtype]
 * @param {number} [options.shards] 1: a single file without an index
 * @param {number} [options.seed]
 * @param {Partial<typeof JANUS_SIZES>} [options.sizes] what differs from Janus-1.5B
 * @param {boolean} [options.generation] with small parts of the generation side
 * @param {(bytes: number, total: number) => void} [options.onProgress]
 * @returns {Promise<{ files: string[], parameters: number, bytes: number }>}
 */
export async function writeRandomJanus(options) {
  const { output, dtype = 'bf16', shards = 1, seed = 1, generation = false, onProgress } = options;
  const sizes = { ...JANUS_SIZES, ...options.sizes };
  if (sizes.hidden % sizes.heads !== 0) throw new Error('expected heads that divide hidden');
  const tensors = janusTensors(sizes, generation).map((tensor) => {
    const count = tensor.shape.reduce((product, size) => product * size, 1);
    return { ...tensor, count, bytes: count * DTYPES[dtype].bytes };
  });
  if (shards > tensors.length) throw new Error(`expected at most ${tensors.length} shards`);
  mkdirSync(output);

  const sum = (list, field) => list.reduce((total, tensor) => total + tensor[field], 0);
  const bytes = sum(tensors, 'bytes');
  const parts = split(tensors, shards, bytes);
  let done = 0;
  const progress = (more) => {
    done += more;
    onProgress?.(done, bytes);
  };
  const files = [];
  const weightMap = {};
  for (const [i, part] of parts.entries()) {
    const name = shards === 1 ? 'model.safetensors' : shardName(i, shards);
    await writeShard(join(output, name), part, dtype, seed, progress);
    for (const tensor of part) weightMap[tensor.name] = name;
    files.push(name);
  }
  const json = (name, value) =>
    writeFile(join(output, name), `${JSON.stringify(value, undefined, 2)}\n`);
  if (shards > 1) {
    await json('model.safetensors.index.json', {
      metadata: { total_size: bytes },
      weight_map: weightMap,
    });
  }
  await json('config.json', janusConfig(sizes, dtype));
  await json('preprocessor_config.json', { ...PREPROCESSOR, image_size: sizes.imageSize });
  await json(
    'processor_config.json',
    processorConfig(Math.floor(sizes.imageSize / sizes.patch) ** 2),
  );
  await json('random_weights.json', {
    note: 'Random weights of the real shapes: for measurements and tests. There is no tokenizer.',
    seed,
    dtype,
  });
  return { files, parameters: sum(tensors, 'count'), bytes };
}

function shardName(i, shards) {
  const number = (n) => String(n).padStart(5, '0');
  return `model-${number(i + 1)}-of-${number(shards)}.safetensors`;
}

/** Tensors in order, in `shards` runs of about equal size, none empty. */
function split(tensors, shards, bytes) {
  const parts = Array.from({ length: shards }, () => []);
  let before = 0;
  let last = 0;
  for (const [i, tensor] of tensors.entries()) {
    const wanted = Math.floor(((before + tensor.bytes / 2) / bytes) * shards);
    const left = tensors.length - i; // tensors for the shards that are still empty
    const next = parts[last].length > 0 ? last + 1 : last;
    if (wanted > last || left <= shards - next) last = Math.min(next, shards - 1);
    parts[last].push(tensor);
    before += tensor.bytes;
  }
  return parts;
}

async function writeShard(path, tensors, dtype, seed, progress) {
  const header = {
    __metadata__: { format: 'pt' },
  };
  let at = 0;
  for (const { name, shape, bytes } of tensors) {
    header[name] = { dtype: DTYPES[dtype].name, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const text = JSON.stringify(header);
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  head.write(text, 8);

  const values = new Float32Array(PIECE);
  const halves = new Uint16Array(dtype === 'f32' ? 0 : PIECE);
  const file = await open(path, 'wx');
  try {
    await writeAll(file, head);
    for (const { name, count, centre, spread } of tensors) {
      const key = tensorKey(seed, name);
      for (let begin = 0; begin < count; begin += PIECE) {
        const n = Math.min(PIECE, count - begin);
        fill(values, n, key, begin, centre, spread);
        if (dtype === 'bf16') toBfloat16(values, n, halves);
        if (dtype === 'f16') toFloat16(values, n, halves);
        const data = (dtype === 'f32' ? values : halves).subarray(0, n);
        const piece = new Uint8Array(data.buffer, 0, data.byteLength);
        await writeAll(file, piece);
        progress(piece.byteLength);
      }
    }
  } finally {
    await file.close();
  }
}

async function writeAll(file, data) {
  for (let at = 0; at < data.byteLength; ) {
    const { bytesWritten } = await file.write(data, at, data.byteLength - at);
    at += bytesWritten;
  }
}
