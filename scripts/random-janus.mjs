#!/usr/bin/env node
// Writes random weights of the shapes of Janus-1.5B: for measurements of load time, memory and speed, and for tests.
//
//   node scripts/random-janus.mjs --output DIR [--dtype bf16|f16|f32] [--shards N] [--seed N] [--generation]
//                                 [--layers N] [--hidden N] [--vocab 122401] ... (any size of scripts/janus/layout.mjs)

import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { JANUS_SIZES, janusTensors } from './janus/layout.mjs';
import { DTYPES } from './janus/random-values.mjs';
import { writeRandomJanus } from './janus/write-checkpoint.mjs';

const flagOf = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const sizeFlags = Object.fromEntries(
  Object.keys(JANUS_SIZES).map((name) => [flagOf(name), { type: 'string' }]),
);

try {
  await main();
} catch (error) {
  console.error(`random-janus: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const { values: flags } = parseArgs({
    options: {
      ...sizeFlags,
      output: { type: 'string' },
      dtype: { type: 'string', default: 'bf16' },
      shards: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      generation: { type: 'boolean', default: false },
    },
  });
  if (!flags.output) throw new Error('--output DIR: a folder that does not exist yet');
  if (!Object.hasOwn(DTYPES, flags.dtype)) throw new Error('--dtype: expected bf16, f16 or f32');
  const sizes = Object.fromEntries(
    Object.entries(JANUS_SIZES).map(([name, size]) => [
      name,
      flags[flagOf(name)] === undefined ? size : integer(flagOf(name), flags[flagOf(name)]),
    ]),
  );
  const output = resolve(flags.output);
  checkSpace(output, sizes, flags);

  const began = performance.now();
  let shown = 0;
  const { files, parameters, bytes } = await writeRandomJanus({
    output,
    dtype: flags.dtype,
    shards: integer('shards', flags.shards),
    seed: integer('seed', flags.seed, 0),
    sizes,
    generation: flags.generation,
    onProgress: (done, total) => {
      const percent = Math.floor((10 * done) / total) * 10;
      if (percent > shown) console.error(`${percent} %`);
      shown = Math.max(shown, percent);
    },
  });
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${output}: ${parameters.toLocaleString('en')} parameters in ${files.length} file${files.length > 1 ? 's' : ''}, ` +
      `${(bytes / 1e9).toFixed(3)} GB in ${seconds.toFixed(1)} s (${(bytes / 1e6 / seconds).toFixed(0)} MB/s)`,
  );
}

function integer(name, text, low = 1) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < low || value > 2 ** 31 - 1) {
    throw new Error(`--${name}: expected an integer from ${low} to 2^31-1`);
  }
  return value;
}

/** Better now than after a minute. */
function checkSpace(output, sizes, { dtype, generation }) {
  const counts = janusTensors(sizes, generation).map(({ shape }) =>
    shape.reduce((a, b) => a * b, 1),
  );
  const needed = counts.reduce((a, b) => a + b, 0) * DTYPES[dtype].bytes;
  const { bavail, bsize } = statfsSync(dirname(output));
  if (needed * 1.05 < bavail * bsize) return;
  throw new Error(
    `${(needed / 1e9).toFixed(1)} GB are needed, ${((bavail * bsize) / 1e9).toFixed(1)} GB are free`,
  );
}
