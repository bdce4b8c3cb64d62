// Bring your own Janus, FUDOKI or WAM-Flow folder: looks at it, loads it in a precision that fits the machine, and plans
// from a picture.
//
//   node examples/janus-directory.mjs DIR [front.jpg] [bf16 | int8 | fp32]
//
// DIR holds config.json, safetensors (one file or shards) and the tokenizer's files; docs/checkpoints.md says which. JPEG
// and PNG are decoded by the package sharp (npm install sharp).

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { inspectCheckpoint, readImage, VlaPlanner } from 'wam-flow';

const { positionals } = parseArgs({ allowPositionals: true });
const [directory, picture, precision = 'bf16'] = positionals;
if (!directory) {
  console.error('usage: node examples/janus-directory.mjs DIR [front.jpg] [bf16 | int8 | fp32]');
  process.exit(2);
}

// Headers alone: a fraction of a second whatever the size. Wrong files end here, with a list of what is wrong.
const { config, usedParameters, dtypes, warnings } = await inspectCheckpoint(directory);
const { language, vision } = config;
console.log(
  `${language.num_hidden_layers} layers of ${language.hidden_size}, ${language.vocab_size} tokens, pictures of ` +
    `${vision.image_size} px: ${(usedParameters / 1e6).toFixed(1)} M weights, stored as ${Object.keys(dtypes).join(', ')}`,
);
for (const warning of warnings) console.log(`note: ${warning}`);

if (picture) {
  const threads = availableParallelism();
  const planner = await VlaPlanner.load(directory, { device: 'cpu', precision, threads });

  // Weights plan well with the words that they were trained with. A folder with a wam_flow.json brings them; for others
  // put yours here: numbers become tokens of their own, the placeholder becomes the picture.
  const wording = planner.wording ?? {
    user:
      `${planner.tokenizer.special.imagePlaceholder.text}\nGo {command}. Velocity ({vx},{vy}), acceleration ` +
      '({ax},{ay}). Where will you be in the next 4 s?',
  };
  const fields = { command: 'straight', x: 0, y: 0, vx: 8.34, vy: 0.18, ax: -0.83, ay: 0.28 };
  const prompt = await planner.prompt(wording, { images: [await readImage(picture)], fields });
  const { trajectory, timing } = await planner.plan(prompt, { steps: 5 });
  console.log(`${planner.model.engine}, picture ${timing.visionMs.toFixed(0)} ms`);
  for (let i = 0; i < trajectory.length; i += planner.coordinates) {
    const [x, y] = trajectory.subarray(i, i + 2);
    const seconds = (i / planner.coordinates + 1) / 2;
    console.log(`${seconds.toFixed(1)} s  x ${x.toFixed(2)} m  y ${y.toFixed(2)} m`);
  }
  await planner.close();
}
