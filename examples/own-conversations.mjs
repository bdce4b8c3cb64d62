// Bring your own conversations: a .jsonl file of questions and answers about pictures, as the model reads them, and a few
// updates of a model on them.
//
//   node examples/own-conversations.mjs DIR conversations.jsonl [updates]
//
// A row, LLaVA's form (docs/conversations.md has all that is understood; paths of pictures start at the file's folder):
//   {"id": "1", "image": "front.png", "conversations": [
//     {"from": "human", "value": "<image>\nIs the road free?"}, {"from": "gpt", "value": "Yes."}]}
//
// Updates keep weights, gradients and moments in memory as floats: for small models.

import { parseArgs } from 'node:util';
import { inspectCheckpoint, openConversations, TextTokenizer, VlaTrainer } from 'wam-flow';

const { positionals } = parseArgs({ allowPositionals: true });
const [directory, path, updates = '0'] = positionals;
if (!directory || !path) {
  console.error('usage: node examples/own-conversations.mjs DIR conversations.jsonl [updates]');
  process.exit(2);
}

const tokenizer = await TextTokenizer.load(directory);
const { config } = await inspectCheckpoint(directory);
const mix = await openConversations([{ path, name: 'own' }], {
  tokenizer,
  imageSize: config.vision.image_size,
});
for (const { name, rows, used, skipped } of mix.summary) {
  console.log(`${name}: ${used} of ${rows} rows`, skipped);
}

// A batch is a pure function of step and seed. What counts in the loss is the answer.
const [first] = await mix.batch({ step: 0, count: 1, seed: 1 });
const answer = first.ids.filter((_, i) => first.counted[i]);
console.log(`${first.id}: ${first.ids.length} positions, answer ${tokenizer.decode(answer)}`);

if (Number(updates) > 0) {
  const trainer = await VlaTrainer.load(directory, { device: 'cpu', trainable: 'language' });
  for (let step = 0; step < Number(updates); step += 1) {
    const batch = await mix.batch({ step, count: 2, seed: 1 });
    const examples = batch.map(({ ids, imageMask, pixels, counted }) => ({
      ...{ ids, imageMask, targets: ids, counted, mask: 'causal' },
      ...(pixels ? { pixels } : {}),
    }));
    const { loss } = await trainer.step(examples, 1e-3);
    console.log(`update ${step + 1}: loss ${loss.toFixed(3)}`);
  }
  await trainer.close();
}
await mix.close();
