// A directory of the Janus family with everything in it, read by its path alone.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  inspectCheckpoint,
  letterboxSync,
  loadCheckpoint,
  loadModel,
  Planner,
  publishedAnswer,
  TextTokenizer,
  VlaPlanner,
} from '../lib/index.js';
import { towerPixels } from '../lib/vla/tower-pixels.js';
import { editJson, JanusFolder } from './support/janus-folder.js';

const folder = new JanusFolder();
let directory: string;
beforeAll(async () => {
  directory = await folder.withTokenizer({ dtype: 'f32' });
});
afterAll(() => folder.remove());

const wording = { user: 'see <image_placeholder>\ngo {command}, speed ({vx},{vy})' };
const picture = {
  data: Uint8Array.from({ length: 3 * 20 * 16 }, (_, i) => (i * 31) % 256),
  width: 20,
  height: 16,
};
const view = { images: [picture], fields: { command: 'left', vx: 8.34, vy: 0 } };
const options = { device: 'cpu', maxTokens: 256 } as const;

describe('Planner.load', () => {
  test.each(['multi_modality', 'janus'])('of a %s model says what reads it', async (model_type) => {
    const other = await folder.tiny();
    editJson(join(other, 'config.json'), (config) => Object.assign(config, { model_type }));
    for (const load of [() => Planner.load(other), () => loadCheckpoint(other)]) {
      await expect(load()).rejects.toMatchObject({
        code: 'ERR_CONFIG',
        message: expect.stringMatching(/config\.json: .*VlaPlanner\.load and loadModel/),
      });
    }
    const sharded = await folder.tiny({ shards: 2 });
    await expect(Planner.load(sharded)).rejects.toThrow(/VlaPlanner\.load/);
  });
});

describe('VlaPlanner.load of a directory alone', () => {
  test('is the one that is told everything', async () => {
    const tokenizer = await TextTokenizer.load(directory);
    const { firstId } = tokenizer.numbers;
    const told = { numbers: { firstId }, tokenizer, answer: publishedAnswer(tokenizer) };
    await using alone = await VlaPlanner.load(directory, options);
    await using other = await VlaPlanner.load(directory, { ...told, ...options });
    const prompt = await alone.prompt(wording, view);
    expect(prompt.pixels).toEqual(letterboxSync(picture, { size: 12 }).values);
    expect(await other.prompt(wording, view)).toEqual(prompt);
    const { timing: _, ...plan } = await alone.plan(prompt, { steps: 3, seed: 1 });
    expect(await other.plan(prompt, { steps: 3, seed: 1 })).toMatchObject(plan);
    expect(plan.trajectory).toHaveLength(16);
    const text = tokenizer.decode(alone.answer(plan.tokens), { skipSpecial: true });
    const numbers = Array.from(plan.trajectory, (value) =>
      value.toFixed(2).replace('-0.00', '0.00'),
    );
    expect(text).toBe(` ${numbers.join(',')}`);
  });

  test('refuses a tokenizer that is missing, of another model, or of another tower', async () => {
    const bare = await folder.tiny();
    const load = (where: string) => VlaPlanner.load(where, options);
    await expect(load(bare)).rejects.toMatchObject({
      code: 'ERR_TOKENIZER',
      message: expect.stringMatching(/expected a tokenizer\.json, found none/),
    });
    const small = await folder.withTokenizer({ sizes: { vocab: 600 } });
    await expect(load(small)).rejects.toMatchObject({
      code: 'ERR_RANGE',
      message: expect.stringMatching(/ids up to \d+, .* only 600 rows/),
    });
    const tower = await folder.withTokenizer();
    editJson(join(tower, 'processor_config.json'), (c) =>
      Object.assign(c, { num_image_tokens: 576 }),
    );
    await expect(load(tower)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/576 image tokens for a picture, the tower gives 9/),
    });
  });

  test('with numbers alone has no words', async () => {
    await using planner = await VlaPlanner.load(directory, {
      numbers: { firstId: 300 },
      ...options,
    });
    expect(planner.tokenizer).toBeUndefined();
    await expect(planner.prompt(wording, view)).rejects.toMatchObject({ code: 'ERR_TOKENIZER' });
  });
});

describe('a tower that normalises its input itself', () => {
  const mean = [0.48, 0.46, 0.41];
  const std = [0.27, 0.26, 0.28];
  const normalising = (where: string) =>
    editJson(join(where, 'config.json'), ({ vision_config }) => {
      Object.assign(vision_config.params, { pixel_mean: mean, pixel_std: std });
    });

  test('is given pixels from 0 to 1 with its own mean and deviation', async () => {
    const own = await folder.withTokenizer({ dtype: 'f32' });
    normalising(own);
    rmSync(join(own, 'preprocessor_config.json'));
    const { preview, values } = letterboxSync(picture, { size: 12 });
    const { config } = await inspectCheckpoint(own);
    const expected = Float32Array.from({ length: values.length }, (_, i) => {
      const channel = Math.floor(i / 144);
      return (preview[(i % 144) * 3 + channel]! / 255 - mean[channel]!) / std[channel]!;
    });
    const given = towerPixels(config.vision, values);
    for (const [i, value] of given.entries()) expect(value).toBeCloseTo(expected[i]!, 5);

    // A tower of the same weights that does not normalise, given these pixels, sees the same.
    await using plain = await loadModel(directory, options);
    await using model = await loadModel(own, options);
    const ids = new Int32Array(11).fill(3);
    const imageMask = ids.map((_, i) => (i > 0 && i < 10 ? 1 : 0));
    const call = { ids, imageMask, vision: true, rows: [10] };
    const seen = await model.forward({ ...call, pixels: values });
    const same = await plain.forward({ ...call, pixels: given });
    expect(seen).toEqual(same);
    expect(seen.features).not.toEqual((await plain.forward({ ...call, pixels: values })).features);
  });

  test('is refused when the preprocessor normalises too', async () => {
    const both = await folder.tiny();
    normalising(both);
    await expect(loadModel(both)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/pixel_mean and pixel_std.*do_normalize true: .*twice/),
    });
    const preprocessor = join(both, 'preprocessor_config.json');
    editJson(preprocessor, (c) => Object.assign(c, { do_normalize: false }));
    await (await loadModel(both, options)).close();
    writeFileSync(preprocessor, 'no JSON');
    await expect(loadModel(both)).rejects.toMatchObject({ code: 'ERR_CHECKPOINT_CORRUPT' });
  });
});
