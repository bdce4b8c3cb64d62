// From a picture, a command and the ego's state to a plan, with a model and a tokenizer made here.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  buildModelInput,
  letterboxSync,
  publishedAnswer,
  scenePrompt,
  TextTokenizer,
  VlaPlanner,
} from '../lib/index.js';
import { JanusFolder } from './support/janus-folder.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';

const kSize = 12;
const files = smallTokenizerFiles();
// Patches of 4 pixels: 9 tokens a picture.
files.processorConfig = { ...files.processorConfig, num_image_tokens: 9 };
const tokenizer = new TextTokenizer(files);
const folder = new JanusFolder();
let planner: VlaPlanner;

beforeAll(async () => {
  const directory = await folder.tiny({ dtype: 'f32', sizes: { vocab: tokenizer.idLimit + 7 } });
  planner = await VlaPlanner.load(directory, {
    numbers: { firstId: tokenizer.numbers.firstId },
    answer: publishedAnswer(tokenizer),
    mask: 'prefix',
    device: 'cpu',
    maxTokens: 256,
  });
});
afterAll(async () => {
  await planner.close();
  folder.remove();
});

const wording = {
  user: 'view <image_placeholder>\ngo {command}, speed ({vx},{vy})',
  system: 'SYSTEM',
  imageSize: kSize,
};
const image = (seed: number) => ({
  data: Uint8Array.from({ length: 3 * 20 * 16 }, (_, i) => (i * 31 + seed * 97) % 256),
  width: 20,
  height: 16,
});
const fields = { command: 'left', vx: 8.341, vy: -0.001 };
const view = (seed = 1, change = {}) => ({
  images: [image(seed)],
  fields: { ...fields, ...change },
});

describe('a scene as a prompt', () => {
  test('is the conversation up to where the answer begins, and its pictures letterboxed', async () => {
    const { ids, imageMask, pixels } = await scenePrompt(tokenizer, wording, view());
    const text =
      'SYSTEM\n\nUser: view <image_placeholder>\ngo left, speed (8.34,0.00)\n\nAssistant:';
    const whole = buildModelInput(tokenizer, text);
    expect([...(ids as Int32Array)]).toEqual([...whole.ids.subarray(0, whole.answerStart)]);
    expect([...(imageMask as Uint8Array)].filter((bit) => bit === 1)).toHaveLength(9);
    expect(pixels).toEqual(letterboxSync(image(1), { size: kSize }).values);
  });

  test('without a picture has no pixels; a placeholder without a picture is refused', async () => {
    const blind = { ...wording, user: 'go {command}' };
    expect(await scenePrompt(tokenizer, blind, { images: [], fields })).not.toHaveProperty(
      'pixels',
    );
    await expect(scenePrompt(tokenizer, wording, { images: [], fields })).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
    await expect(
      scenePrompt(tokenizer, { ...wording, user: '{speed}' }, view()),
    ).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  test('the published answer is a space, numbers between commas, the end of the sentence', () => {
    const { leadId, separatorId, endId } = publishedAnswer(tokenizer);
    const text = tokenizer.encode(' 1.00,2.00', { addSpecial: false });
    expect([...text]).toEqual([
      leadId,
      tokenizer.numbers.firstId + 10_100,
      separatorId,
      tokenizer.numbers.firstId + 10_200,
    ]);
    expect(endId).toBe(tokenizer.special.endOfSentence.id);
  });

  test('becomes a plan that depends on picture, command and speed', async () => {
    const plan = async (of: ReturnType<typeof view>) =>
      planner.plan(await scenePrompt(tokenizer, wording, of), { steps: 2, seed: 3 });
    const one = await plan(view());
    expect(one.trajectory).toHaveLength(16);
    expect([...one.trajectory].every((value) => Math.abs(value) <= 100)).toBe(true);
    const again = await plan(view());
    expect(again.tokens).toEqual(one.tokens);
    expect(again.logProbability).toEqual(one.logProbability);
    for (const other of [view(2), view(1, { command: 'right' }), view(1, { vx: 2 })]) {
      expect((await plan(other)).logProbability).not.toEqual(one.logProbability);
    }
  });
});
