import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderPlansPage } from '../lib/viewer/page.js';
import { fourStepPlan, oneStepPlan, straightCase } from './support/viewer-cases.js';
import { executablePath } from './support/chromium.js';

const hostile = '<img src=x onerror="document.title=1">';

describe.skipIf(!executablePath)('plans page in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wam-flow-page-'));
  const file = join(folder, 'plans.html');
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    writeFileSync(
      file,
      renderPlansPage(
        [
          straightCase('first-case', [oneStepPlan(), fourStepPlan()]),
          straightCase('second-case', [oneStepPlan()]),
          straightCase(hostile, [fourStepPlan()]),
        ],
        { title: 'Plans of a test', subtitle: 'synthetic' },
      ),
    );
    browser = await chromium.launch({
      executablePath,
      // Reading a picture back moves an accelerated canvas to the processor, whose edges differ.
      args: ['--no-sandbox', '--disable-accelerated-2d-canvas'],
    });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(
    width: number,
    height: number,
    colorScheme: 'light' | 'dark' = 'light',
    reducedMotion: 'reduce' | 'no-preference' = 'no-preference',
  ): Promise<void> {
    problems = [];
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme,
      reducedMotion,
    });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== pathToFileURL(file).href) problems.push(`loads ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    await frames();
  }

  async function close(): Promise<void> {
    expect(problems).toEqual([]);
    await page.context().close();
  }

  /** Lets the page draw what was asked of it. */
  const frames = (): Promise<unknown> =>
    page.evaluate('new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))');
  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? '';
  const pixels = `document.getElementById('map').getContext('2d').getImageData(0, 0, 700, 600).data`;
  /** Keeps the picture for {@link changed}. */
  const remember = (): Promise<unknown> => page.evaluate(`{ window.before = ${pixels}; 0 }`);
  /** How many pixels differ from the kept picture by more than the rounding between two drawings of it. */
  const changed = (): Promise<number> =>
    page.evaluate(`(() => {
      const now = ${pixels};
      let n = 0;
      for (let i = 0; i < now.length; i += 4) {
        if ([0, 1, 2].some((c) => Math.abs(now[i + c] - before[i + c]) > 3)) n++;
      }
      return n;
    })()`);
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await page.keyboard.press(key);
    await frames();
  };

  test('shows the first case with its last plan, its figures and every case in the list', async () => {
    await open(1280, 800);
    expect(await text('title')).toBe('Plans of a test');
    expect(await text('case-title')).toBe('first-case');
    expect(await text('case-facts')).toBe('straight on · 9.0 m/s · 1 other vehicle');
    expect(await text('refinement-text')).toBe('step 4 of 4, final plan');
    expect(await text('figure-ade')).toBe('0.00 m');
    expect(await text('figure-inertia')).toBe('2.25 m');
    expect(await text('figure-latency')).toBe('2.50 ms');
    expect(await page.locator('.case').count()).toBe(3);
    // Offsets of the one-step plan: 4 m (t / 4)^2 at t = 0.5 .. 4; mean 4 * 204 / 64 / 8.
    expect(await page.locator('.case').first().locator('b').allTextContents()).toEqual([
      '1.59',
      '0.00',
    ]);
    mkdirSync('out', { recursive: true });
    await page.screenshot({ path: 'out/plans-page.png' });
    await close();
  });

  test('the slider changes the drawn plan and its figures', async () => {
    await open(1280, 800);
    await remember();
    await page.locator('#refinement').fill('0');
    await frames();
    expect(await text('refinement-text')).toBe('step 1 of 4, first guess');
    expect(await text('figure-ade')).toBe('2.39 m'); // 6 * 204 / 64 / 8
    expect(await text('figure-fde')).toBe('6.00 m');
    expect(await changed()).toBeGreaterThan(1000);
    await press('ArrowRight', 'ArrowRight', 'ArrowRight');
    expect(await text('refinement-text')).toBe('step 4 of 4, final plan');
    expect(await changed()).toBe(0);
    await close();
  });

  test('draws each step in its colour, and not when the plan is hidden', async () => {
    await open(1280, 800);
    // The first guess is drawn in orange, and nothing else is once these layers are hidden.
    for (const name of ['Earlier guesses', 'Other samples', 'Recorded driver', 'Traffic']) {
      await page.getByRole('button', { name, exact: true }).click();
    }
    const orange = (): Promise<number> =>
      page.evaluate(`(() => {
        const data = ${pixels};
        let n = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i] > 200 && data[i + 1] < 140 && data[i + 2] < 60) n++;
        }
        return n;
      })()`);
    expect(await orange()).toBe(0);
    await page.locator('#refinement').fill('0');
    await frames();
    expect(await orange()).toBeGreaterThan(500);
    await page.getByRole('button', { name: 'Plan', exact: true }).click();
    await frames();
    expect(await orange()).toBe(0);
    await close();
  });

  test('plays from the first guess to the last, then drives to the end', async () => {
    await open(1280, 800, 'light', 'reduce');
    await page.locator('#play').click();
    await frames();
    expect(await text('play-text')).toBe('Pause');
    // By polling from here: the page's policy forbids the evaluation that waiting inside it needs.
    await expect.poll(() => text('refinement-text'), { timeout: 30_000 }).toContain('step 2');
    await expect.poll(() => text('time-text'), { timeout: 30_000 }).toBe('+4.0 s');
    await expect.poll(() => text('play-text')).toBe('Play');
    expect(await text('refinement-text')).toBe('step 4 of 4, final plan');
    await close();
  });

  test('keys choose case, plan, step, time, theme and view', async () => {
    await open(1280, 800);
    await remember();
    await press('ArrowDown');
    expect(await text('case-title')).toBe('second-case');
    expect(await text('refinement-text')).toBe('step 1 of 1, final plan');
    await press('ArrowUp', '1');
    expect(await text('figure-ade')).toBe('1.59 m');
    await press('2', 'ArrowLeft');
    expect(await text('refinement-text')).toBe('step 3 of 4');
    await press('.', '.', ',');
    expect(await text('time-text')).toBe('+0.1 s');
    await press('d');
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
    await press('d', ',', 'ArrowRight');
    expect(await changed()).toBe(0);
    await press('+');
    expect(await changed()).toBeGreaterThan(1000);
    await press('f');
    expect(await changed()).toBe(0);
    await press('?');
    expect(await page.locator('#keys').isVisible()).toBe(true);
    await close();
  });

  test('wheel and drag move the map', async () => {
    await open(1280, 800);
    const scale = await page.locator('#scale-bar').evaluate((bar) => bar.clientWidth);
    await page.mouse.move(640, 300);
    await page.mouse.wheel(0, 200);
    await frames();
    const smaller = await page.locator('#scale-bar').evaluate((bar) => bar.clientWidth);
    expect(smaller).not.toBe(scale);
    await remember();
    await page.mouse.down();
    await page.mouse.move(700, 340, { steps: 3 });
    await page.mouse.up();
    await frames();
    expect(await changed()).toBeGreaterThan(1000);
    await close();
  });

  test('names from files are text', async () => {
    await open(1280, 800);
    await press('ArrowDown', 'ArrowDown');
    expect(await text('case-title')).toBe(hostile);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('Plans of a test');
    await close();
  });

  test.each([
    ['phone', 390, 844],
    ['small phone', 320, 568],
    ['tablet', 820, 1180],
  ])(
    'fits a %s without scrolling sideways, map and controls in sight',
    async (_, width, height) => {
      await open(width, height, 'dark');
      const size = await page.evaluate(
        '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]',
      );
      expect(size).toEqual([width, height]);
      for (const id of ['map', 'play', 'refinement', 'time', 'figure-ade']) {
        const box = await page.locator(`#${id}`).boundingBox();
        expect(box, id).not.toBeNull();
        expect(box!.width, id).toBeGreaterThan(30);
        expect(box!.y + box!.height, id).toBeLessThanOrEqual(height);
      }
      await page.screenshot({ path: `out/plans-page-${width}.png` });
      await close();
    },
  );
});
