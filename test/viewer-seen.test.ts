// What a page of seen pictures holds, against other ways to the same numbers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  buildModelInput,
  CameraRenderer,
  readScenarios,
  seenCase,
  type TextTokenizer,
  VlaPlanner,
} from '../lib/index.js';
import { projectGround } from '../lib/viewer/project.js';
import { JanusFolder } from './support/janus-folder.js';

const folder = new JanusFolder();
afterAll(() => folder.remove());

const image = {
  data: Uint8Array.from({ length: 3 * 20 * 16 }, (_, i) => (i * 31) % 256),
  width: 20,
  height: 16,
};
const wording = { user: 'see <image_placeholder>\ngo {command}, speed ({vx},{vy})' };
const fields = { command: 'left', vx: 8.34, vy: -0.02 };

describe('a point of the road', () => {
  test('is where the renderer has its depth', async () => {
    const { windows } = await readScenarios('examples');
    const [width, height] = [320, 180];
    const mount = { fovDeg: 64, heightM: 1.6, pitchDeg: 5, forwardM: 0.4 };
    await using camera = new CameraRenderer({ width, height, ...mount, varied: false });
    const { depth, ids } = await camera.render(windows.slice(0, 1), { depth: true, ids: true });
    const pitch = (5 * Math.PI) / 180;
    let compared = 0;
    for (let x = 5; x < 40; x += 0.5) {
      for (let y = -4; y <= 4; y += 0.5) {
        const at = projectGround(mount, { width, height }, x, y);
        const [column, row] = at!.map(Math.floor) as [number, number];
        if (column < 0 || column >= width || row < 1 || row >= height - 1) continue;
        const pixel = row * width + column;
        if (ids![pixel]! >= 0) continue; // something stands there
        const along = (x - 0.4) * Math.cos(pitch) + 1.6 * Math.sin(pitch);
        // A row of pixels covers a stretch of road: half of it either way.
        const stretch = Math.abs(depth![pixel - width]! - depth![pixel + width]!) / 2;
        expect(Math.abs(depth![pixel]! - along)).toBeLessThan(stretch + 0.05);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(300);
  });

  test('behind the camera is nowhere, straight ahead in the middle, left to the left', () => {
    const camera = { fovDeg: 90, heightM: 1, pitchDeg: 0, forwardM: 0 };
    const size = { width: 100, height: 60 };
    expect(projectGround(camera, size, -1, 0)).toBeNull();
    const [x, y] = projectGround(camera, size, 10, 0)!;
    expect([x, y]).toEqual([50, 30 + 50 / 10 + 0].map((value) => expect.closeTo(value, 9)));
    expect(projectGround(camera, size, 10, 2)![0]).toBeCloseTo(40, 9);
  });
});

describe('a case', () => {
  let planner: VlaPlanner;
  beforeAll(async () => {
    const directory = await folder.withTokenizer({ dtype: 'f32' });
    planner = await VlaPlanner.load(directory, { device: 'cpu', maxTokens: 256, mask: 'prefix' });
  });
  afterAll(() => planner?.close());

  test("has the planner's own sequence, plan and answer", async () => {
    const made = await seenCase({
      name: 'a',
      image,
      planner,
      wording,
      fields,
      plan: { steps: 3, seed: 2 },
    });
    const prompt = await planner.prompt(wording, { images: [image], fields });
    const plan = await planner.plan(prompt, { steps: 3, seed: 2 });
    const [fixed, released] = made.sequences;
    expect(fixed!.ids).toEqual([...Array.from(prompt.ids), ...planner.answer([])]);
    expect(fixed!.mask).toBe('prefix');
    expect(fixed!.filled.filter(Boolean)).toHaveLength(16);
    expect(fixed!.filled.indexOf(true)).toBe(prompt.ids.length + 1);
    expect(fixed!.kinds.map((kind) => Number(kind === 'image'))).toEqual([
      ...Array.from(prompt.imageMask!, Number),
      ...planner.answer([]).map(() => 0),
    ]);
    expect(made.plan!.refinements).toHaveLength(3);
    for (const [i, value] of made.plan!.refinements[2]!.entries()) {
      expect(value).toBeCloseTo(plan.trajectory[i]!, 5);
    }
    expect(made.plan!.complete).toBe(true);
    expect(made.plan!.answer.split(',').map(Number)).toEqual(made.plan!.refinements[2]);
    const text = planner.tokenizer!.decode(prompt.ids).replace(/^<[^>]*>/, '');
    const whole = buildModelInput(
      planner.tokenizer!,
      `${text.replace(/<begin_of_image>.*?<end_of_image>/s, '<image_placeholder>')}`,
    );
    expect(released!.ids).toEqual([...whole.ids]);
    expect(released!.filled.map(Number)).toEqual([...whole.textMask]);
    expect(released!.kinds.lastIndexOf('pad')).toBe(whole.ids.length - 1);
    expect(released!.kinds.indexOf('pad')).toBe(whole.tokens);
  });

  test('of a tokenizer alone has no plan, and of a picture alone no sequence', async () => {
    const { tokenizer } = planner;
    const words = await seenCase({
      name: 'b',
      image,
      tokenizer: tokenizer as TextTokenizer,
      wording,
      fields,
    });
    expect(words.plan).toBeNull();
    expect(words.sequences.map(({ label }) => label)).toEqual(['Fixed answer', 'As released']);
    const picture = await seenCase({ name: 'c', image });
    expect(picture).toMatchObject({ sequences: [], plan: null, known: null, camera: null });
    expect(picture.seen).toMatchObject({ width: 384, patch: 16 });
    expect(picture.seen.colors).toHaveLength(576);
  });
});
