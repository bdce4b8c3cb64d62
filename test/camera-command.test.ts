import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeCameraData } from '../lib/camera/write.js';
import { cameraCommand } from '../lib/cli/camera.js';
import {
  CameraRenderer,
  kPlanWording,
  openConversations,
  patchLabelsOf,
  planConversation,
  readImage,
  scenePrompt,
  TextTokenizer,
} from '../lib/index.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioWindow } from '../lib/scenario/types.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';
import { runCommand } from './support/run-command.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-flow-camera-'));
let windows: readonly ScenarioWindow[];
beforeAll(async () => {
  ({ windows } = await readScenarios(join(import.meta.dirname, '../examples')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) => runCommand(cameraCommand(), args);

const rowsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('wam-flow camera', () => {
  test('writes pictures, a row each, and questions', async () => {
    const output = join(folder, 'all');
    const args = ['--output', output, '--size', '64', '--limit', '40', '--questions', '--json'];
    const json = JSON.parse(await run(...args));
    const n = Math.min(40, windows.length);
    expect(json).toMatchObject({ output, pictures: n, width: 64, height: 64, seed: 1 });
    expect(readdirSync(output).sort()).toEqual(
      ['camera.json', 'images', 'images.jsonl', 'questions.jsonl'].sort(),
    );
    const images = rowsOf(join(output, 'images.jsonl'));
    expect(images.map(({ id }) => id)).toEqual(windows.slice(0, n).map(({ id }) => id));
    for (const [i, row] of images.entries()) {
      const { recording, ego, t0, command } = windows[i];
      expect(row).toMatchObject({
        recording_id: recording.id,
        ego,
        t0,
        command,
        width: 64,
        height: 64,
      });
      const png = readFileSync(join(output, row.image));
      expect(png.readUInt32BE(16)).toBe(64);
    }
    const questions = rowsOf(join(output, 'questions.jsonl'));
    const total = Object.values(json.questions as Record<string, { questions: number }>);
    expect(questions).toHaveLength(total.reduce((sum, { questions: of }) => sum + of, 0));
    const ids = new Set(questions.map(({ id }) => id));
    expect(ids.size).toBe(questions.length);
    for (const { id, image, kind, conversations, answer } of questions) {
      const shown = images.find((row) => row.image === image);
      expect(id).toBe(`${shown.id}-${kind}`);
      expect(conversations).toMatchObject([{ role: 'user' }, { role: 'assistant' }]);
      expect(answer).toBeTypeOf('string');
    }
    expect(JSON.parse(readFileSync(join(output, 'camera.json'), 'utf8'))).toMatchObject({
      pictures: n,
    });
  });

  test('writes plans, with questions or without', async () => {
    const output = join(folder, 'plans');
    const args = ['--output', output, '--size', '32', '--limit', '30', '--plans', '--json'];
    const json = JSON.parse(await run(...args));
    const shown = windows.slice(0, 30);
    expect(readdirSync(output).sort()).toEqual([
      'camera.json',
      'images',
      'images.jsonl',
      'plans.jsonl',
    ]);
    const plans = rowsOf(join(output, 'plans.jsonl'));
    const images = rowsOf(join(output, 'images.jsonl'));
    expect(json).toMatchObject({
      questions: null,
      plans: { written: plans.length, leftOut: shown.length - plans.length },
    });
    expect(plans.length).toBeGreaterThan(0);
    for (const plan of plans) {
      const i = shown.findIndex(({ id }) => plan.id === `${id}-plan`);
      const { user, answer, fields } = planConversation(shown[i]);
      expect(plan).toEqual({
        id: `${shown[i].id}-plan`,
        image: images[i].image,
        kind: 'plan',
        split: shown[i].split,
        conversations: [
          { role: 'user', content: user },
          { role: 'assistant', content: answer },
        ],
        fields,
      });
    }
  });

  test('writes layouts with the pictures that show them', async () => {
    const output = join(folder, 'layouts');
    const args = ['--output', output, '--size', '64', '--limit', '20', '--layouts', '--json'];
    const json = JSON.parse(await run(...args));
    const rows = rowsOf(join(output, 'layouts.jsonl'));
    const count = (kind: string) => rows.filter((row) => row.kind === kind).length;
    expect(json.layouts).toEqual({ road: count('road'), road_users: count('road_users') });
    expect(count('road')).toBeGreaterThan(5);
    expect(count('road_users')).toBeGreaterThan(5);
    const images = rowsOf(join(output, 'images.jsonl'));
    for (const { id, image, kind, conversations } of rows) {
      expect(id).toBe(`${images.find((row) => row.image === image).id}-${kind}`);
      expect(conversations[1].content.split(',')).toHaveLength(16);
    }
  });

  test('writes what patches show, as many as were asked for', async () => {
    const output = join(folder, 'patches');
    const args = ['--output', output, '--size', '64', '--limit', '40', '--patches', '4', '--json'];
    const json = JSON.parse(await run(...args));
    const rows = rowsOf(join(output, 'patches.jsonl'));
    const images = rowsOf(join(output, 'images.jsonl'));
    expect(rows.map(({ image }) => image)).toEqual(images.map(({ image }) => image));
    const all = rows.map(({ patches }) => patches).join('');
    expect(json.patches.side).toBe(4);
    for (const [label, count] of Object.entries(json.patches.labels)) {
      expect([label, all.split(label).length - 1]).toEqual([label, count]);
    }
    expect(all).toHaveLength(16 * images.length);
    const size = { width: 64, height: 64 };
    await using camera = new CameraRenderer(size);
    const shown = windows.slice(35, 37);
    const frames = await camera.render(shown, { ids: true, depth: true });
    for (const [i, window] of shown.entries()) {
      expect(rows[35 + i].patches).toBe(patchLabelsOf(window, frames, i, 4, size));
    }
    const wide = ['--output', join(folder, 'wide'), '--size', '64', '--height', '32'];
    await expect(run(...wide, '--patches', '4')).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });

  test('writes what openConversations and VlaPlanner take as the same prompt', async () => {
    const output = join(folder, 'opened');
    await run(
      '--output',
      output,
      '--size',
      '32',
      '--limit',
      '6',
      '--plans',
      '--questions',
      '--layouts',
      '--patches',
      '2',
    );
    const tokenizer = new TextTokenizer(smallTokenizerFiles(), { imageTokens: 4 });
    const options = { tokenizer, imageSize: 24, answerTokens: 400 };
    const sets = ['plans', 'questions', 'layouts', 'patches'].map((name) => ({
      path: join(output, `${name}.jsonl`),
      name,
    }));
    await using mix = await openConversations(sets, options);
    for (const { rows, used, skipped } of mix.summary) expect([used, skipped]).toEqual([rows, {}]);
    const shown = windows.slice(0, 6);
    for (let i = 0; i < mix.summary[0].used; ++i) {
      const got = await mix.at('plans', i);
      const k = shown.findIndex(({ id }) => got.id === `${id}-plan`);
      const { fields, waypoints } = planConversation(shown[k]);
      expect(got).toMatchObject({ kind: 'plan', form: 'numbers' });
      const numbers = [...got.ids].filter((_, at) => got.counted[at]);
      expect(tokenizer.numbers.decodeAll(numbers)).toEqual(waypoints);
      const name = `${String(k).padStart(6, '0')}.png`;
      const picture = await readImage(join(output, 'images', name));
      const wording = { user: kPlanWording, imageSize: 24 };
      const prompt = await scenePrompt(tokenizer, wording, { images: [picture], fields });
      expect([...got.ids.slice(0, got.answerStart)]).toEqual([...Array.from(prompt.ids)]);
      expect(got.pixels).toEqual(prompt.pixels);
    }
    const questions = rowsOf(join(output, 'questions.jsonl'));
    for (const [i, { id, kind, answer }] of questions.entries()) {
      expect(await mix.at('questions', i)).toMatchObject({ id, kind, answer, form: 'text' });
    }
  });

  test('leaves windows out whose future is too short for a plan, and counts them', async () => {
    const output = join(folder, 'short');
    const short = { ...windows[0], id: 'short', future: 39 };
    const { plans } = await writeCameraData(output, [short, windows[0], short], {
      ...{ width: 32, height: 32, plans: true },
    });
    expect(plans).toEqual({ written: 1, leftOut: 2 });
    const [row] = rowsOf(join(output, 'plans.jsonl'));
    expect(row).toMatchObject({ id: `${windows[0].id}-plan`, image: 'images/000001.png' });
  });

  test('prints the shares of the answers for people, and nothing but them', async () => {
    const output = join(folder, 'people');
    const out = await run('--output', output, '--size', '32', '--limit', '8', '--questions');
    expect(out).toContain('most frequent answer');
    expect(out).toContain('caption');
    const bare = await run('--output', join(folder, 'bare'), '--size', '32', '--limit', '1');
    expect(bare).toBe('');
    expect(existsSync(join(folder, 'bare', 'questions.jsonl'))).toBe(false);
  });

  test('the same seed writes the same bytes, on any number of threads', async () => {
    const [a, b] = ['a', 'b'].map((name) => join(folder, name));
    const args = ['--size', '48', '--height', '32', '--limit', '5', '--seed', '9', '--questions'];
    await run('--output', a, ...args);
    await run('--output', b, ...args, '--threads', '2');
    for (const name of ['images.jsonl', 'questions.jsonl', 'camera.json', 'images/000003.png']) {
      expect(readFileSync(join(b, name))).toEqual(readFileSync(join(a, name)));
    }
  });

  test('replaces its own result when told, and nothing else', async () => {
    const output = join(folder, 'replaced');
    const args = ['--output', output, '--size', '32', '--limit', '1'];
    await run(...args);
    await expect(run(...args)).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    await run(...args, '--force');
    writeFileSync(join(output, 'mine.txt'), 'mine');
    await expect(run(...args, '--force')).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    expect(readFileSync(join(output, 'mine.txt'), 'utf8')).toBe('mine');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('leaves nothing behind when it is stopped or fails', async () => {
    const controller = new AbortController();
    const output = join(folder, 'stopped');
    const many = Array.from({ length: 20 }, () => windows).flat();
    const stopped = writeCameraData(output, many, {
      width: 32,
      height: 32,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    const bad = [...windows.slice(0, 40), { ...windows[0], t0: 1e6 }];
    const failing = writeCameraData(output, bad, { width: 32, height: 32, questions: true });
    await expect(failing).rejects.toMatchObject({ code: 'ERR_RANGE' });
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    mkdirSync(join(folder, 'file-in-the-way'));
    writeFileSync(join(folder, 'file-in-the-way', 'file'), '');
    const blocked = writeCameraData(join(folder, 'file-in-the-way', 'file'), windows.slice(0, 1));
    await expect(blocked).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });
});
