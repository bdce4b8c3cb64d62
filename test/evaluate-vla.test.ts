// Vision-language planners in evaluation: what they are shown, what is measured, and the command. Weights are random, so
// figures mean nothing here; that each is of the right plans does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planConversation } from '../lib/camera/plan-conversation.js';
import { writeCameraData } from '../lib/camera/write.js';
import { evaluateCommand } from '../lib/cli/evaluate.js';
import { isJanusDirectory } from '../lib/vla/is-janus-directory.js';
import { evaluateClosedLoop } from '../lib/eval/closed-loop.js';
import { compareVla, evaluateVla, runVla } from '../lib/eval/evaluate-vla.js';
import { scorePlans } from '../lib/eval/pdm-pass.js';
import { shuffledCommands } from '../lib/eval/shuffle-commands.js';
import { cameraOf, visionPlanner } from '../lib/eval/vision-planner.js';
import { windowFigures } from '../lib/eval/window-figures.js';
import { CameraPictures, greyPictures } from '../lib/eval/window-pictures.js';
import { renderCamera } from '../lib/camera/camera.js';
import { futureFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData, ScenarioWindow } from '../lib/scenario/types.js';
import { type SceneView, VlaPlanner, type VlaPlanOptions } from '../lib/index.js';
import { JanusFolder } from './support/janus-folder.js';
import { rejectionCode } from './support/reference.js';
import { kImageSize, tinyVla } from './support/tiny-vla.js';
import { runCommand } from './support/run-command.js';

const folder = new JanusFolder();
let data: ScenarioData;
let windows: readonly ScenarioWindow[];
let directory: string;
let planner: VlaPlanner;

beforeAll(async () => {
  data = await readScenarios(join(import.meta.dirname, '../examples'));
  ({ windows } = data);
  directory = await tinyVla(folder);
  planner = await VlaPlanner.load(directory, { device: 'cpu', maxTokens: 256 });
});
afterAll(async () => {
  await planner.close();
  folder.remove();
});

const kOptions = { steps: 2 } as const;

/** The planner, which also writes down what it is asked. */
function listening(of: VlaPlanner, calls: { view: SceneView; options: VlaPlanOptions }[]) {
  return new Proxy(of, {
    get(target, name) {
      if (name === 'planView') {
        return (view: SceneView, options: VlaPlanOptions) => {
          calls.push({ view, options });
          return target.planView(view, options);
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A planner whose plans are what the drivers did; it recognises a window by its picture. */
async function clairvoyant(): Promise<VlaPlanner> {
  const side = { width: kImageSize, height: kImageSize };
  const { rgb } = await renderCamera(windows, side);
  const bytes = 3 * kImageSize ** 2;
  return {
    ...{ waypoints: 8, coordinates: 3, wording: planner.wording, model: planner.model },
    defaults: planner.defaults,
    posesOf: (poses: Float32Array) => poses,
    async planView({ images: [image] }: SceneView) {
      const i = windows.findIndex((_, k) =>
        Buffer.from(image!.data).equals(rgb.subarray(k * bytes, (k + 1) * bytes)),
      );
      const poses = Float32Array.from(futureFromWindow(windows[i]!).poses);
      return { trajectory: poses, poses, samples: [poses] };
    },
  } as unknown as VlaPlanner;
}

describe('a vision-language planner in evaluation', () => {
  test('is shown the picture of its camera, the command and the state of the ego, and no more', async () => {
    const calls: { view: SceneView; options: VlaPlanOptions }[] = [];
    const { plans } = await runVla(listening(planner, calls), windows, { ...kOptions, seeds: 2 });
    expect(calls).toHaveLength(2 * windows.length);
    const side = { width: kImageSize, height: kImageSize };
    for (const [i, window] of windows.entries()) {
      const { view, options } = calls[i]!;
      const { rgb } = await renderCamera(window, side);
      expect(view).toEqual({
        images: [{ data: rgb, ...side }],
        fields: planConversation(window).fields,
      });
      expect(options).toMatchObject({ ...kOptions, seed: i, decode: 'median', rule: 'renoise' });
      expect(plans[0]![i]).toEqual((await planner.planView(view, options)).poses);
    }
    expect(calls[windows.length]!.options.seed).toBe(2 ** 24);
  });

  test('which knows the future is level with the recorded driver', async () => {
    const { means, figures, failed } = await evaluateVla(await clairvoyant(), windows);
    expect(means.ade!.mean).toBeLessThan(1e-4);
    const recorded = windows.map((window) => futureFromWindow(window).poses);
    const pass = await scorePlans(windows, [[recorded]], { signal: undefined, onWindow() {} });
    for (const [i, score] of pass.values[0]!.pdms.score.entries()) {
      expect(figures['pdms.score']![i]).toBeCloseTo(score, 4);
    }
    expect(failed).toEqual(pass.failed);
    expect(means.collisionAtFault!.mean).toBe(0);
  });

  test('plans otherwise without the picture, and with another command', async () => {
    const plain = await evaluateVla(planner, windows, kOptions);
    const again = await evaluateVla(planner, windows, kOptions);
    expect(again.figures).toEqual(plain.figures);
    for (const change of [{ blank: true }, { command: 'shuffled' }] as const) {
      const other = await evaluateVla(planner, windows, { ...kOptions, ...change });
      expect(other.plans).not.toEqual(plain.plans);
      const differences = compareVla(other, plain, windows);
      expect(differences.ade!.mean).toBeCloseTo(other.means.ade!.mean - plain.means.ade!.mean, 9);
      expect(differences.ade!.ci[0]).toBeLessThanOrEqual(differences.ade!.mean);
    }
    // Blank pictures are the same whatever the window.
    const blank = visionPlanner(planner, { pictures: greyPictures });
    const options = {
      steps: 1,
      samples: 1,
      seed: 0,
      temperature: 1,
      coupling: 'independent',
    } as const;
    const how = {
      ...options,
      decode: 'median',
      lastDecode: 'median',
      rule: 'renoise',
      reduce: 'first',
    } as const;
    const [a, b] = [windows[0]!, { ...windows[1]!, command: windows[0]!.command }];
    const { fields } = planConversation(a);
    const one = await blank.plan({} as never, how, a);
    const same = await planner.planView(
      { images: [{ data: new Uint8Array(1200).fill(127), width: 20, height: 20 }], fields },
      how,
    );
    expect(one.trajectory).toEqual(same.poses);
    await expect(blank.plan({} as never, { ...how, reduce: 'search' }, b)).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
    });
  });

  test('needs words, and plans of 8 waypoints', async () => {
    const pictures = greyPictures;
    const mute = { ...planner, waypoints: 8, wording: null } as unknown as VlaPlanner;
    expect(() => visionPlanner(mute, { pictures })).toThrow(/wording/);
    const short = { waypoints: 6, wording: planner.wording } as unknown as VlaPlanner;
    expect(() => visionPlanner(short, { pictures })).toThrow(/8 waypoints/);
  });

  test('drives in closed loop by what the camera sees on the way', async () => {
    const seen: SceneView[] = [];
    const straight = {
      ...{ waypoints: 8, coordinates: 2, wording: planner.wording, model: planner.model },
      async planView(view: SceneView) {
        seen.push(view);
        const { vx } = view.fields as { vx: number };
        const poses = Float32Array.from({ length: 24 }, (_, k) =>
          k % 3 === 0 ? vx * 0.5 * (Math.floor(k / 3) + 1) : 0,
        );
        return { trajectory: poses, poses, samples: [] };
      },
    } as unknown as VlaPlanner;
    const pictures = new CameraPictures(cameraOf(planner));
    const run = { samples: 1, reduce: 'medoid', temperature: 1, coupling: 'independent' } as const;
    const settings = [{ steps: 1, decode: 'median', rule: 'renoise' }] as const;
    const drives = await evaluateClosedLoop(
      { planner: visionPlanner(straight, { pictures }), name: 'straight', settings, run },
      data,
      { split: 'all', limit: 1, resamples: 10 },
    );
    await pictures.close();
    const { ade } = drives.rows.at(-1)!;
    const constant = drives.rows.find(({ planner: name }) => name === 'constant velocity')!;
    expect(ade).toBeCloseTo(constant.ade!, 1);
    expect(seen.length).toBeGreaterThan(7);
    expect(seen[1]!.images[0]!.data).not.toEqual(seen[0]!.images[0]!.data);
  });

  test('can be aborted', async () => {
    const controller = new AbortController();
    const run = runVla(planner, windows, {
      ...kOptions,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
  });

  test('pictures are rendered once for who asks again', async () => {
    const pictures = new CameraPictures({ ...cameraOf(planner), varied: false });
    const one = await pictures.of(windows[0]!);
    expect(await pictures.of(windows[0]!)).toBe(one);
    expect((await pictures.of(windows[1]!)).data).not.toEqual(one.data);
    await pictures.close();
    expect(await rejectionCode(pictures.of({ ...windows[0]! }))).toBe('ERR_CLOSED');
  });
});

describe('shuffled commands', () => {
  const withCommands = (...commands: ScenarioWindow['command'][]) =>
    commands.map((command, i) => ({ ...windows[0]!, id: String(i), command }));

  test('differ from the window’s own, are of other windows and depend on the seed', () => {
    const many = withCommands(
      ...Array.from({ length: 60 }, (_, i) =>
        i % 6 === 0 ? 'left' : i % 7 === 0 ? 'right' : 'straight',
      ),
    );
    const shuffled = shuffledCommands(many, 4);
    for (const [i, { command }] of many.entries()) expect(shuffled[i]).not.toBe(command);
    expect(shuffledCommands(many, 4)).toEqual(shuffled);
    expect(shuffledCommands(many, 5)).not.toEqual(shuffled);
    expect(new Set(shuffled)).toEqual(new Set(['left', 'right', 'straight']));
  });

  test('need different commands', () => {
    expect(() => shuffledCommands(withCommands('left', 'left'))).toThrow(
      expect.objectContaining({ code: 'ERR_SCENARIO' }),
    );
  });
});

test('figures of a window: at-fault collisions are those that NC counts', () => {
  const nan = Number.NaN;
  const values = { ade: Float64Array.of(1, 2, 3) } as never;
  const pdm = {
    pdms: { noAtFaultCollisions: Float64Array.of(1, 0.5, nan) },
    epdms: {},
    epdmsUnfiltered: {},
  } as never;
  expect(windowFigures(values, pdm)).toMatchObject({
    ade: Float64Array.of(1, 2, 3),
    collisionAtFault: Float64Array.of(0, 1, nan),
  });
});

describe('wam-flow evaluate with a Janus directory', () => {
  const run = (...args: string[]) => runCommand(evaluateCommand(), args);
  const flags = ['--steps', '1', '--decode', 'median', '--resamples', '20', '--device', 'cpu'];

  test('knows one from others', async () => {
    expect(await isJanusDirectory(directory)).toBe(true);
    expect(await isJanusDirectory('mini')).toBe(false);
    expect(await isJanusDirectory(join(import.meta.dirname, '../models/mini'))).toBe(false);
  });

  test('prints rows of the model, without its picture and with other commands', async () => {
    const args = ['--model', directory, '--blank-image', '--shuffle-command', ...flags];
    const { rows, reference, n } = JSON.parse(await run(...args, '--json'));
    expect(n).toBe(windows.length);
    const [intact, blank, shuffled] = rows.slice(-3);
    expect(rows[reference]).toEqual(intact);
    expect(intact).toMatchObject({ planner: directory, steps: 1, latencyMs: null });
    expect(blank.planner).toBe(`${directory}, picture blanked`);
    expect(shuffled.planner).toBe(`${directory}, command shuffled`);
    expect(blank.difference.ade.mean).toBeCloseTo(blank.ade - intact.ade, 9);
    const { means } = await evaluateVla(planner, windows, { steps: 1 });
    expect(intact.ade).toBeCloseTo(means.ade!.mean, 9);
    expect(intact.pdm.pdms.score).toBeCloseTo(means['pdms.score']!.mean, 9);
    expect(await run(...args)).toContain('picture blanked');
  });

  test('asks questions', async () => {
    const camera = join(mkdtempSync(join(tmpdir(), 'wam-vla-')), 'camera');
    await writeCameraData(camera, windows, { questions: true, width: 24, height: 24 });
    const args = [
      '--model',
      directory,
      '--questions',
      join(camera, 'questions.jsonl'),
      '--device',
      'cpu',
    ];
    const json = JSON.parse(
      await run(...args, '--steps', '1', '--limit', '12', '--blank-image', '--json'),
    );
    expect(json.all.n).toBe(json.answers.length);
    expect(json.all.n).toBe(12);
    expect(json.blankImage.all.n).toBe(json.all.n);
    expect(json.kinds).not.toHaveProperty('caption');
    const table = await run(...args, '--limit', '5');
    expect(table).toMatch(/all +5/);
    rmSync(join(camera, '..'), { recursive: true });
  });

  test('refuses what does not go together', async () => {
    const code = (...args: string[]) => rejectionCode(run(...args));
    expect(await code('--blank-image', ...flags)).toBe('ERR_USAGE');
    expect(await code('--questions', 'x.jsonl')).toBe('ERR_USAGE');
    expect(await code('--model', directory, '--reduce', 'search', ...flags)).toBe('ERR_USAGE');
    expect(await code('--model', directory, '--questions', 'x', '--shuffle-command')).toBe(
      'ERR_USAGE',
    );
    expect(await code('--model', directory, '--questions', join(directory, 'no.jsonl'))).toBe(
      'ERR_IO',
    );
    const bare = await tinyVla(folder);
    writeFileSync(join(bare, 'wam_flow.json'), '{}');
    expect(await code('--model', bare, ...flags)).toBe('ERR_CONFIG');
    rmSync(join(bare, 'wam_flow.json'));
    expect(await code('--model', bare, '--questions', 'x.jsonl')).toBe('ERR_IO');
    expect(await code('--model', bare, ...flags)).toBe('ERR_CONFIG');
  });
});
