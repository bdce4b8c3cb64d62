// npm run ablations -- NAME: trains what the variants need (going on where it was stopped), measures and prints a table.

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { selectWindows } from '../../lib/eval/select-windows.js';
import { generateScenarios } from '../../lib/generate/generate.js';
import { averageModels } from '../../lib/model/average.js';
import { loadCheckpoint, saveCheckpoint } from '../../lib/model/checkpoint.js';
import { readScenarios } from '../../lib/scenario/read.js';
import type { ScenarioData } from '../../lib/scenario/types.js';
import type { TrainOptions } from '../../lib/train/options.js';
import { train } from '../../lib/train/train.js';
import { kAblations, type Variant } from './ablations.js';
import { measure } from './measure.js';
import { resultTable } from './tables.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    updates: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
    data: { type: 'string', default: '../shared/driving-data' },
    generated: { type: 'string', default: '6000' },
    runs: { type: 'string', default: 'out/ablations' },
    output: { type: 'string', default: 'docs/ablations' },
  },
});
const say = (text: string) => process.stderr.write(`${text}\n`);

const [name] = positionals;
const ablation = name === undefined ? undefined : kAblations[name];
if (!name || !ablation) {
  say(`npm run ablations -- NAME [--updates N] [--seed N]; NAME is one of`);
  for (const [known, { about }] of Object.entries(kAblations))
    say(`  ${known.padEnd(10)} ${about}`);
  process.exit(2);
}
if (!existsSync(flags.data)) {
  say(`${flags.data} is absent: ablations are measured on recorded traffic`);
  process.exit(1);
}
const variants = ablation.variants(Number(flags.updates), Number(flags.seed));
const recorded = await readScenarios(flags.data);
let generated: ScenarioData | undefined;
const folders = new Map<string, string>();
for (const variant of variants) folders.set(variant.name, await prepare(variant));

const { windows } = selectWindows(recorded, 'val');
const measured = await measure(
  windows,
  variants.map(({ name: key, modes }) => ({ key, title: key, modes })),
  [],
  {
    folder: (key) => join(folders.get(key)!, '..'),
    seeds: () => [0],
    noiseSeeds: () => 3,
    latencyCalls: 0,
    onProgress: say,
  },
);
const table = resultTable(measured.results);
await mkdir(flags.output, { recursive: true });
await writeFile(
  join(flags.output, `${name}.md`),
  `# ${name}: ${ablation.about}\n\nnpm run ablations -- ${name} --updates ${flags.updates} --seed ${flags.seed}; val, ` +
    `${measured.windows} windows, ${measured.egos} vehicles, one training seed.\n\n${table}\n`,
);
process.stdout.write(`${table}\n`);

/** Makes the runs of a variant; returns the folder of its last model, which is named like the variant. */
async function prepare({ name: key, checkpoint, average, runs = [] }: Variant): Promise<string> {
  let model = checkpoint;
  if (average) {
    model = join(flags.runs, name!, key);
    const models = await Promise.all(average.checkpoints.map((of) => loadCheckpoint(of)));
    await saveCheckpoint(model, averageModels(models, average.weights));
  }
  let table: string | undefined;
  for (const [i, run] of runs.entries()) {
    const isLast = i === runs.length - 1;
    const output = join(flags.runs, name!, isLast ? key : `${key}-stage-${i + 1}`);
    if (run.stage === 'tokenizer') {
      await finish({ ...run, output } as TrainOptions, output);
      table = output;
      continue;
    }
    generated ??= await generateScenarios({ windows: Number(flags.generated), seed: 1 });
    const options = {
      ...run,
      ...(model ? { model } : {}),
      ...(table ? { tokenizer: table } : {}),
      data: recorded,
      listed: generated,
      threads: Number(flags.threads),
      output,
    };
    await finish(options as TrainOptions, output);
    model = output;
  }
  return model!;
}

/** Makes a run, or goes on with it, or finds it done. */
async function finish(options: TrainOptions, output: string): Promise<void> {
  const resume = existsSync(join(output, 'trainer_state.json'));
  say(`${output}: ${resume ? 'going on' : 'training'}`);
  for await (const event of train({ ...options, resume })) {
    if (event.type === 'step' && event.step % 100 === 0)
      say(`  update ${event.step} of ${event.steps}`);
  }
}
