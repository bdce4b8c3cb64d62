// A planner that takes what it needs from its directory, and plans of several samples.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  headingsOfPath,
  publishedAnswer,
  scenePrompt,
  TextTokenizer,
  VlaPlanner,
} from '../lib/index.js';
import { JanusFolder } from './support/janus-folder.js';
import { rejectionCode } from './support/reference.js';
import { kImageSize, tinyVla } from './support/tiny-vla.js';

const folder = new JanusFolder();
const kOptions = { device: 'cpu', maxTokens: 256 } as const;
let directory: string;
let planner: VlaPlanner;

beforeAll(async () => {
  directory = await tinyVla(folder);
  planner = await VlaPlanner.load(directory, kOptions);
});
afterAll(async () => {
  await planner.close();
  folder.remove();
});

const view = {
  images: [
    {
      data: Uint8Array.from({ length: 3 * 20 * 16 }, (_, i) => (i * 31) % 256),
      width: 20,
      height: 16,
    },
  ],
  fields: { command: 'left', vx: 8.341, vy: -0.001, ax: 0.5, ay: 0 },
};

describe('a directory that says how it was trained', () => {
  test('needs no options', async () => {
    expect(planner).toMatchObject({ mask: 'prefix', waypoints: 8, coordinates: 2 });
    expect(planner.settings?.stages).toContain('sft');
    expect(planner.defaults).toEqual({
      schedule: { kind: 'kernel_width', initialWidth: 4, finalWidth: 0.01, power: 1 },
      maskId: planner.model.vocab - 1,
      ...{ steps: 1, rule: 'renoise', decode: 'median' },
    });
    const plan = await planner.planView(view, { seed: 3, steps: 3 });
    expect(plan.trajectory).toHaveLength(16);
    expect(plan.poses).toHaveLength(24);
  });

  test('plans as one that is told all of it', async () => {
    const tokenizer = await TextTokenizer.load(directory);
    const { schedule, maskId } = planner.defaults;
    const told = await VlaPlanner.load(directory, {
      ...kOptions,
      numbers: { firstId: tokenizer.numbers.firstId },
      answer: publishedAnswer(tokenizer),
      mask: 'prefix',
    });
    const wording = { ...planner.settings!.wording!, imageSize: kImageSize };
    const prompt = await scenePrompt(tokenizer, wording, view);
    const drawn = { decode: 'sample', temperature: 0.7, topK: 50 } as const;
    const options = { steps: 3, seed: 3, rule: 'integrated', ...drawn } as const;
    const want = await told.plan(prompt, { ...options, schedule: schedule!, maskId: maskId! });
    const plan = await planner.planView(view, options);
    expect({ ...plan, timing: 0 }).toEqual({ ...want, timing: 0 });
    expect(await rejectionCode(told.planView(view))).toBe('ERR_TOKENIZER');
    await told.close();
  });

  test('options come before it', async () => {
    const other = await VlaPlanner.load(directory, {
      ...kOptions,
      mask: 'full',
      wording: { user: '<image_placeholder> {command}' },
      plan: { steps: 2, maskId: 3 },
    });
    expect(other).toMatchObject({ mask: 'full', defaults: { steps: 2, maskId: 3 } });
    expect((await other.planView(view)).refinements).toHaveLength(2);
    expect((await other.planView(view, { steps: 1 })).refinements).toHaveLength(1);
    await other.close();
  });

  test('one without settings, or with other numbers than the tokenizer', async () => {
    const plain = await tinyVla(folder);
    rmSync(join(plain, 'wam_flow.json'));
    const bare = await VlaPlanner.load(plain, kOptions);
    expect(bare).toMatchObject({ mask: 'full', wording: null, defaults: {}, waypoints: 8 });
    expect(await rejectionCode(bare.planView(view))).toBe('ERR_CONFIG');
    await bare.close();
    const numbers = { firstId: 7, min: -100, max: 100, decimals: 2 };
    const wrong = await tinyVla(folder, { numbers });
    expect(await rejectionCode(VlaPlanner.load(wrong, kOptions))).toBe('ERR_CONFIG');
    writeFileSync(join(wrong, 'wam_flow.json'), '{');
    expect(await rejectionCode(VlaPlanner.load(wrong, kOptions))).toBe('ERR_CHECKPOINT_CORRUPT');
  });

  test('pictures that are normalised otherwise are refused', async () => {
    const image = {
      ...planner.settings!.image,
      mean: [0.4, 0.4, 0.4] as [number, number, number],
    };
    const load = VlaPlanner.load(await tinyVla(folder, { image }), kOptions);
    expect(await rejectionCode(load)).toBe('ERR_CONFIG');
  });
});

describe('plans', () => {
  const options = { steps: 3, seed: 9, decode: 'sample', rule: 'renoise' } as const;

  test('of several samples share the prefix and are reduced', async () => {
    const plan = await planner.planView(view, { ...options, samples: 5, reduce: 'mean' });
    expect(plan.samples).toHaveLength(5);
    expect(plan.tokens).toHaveLength(80);
    expect(plan.logProbability).toHaveLength(80);
    expect(plan.timing.stepMs).toHaveLength(3);
    for (const [i, value] of plan.trajectory.entries()) {
      const mean = plan.samples.reduce((sum, sample) => sum + sample[i]!, 0) / 5;
      expect(value).toBeCloseTo(mean, 4);
    }
    const [first, second] = plan.samples;
    expect(first).not.toEqual(second);
    const one = await planner.planView(view, options);
    expect(one.trajectory).toEqual(first);
    expect(one.logProbability).toEqual(plan.logProbability.slice(0, 16));
    const medoid = await planner.planView(view, { ...options, samples: 5 });
    expect(plan.samples).toContainEqual(medoid.trajectory);
    const alone = await planner.planView(view, { ...options, samples: 5, reduce: 'first' });
    expect(alone.trajectory).toEqual(first);
  });

  test('under the mask full are the same with one or several samples', async () => {
    const full = await VlaPlanner.load(directory, { ...kOptions, mask: 'full' });
    const several = await full.planView(view, { ...options, samples: 2 });
    const one = await full.planView(view, options);
    expect(several.samples[0]).toEqual(one.trajectory);
    await full.close();
  });

  test('have poses whose headings are the direction of motion', async () => {
    const { trajectory, poses } = await planner.planView(view, options);
    const headings = headingsOfPath(trajectory);
    for (let i = 0; i < 8; i += 1) {
      expect(poses[3 * i]).toBe(trajectory[2 * i]);
      expect(poses[3 * i + 1]).toBe(trajectory[2 * i + 1]);
      expect(poses[3 * i + 2]).toBeCloseTo(headings[i]!, 5);
    }
  });

  test('depend on decoding, schedule and mask token; one step with a mask token on no noise', async () => {
    const tokens = async (change: object) =>
      (await planner.planView(view, { ...options, decode: 'median', ...change })).tokens;
    const base = await tokens({});
    expect(await tokens({})).toEqual(base);
    for (const change of [
      { decode: 'argmax' },
      { decode: 'sample' },
      { schedule: { kind: 'published', a: 0.9, c: 3 } },
      { maskId: 4 },
      { seed: 10 },
    ]) {
      expect(await tokens(change), JSON.stringify(change)).not.toEqual(base);
    }
    expect(await tokens({ steps: 1, seed: 1 })).toEqual(await tokens({ steps: 1, seed: 2 }));
  });

  test.each([
    [{ samples: 0 }, 'ERR_RANGE'],
    [{ maskId: -1 }, 'ERR_RANGE'],
    [{ maskId: 1e9 }, 'ERR_RANGE'],
    [{ reduce: 'best' }, 'ERR_ARGUMENT'],
    [{ schedule: { kind: 'other' } }, 'ERR_ARGUMENT'],
    [{ schedule: { initialWidth: 1, finalWidth: 2, power: 1 } }, 'ERR_CONFIG'],
    [{ schedule: 3 }, 'ERR_ARGUMENT'],
    [{ decode: 'best' }, 'ERR_ARGUMENT'],
    [{ topK: -1 }, 'ERR_RANGE'],
  ])('%j is refused', async (change, code) => {
    expect(await rejectionCode(planner.planView(view, change as object))).toBe(code);
  });
});
