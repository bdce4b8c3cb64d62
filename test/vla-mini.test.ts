// The vision-language model of the package: that it is there, plans from what it is shown, and looks.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CameraRenderer,
  generateScenarios,
  inspectCheckpoint,
  kBundledVlaModels,
  type ScenarioWindow,
  VlaPlanner,
} from '../lib/index.js';
import { planConversation } from '../lib/camera/plan-conversation.js';
import { isJanusDirectory } from '../lib/vla/is-janus-directory.js';

const folder = join(import.meta.dirname, '../models/vla-mini');

test('vla-mini is in the package by its name, at most 20 MB', async () => {
  expect(kBundledVlaModels).toEqual(['vla-mini']);
  const bytes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(20e6);
  expect(await isJanusDirectory('vla-mini')).toBe(true);
  const { directory, dtypes, warnings } = await inspectCheckpoint('vla-mini', {
    checkValues: true,
  });
  expect(directory).toBe(folder);
  expect(Object.keys(dtypes)).toEqual(['BF16']);
  expect(warnings).toEqual([]);
});

describe('plans of vla-mini', () => {
  const kWindows = 48;
  let planner: VlaPlanner;
  let windows: readonly ScenarioWindow[];
  let pictures: Uint8Array[];
  const side = 192;

  beforeAll(async () => {
    planner = await VlaPlanner.load('vla-mini', { device: 'cpu' });
    // A seed that neither training nor docs/results.md uses.
    const scenes = await generateScenarios({ windows: kWindows, seed: 77, valShare: 1 });
    windows = scenes.windows.slice(0, kWindows);
    await using camera = new CameraRenderer({ width: side, height: side });
    const { rgb } = await camera.render(windows);
    pictures = windows.map((_, i) => rgb.slice(i * 3 * side ** 2, (i + 1) * 3 * side ** 2));
  }, 120_000);
  afterAll(() => planner.close());

  const plan = (i: number, change: { picture?: Uint8Array; command?: string } = {}) => {
    const { picture = pictures[i]!, command } = change;
    const { fields } = planConversation(windows[i]!);
    const image = { data: picture, width: side, height: side };
    const view = { images: [image], fields: command ? { ...fields, command } : fields };
    return planner.planView(view);
  };

  /** Mean distance from what was driven, metres, over all windows. */
  async function error(change: (i: number) => Parameters<typeof plan>[1]): Promise<number> {
    let sum = 0;
    for (let i = 0; i < windows.length; i += 1) {
      const { trajectory } = await plan(i, change(i));
      const { waypoints } = planConversation(windows[i]!);
      for (let k = 0; k < 16; k += 2) {
        const [dx, dy] = [trajectory[k]! - waypoints![k]!, trajectory[k + 1]! - waypoints![k + 1]!];
        sum += Math.hypot(dx, dy) / (8 * windows.length);
      }
    }
    return sum;
  }

  test('are those of its directory by default: 8 waypoints, one step, medians', async () => {
    expect(planner.defaults).toMatchObject({ steps: 1, rule: 'renoise', decode: 'median' });
    expect(planner.settings).toMatchObject({
      plan: { waypoints: 8, coordinates: 2 },
      mask: 'prefix',
    });
    const { fields } = planConversation(windows[0]!);
    const image = { data: pictures[0]!, width: side, height: side };
    const { trajectory, poses, refinements } = await planner.planView({ images: [image], fields });
    expect([trajectory.length, poses.length, refinements.length]).toEqual([16, 24, 1]);
    expect(await plan(1)).toMatchObject({ trajectory: (await plan(1)).trajectory });
  });

  test('are near what was driven, farther without the picture, and with other commands', async () => {
    const given = await error(() => ({}));
    const blank = await error(() => ({ picture: new Uint8Array(3 * side ** 2).fill(128) }));
    const turned = await error((i) => {
      const { command } = planConversation(windows[i]!).fields;
      return { command: command === 'turn left' ? 'turn right' : 'turn left' };
    });
    expect(given).toBeLessThan(1.5);
    // Measured 1.20 and 1.48 times; another instruction set rounds otherwise.
    expect(blank).toBeGreaterThan(1.1 * given);
    expect(turned).toBeGreaterThan(1.3 * given);
  });
});
