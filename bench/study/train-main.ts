// npm run results:train: makes every checkpoint of docs/results.md again, one run after the other. With --convert it trains
// nothing and keeps what the runs have made so far.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateScenarios } from '../../lib/generate/generate.js';
import { readScenarios } from '../../lib/scenario/read.js';
import type { TrainOptions } from '../../lib/train/options.js';
import { train } from '../../lib/train/train.js';
import { saveHalfPrecision } from './half-precision.js';
import { kSeeds } from './rows.js';
import { kRecipes } from './recipes.js';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/driving-data' },
    runs: { type: 'string', default: 'out/results' },
    checkpoints: { type: 'string', default: 'bench/checkpoints' },
    threads: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    convert: { type: 'boolean', default: false },
    // Share of the updates: to see in minutes that everything works.
    scale: { type: 'string', default: '1' },
  },
});
const say = (text: string) => process.stderr.write(`${text}\n`);

if (!flags.convert && !existsSync(flags.data)) {
  say(`${flags.data} is absent: the models are trained on recorded traffic`);
  process.exit(1);
}
const data = flags.convert
  ? undefined
  : {
      data: await readScenarios(flags.data),
      listed: await generateScenarios({ windows: 6000, seed: 1 }),
    };
for (const seed of kSeeds) {
  for (const { key, from, options } of kRecipes) {
    if (flags.only && !flags.only.includes(key)) continue;
    const output = join(flags.runs, `${key}-${seed}`);
    if (data) await finish(run(options, from, seed, output), output);
    else if (!existsSync(join(output, 'model.safetensors'))) continue;
    const checkpoint = join(flags.checkpoints, `${key}-${seed}`);
    await mkdir(checkpoint, { recursive: true });
    await saveHalfPrecision(output, checkpoint);
  }
}

function run(
  options: Partial<TrainOptions>,
  from: string | undefined,
  seed: number,
  output: string,
) {
  return {
    ...options,
    steps: Math.max(1, Math.round(Number(flags.scale) * options.steps!)),
    ...(from ? { model: join(flags.runs, `${from}-${seed}`) } : {}),
    ...data,
    threads: Number(flags.threads),
    seed,
    output,
  } as TrainOptions;
}

/** Makes a run, or goes on with it, or finds it done. */
async function finish(options: TrainOptions, output: string): Promise<void> {
  const resume = existsSync(join(output, 'trainer_state.json'));
  say(`${output}: ${resume ? 'going on' : 'training'}`);
  for await (const event of train({ ...options, resume })) {
    if (event.type === 'step' && event.step % 100 === 0) {
      say(`  update ${event.step} of ${event.steps}`);
    }
  }
}
