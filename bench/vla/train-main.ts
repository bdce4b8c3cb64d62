// npm run results:vla:train: makes every model of docs/results.md that sees pictures, one run after the other. Runs that
// are there are left as they are or gone on with; --only names those that are wanted.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isWithinVocabulary, kPlanWording } from '../../lib/camera/plan-conversation.js';
import { writeCameraData } from '../../lib/camera/write.js';
import { generateScenarios } from '../../lib/generate/generate.js';
import { alignVla } from '../../lib/vla-train/align-vla.js';
import { conversationTexts } from '../../lib/vla-train/conversation-texts.js';
import { createVla } from '../../lib/vla-train/create-vla.js';
import { exportVla } from '../../lib/vla-train/export-vla.js';
import { trainVla } from '../../lib/vla-train/train-vla.js';
import {
  kAlignment,
  kMean,
  kPatches,
  kPictureSize,
  kScenes,
  kSizes,
  kTokens,
  kVlaRecipes,
  type VlaRecipe,
} from './recipes.js';

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: 'out/vla' },
    // Folder of pictures and conversations that is made when it is absent.
    data: { type: 'string', default: 'out/vla/data' },
    threads: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    // Share of the updates and of the scenes: to see in minutes that everything works.
    scale: { type: 'string', default: '1' },
  },
});
const scale = Number(flags.scale);
const scaled = (count: number) => Math.max(1, Math.round(scale * count));
const say = (text: string) => process.stderr.write(`${text}\n`);
const file = (name: string) => join(flags.data, `${name}.jsonl`);
const start = join(flags.runs, 'start');

if (!existsSync(flags.data)) {
  const windows = Math.max(64, scaled(kScenes.windows));
  say(`${flags.data}: ${windows} windows`);
  const { windows: scenes } = await generateScenarios({ ...kScenes, windows });
  const size = { width: kPictureSize, height: kPictureSize };
  const rows = { questions: true, plans: true, layouts: true, patches: kPatches };
  await writeCameraData(flags.data, scenes, { ...size, ...rows });
}
if (!existsSync(start)) {
  const texts: string[] = [];
  for await (const text of conversationTexts([file('questions'), file('plans')])) texts.push(text);
  await createVla({ output: start, sizes: kSizes, tokenizer: { texts, size: kTokens } });
}
for (const recipe of kVlaRecipes) {
  if (isWanted(recipe.key)) await finish(recipe);
}
if (isWanted(kAlignment.key)) await align();
if (isWanted(kMean.key)) await average();

function isWanted(key: string): boolean {
  return !flags.only || flags.only.includes(key);
}

/** The folder of a run, and how it begins there: from another's model, or where it stopped. */
function runOf(key: string, from: string) {
  const output = join(flags.runs, key);
  const resume = existsSync(join(output, 'trainer_state.json'));
  say(`${output}: ${resume ? 'going on' : 'training'}`);
  return { output, resume, ...(resume ? {} : { model: join(flags.runs, from) }) };
}

/** Makes a run, or goes on with it, or finds it done. */
async function finish({ key, from, data, options }: VlaRecipe): Promise<void> {
  const events = trainVla({
    ...options,
    ...runOf(key, from),
    steps: scaled(options.steps!),
    data: Object.entries(data).map(([name, weight]) => ({
      path: file(name),
      weight,
      splits: ['train'],
    })),
    wording: { user: kPlanWording, system: '' },
    system: '',
    threads: Number(flags.threads),
  });
  for await (const event of events) {
    if (event.type === 'step' && event.step % 100 === 0) {
      say(`  update ${event.step} of ${event.steps}: loss ${event.loss.toFixed(3)}`);
    }
  }
}

async function align(): Promise<void> {
  const { key, from, scenes, options } = kAlignment;
  const windows = Math.max(64, scaled(scenes.windows));
  const generated = await generateScenarios({ ...scenes, windows });
  const events = alignVla({
    ...options,
    ...runOf(key, from),
    steps: scaled(options.steps),
    scenes: scaled(options.scenes),
    // No plan is worth anything where a good one cannot be written.
    data: { ...generated, windows: generated.windows.filter(isWithinVocabulary) },
    threads: Number(flags.threads),
  });
  for await (const event of events) {
    if (event.type === 'step' && event.step % 10 === 0) {
      say(`  update ${event.step} of ${event.steps}: reward ${event.reward?.toFixed(3)}`);
    }
  }
}

async function average(): Promise<void> {
  const [output, ...model] = [kMean.key, ...kMean.of].map((key) => join(flags.runs, key));
  say(`${output}: the mean of ${model.join(' and ')}`);
  await exportVla({ model, output: output!, dtype: 'f32', overwrite: true });
}
