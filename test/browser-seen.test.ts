import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  letterboxSync,
  renderSeenPage,
  type SeenCase,
  seenCase,
  TextTokenizer,
} from '../lib/index.js';
import { projectGround } from '../lib/viewer/project.js';
import { smallTokenizerFiles } from './support/small-tokenizer.js';
import { executablePath } from './support/chromium.js';

const hostile = '<img src=x onerror="document.title=1">';
const kSize = 96;

/** Left half red, right half blue, a green bar along the bottom. */
const image = { data: new Uint8Array(160 * 90 * 3), width: 160, height: 90 };
for (let y = 0; y < 90; y += 1) {
  for (let x = 0; x < 160; x += 1) {
    const color = y >= 75 ? [0, 200, 0] : x < 80 ? [200, 0, 0] : [0, 0, 200];
    image.data.set(color, (y * 160 + x) * 3);
  }
}
const camera = { fovDeg: 64, heightM: 1.6, pitchDeg: 5, forwardM: 0.4 };
const straight = (speed: number) =>
  Array.from({ length: 16 }, (_, i) => (i % 2 ? 0 : speed * (i + 2)));

describe.skipIf(!executablePath)('page of what a model sees in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wam-flow-seen-'));
  const file = join(folder, 'seen.html');
  let cases: SeenCase[];
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    const files = smallTokenizerFiles();
    files.processorConfig = { ...files.processorConfig, num_image_tokens: 36 };
    const tokenizer = new TextTokenizer(files);
    const wording = { user: `<image_placeholder>\n${hostile} go {command} at {vx}` };
    const options = {
      image,
      imageSize: kSize,
      tokenizer,
      wording,
      fields: { command: 'left', vx: 8.34 },
    };
    const one = await seenCase({ name: 'one', ...options, camera, known: straight(2) });
    const bent = straight(2).map((value, i) => (i % 2 ? i / 4 : value));
    const plan = {
      refinements: [straight(1), straight(1.5), bent],
      logProbability: Array.from(bent, (_, i) => Math.log((i + 1) / 20)),
      answer: bent.map((value) => value.toFixed(2)).join(','),
      complete: true,
      problems: [],
      detail: 'test, 3 steps',
    };
    cases = [
      { ...one, plan },
      { ...(await seenCase({ name: hostile, image })), known: straight(1) },
    ];
    writeFileSync(file, renderSeenPage(cases, { title: 'Seen by a test', subtitle: 'synthetic' }));
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-accelerated-2d-canvas'],
    });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(width = 1280, colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
    problems = [];
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      const isOwn =
        request.url().startsWith('data:image/png') || request.url() === pathToFileURL(file).href;
      if (!isOwn) problems.push(`loads ${request.url().slice(0, 80)}`);
    });
    await page.goto(pathToFileURL(file).href);
  }

  async function close(): Promise<void> {
    expect(problems).toEqual([]);
    await page.context().close();
  }

  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? '';

  test('shows the picture in its letterbox, the sequence, the masks and the plan', async () => {
    await open();
    expect(await text('title')).toBe('Seen by a test');
    expect(await text('case-facts')).toMatch(/^36 image tokens, \d+ positions of a sequence$/);
    expect(await text('original-text')).toBe("160 x 90 pixels, 1.67 of them to one of the model's");
    expect(await text('seen-text')).toBe(
      '96 x 96: picture 96 x 54, grey 21 above, 21 below, 0 left, 0 right; 6 x 6 patches of 16',
    );
    expect(await text('step-text')).toBe('step 3 of 3');
    expect(await text('answer')).toBe(cases[0]!.plan!.answer);
    expect(await page.locator('#tokens > .kind-filled').count()).toBe(16);
    expect(await page.locator('#tokens > .kind-number').allTextContents()).toEqual(['8.34']);
    expect(await text('masks-facts')).toMatch(/^\d+ positions, 36 of the picture, 16 filled in$/);
    mkdirSync('out', { recursive: true });
    await page.screenshot({ path: 'out/seen-page.png', fullPage: true });
    await close();
  });

  test("the model's picture is the letterboxed one, pixel for pixel; image tokens have its colours", async () => {
    await open();
    const drawn = (await page.evaluate(`(async () => {
      const image = new Image();
      image.src = document.querySelector('#seen image').getAttribute('href');
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = ${kSize};
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, ${kSize}, ${kSize}).data];
    })()`)) as number[];
    const rgb = drawn.filter((_, i) => i % 4 !== 3);
    expect(Uint8Array.from(rgb)).toEqual(letterboxSync(image, { size: kSize }).preview);
    // Row 2 is above the bar: red to the left, blue to the right. Row 0 is grey.
    const mosaic = (await page.evaluate(
      `[...document.querySelector('#tokens canvas').getContext('2d').getImageData(0, 0, 6, 6).data]`,
    )) as number[];
    const cell = (row: number, column: number) => mosaic.slice((row * 6 + column) * 4).slice(0, 3);
    expect(cell(2, 0)).toEqual([200, 0, 0]);
    expect(cell(2, 5)).toEqual([0, 0, 200]);
    expect(cell(0, 3)).toEqual([127, 127, 127]);
    await close();
  });

  test('a patch under the pointer is marked in both pictures and named', async () => {
    await open();
    const box = (await page.locator('#original svg').boundingBox())!;
    const [row, column] = [2, 4];
    await page.mouse.move(
      box.x + ((column + 0.5) * box.width) / 6,
      box.y + ((row + 0.5) * box.height) / 6,
    );
    const first = cases[0]!.sequences[0]!.kinds.indexOf('image');
    expect(await text('patch-text')).toBe(
      `patch 16: row 2, column 4, position ${first + 16} of the sequence, mean colour #0000c8`,
    );
    for (const id of ['original', 'seen']) {
      const mark = page.locator(`#${id} .patch`);
      expect(await mark.getAttribute('visibility')).toBe('visible');
      expect([await mark.getAttribute('x'), await mark.getAttribute('y')]).toEqual(['64', '32']);
    }
    await page.locator('#tokens > .kind-number').hover();
    const at = cases[0]!.sequences[0]!.texts.indexOf('8.34');
    const id = cases[0]!.sequences[0]!.ids[at];
    expect(await text('token-text')).toBe(`position ${at}: id ${id}, number says 8.34, given`);
    await close();
  });

  test('waypoints lie in the picture where the camera sees them', async () => {
    await open();
    const dots = await page.locator('#original circle.known').all();
    const expected = Array.from({ length: 8 }, (_, i) => {
      const [x, y] = projectGround(
        camera,
        image,
        cases[0]!.known![2 * i]!,
        cases[0]!.known![2 * i + 1]!,
      )!;
      return [(x * 96) / 160, 21 + (y * 54) / 90];
    });
    expect(dots.length).toBe(expected.filter(([, y]) => y! <= 75).length);
    expect(dots.length).toBeGreaterThan(3);
    const shown = expected.filter(([, y]) => y! <= 75);
    for (const [i, dot] of dots.entries()) {
      expect(Number(await dot.getAttribute('cx'))).toBeCloseTo(shown[i]![0]!, 3);
      expect(Number(await dot.getAttribute('cy'))).toBeCloseTo(shown[i]![1]!, 3);
    }
    await page.keyboard.press('w');
    expect(await page.locator('#original circle').count()).toBe(0);
    await page.keyboard.press('g');
    expect(await page.locator('.patches').count()).toBe(0);
    await close();
  });

  test('the slider and arrows walk through the refinement', async () => {
    await open();
    const numbers = async () =>
      (await page.locator('#numbers div').allTextContents()).map(Number.parseFloat);
    expect(await numbers()).toEqual(cases[0]!.plan!.refinements[2]);
    expect(await page.locator('#numbers .changed').count()).toBe(16);
    expect(await page.locator('#above .early').count()).toBe(2);
    expect(await page.locator('#numbers small').first().textContent()).toBe('x1 5.0 %');
    await page.keyboard.press('ArrowLeft');
    expect(await text('step-text')).toBe('step 2 of 3');
    expect(await page.locator('#numbers .changed').count()).toBe(8); // y stays 0
    await page.locator('#step').fill('0');
    expect(await numbers()).toEqual(cases[0]!.plan!.refinements[0]);
    expect(await page.locator('#above .early').count()).toBe(0);
    await close();
  });

  test('the released form has pads, and all behind the marker is filled in', async () => {
    await open();
    await page.getByRole('button', { name: 'As released' }).click();
    const released = cases[0]!.sequences[1]!;
    expect(released.ids).toHaveLength(536); // 500 for text, 36 of the picture
    const pads = released.kinds.filter((kind) => kind === 'pad').length;
    expect(await page.locator('#tokens > .kind-pad').textContent()).toBe(`pad × ${pads}`);
    expect(await text('masks-facts')).toBe(
      `536 positions, 36 of the picture, ${536 - released.answerStart} filled in`,
    );
    await close();
  });

  test('names and prompts from files are text; pictures are chosen in the strip', async () => {
    await open();
    expect(await page.locator('#tokens').textContent()).toContain('onerror');
    await page.locator('#thumbs button').nth(1).click();
    expect(await text('case-title')).toBe(hostile);
    expect(await text('plan-title')).toBe('Waypoints');
    expect(await page.locator('#step').isVisible()).toBe(false);
    expect(await page.locator('#sequence-card').isVisible()).toBe(false);
    await page.keyboard.press(',');
    expect(await text('case-title')).toBe('one');
    expect(await page.title()).toBe('Seen by a test');
    await close();
  });

  test.each([320, 390, 820])('fits %i pixels without scrolling sideways', async (width) => {
    await open(width, 'dark');
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    const box = (await page.locator('#seen svg').boundingBox())!;
    expect(box.width).toBeGreaterThan(240);
    await page.screenshot({ path: `out/seen-page-${width}.png`, fullPage: true });
    await close();
  });
});
