import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderCurvesPage } from '../lib/viewer/curves-page.js';
import { executablePath } from './support/chromium.js';

const hostile = '<img src=x onerror="document.title=1">';

/** Loss alternates by 1 around a falling line; trials every 50 updates. */
function run(name: string, level: number) {
  const lines: { type: string; step: number; [field: string]: unknown }[] = [
    { type: 'start', step: 0, stage: 'sft' },
  ];
  for (let step = 10; step <= 200; step += 10) {
    const loss = level - step / 100 + (step % 20 === 0 ? 0.5 : -0.5);
    lines.push({ type: 'step', step, loss, lr: step === 200 ? 0 : 1e-3, gradNorm: step / 10 });
    if (step % 50 === 0) lines.push({ type: 'eval', step, split: 'val', ade: 1 / step });
  }
  return { name, lines };
}

describe.skipIf(!executablePath)('page of curves in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wam-flow-curves-page-'));
  const file = join(folder, 'curves.html');
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    const runs = [run('first', 4), run(hostile, 6)];
    writeFileSync(file, renderCurvesPage(runs, { subtitle: 'synthetic' }));
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(width = 1280, colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
    problems = [];
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== pathToFileURL(file).href) problems.push(`loads ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
  }

  async function close(): Promise<void> {
    expect(problems).toEqual([]);
    await page.context().close();
  }

  const chart = (name: string) =>
    page.locator('.chart', { has: page.getByText(name, { exact: true }) });
  const curves = (name: string) => chart(name).locator('path.curve');
  const drawn = (name: string) => curves(name).first().getAttribute('d');
  const marksOf = (name: string) => chart(name).locator('text[text-anchor=end]').allTextContents();
  /** Heights of the points of a path. */
  const heights = (path: string | null) =>
    [...path!.matchAll(/[ML]\S+ (\S+?)(?=L|$)/g)].map(([, y]) => Number(y));

  test('has a chart for each quantity, a curve for each run, dots at trials', async () => {
    await open();
    expect(await page.locator('.chart h2').allTextContents()).toEqual([
      'losslower is better',
      'learning rate',
      'gradient norm',
      'val ADEm, lower is better',
    ]);
    expect(await curves('loss').count()).toBe(2);
    expect(await chart('val ADE').locator('circle').count()).toBe(8);
    expect(await page.locator('#runs button').allTextContents()).toEqual([
      'firstsft, 200 updates',
      `${hostile}sft, 200 updates`,
    ]);
    expect(await page.locator('img').count()).toBe(0);
    mkdirSync('out', { recursive: true });
    await page.screenshot({ path: 'out/curves-page.png' });
    await close();
  });

  test('a curve is drawn where its axis says', async () => {
    await open();
    // gradNorm runs evenly from 1 to 20: unsmoothed, a straight line between its marks.
    await page.locator('#smoothing').fill('0');
    const points = heights(await drawn('gradient norm'));
    expect(points).toHaveLength(20);
    const marks = await chart('gradient norm').locator('text[text-anchor=end]').all();
    const at = new Map<string, number>();
    for (const mark of marks)
      at.set((await mark.textContent())!, Number(await mark.getAttribute('y')) - 4);
    expect(points[4]).toBeCloseTo(at.get('5')!, 0);
    expect(points[19]).toBeCloseTo(at.get('20')!, 0);
    await close();
  });

  test('the slider smooths what is measured at every step, and nothing else', async () => {
    await open();
    const [lr, ade] = [await drawn('learning rate'), await drawn('val ADE')];
    const jitter = async () => {
      const y = heights(await drawn('loss'));
      return y.slice(1).reduce((sum, value, i) => sum + Math.abs(value - y[i]!), 0);
    };
    await page.locator('#smoothing').fill('0');
    expect(await page.textContent('#smoothing-text')).toBe('off');
    expect(await chart('loss').locator('path.raw').count()).toBe(0);
    const rough = await jitter();
    await page.locator('#smoothing').fill('0.9');
    expect(await page.textContent('#smoothing-text')).toBe('0.90');
    expect(await chart('loss').locator('path.raw').count()).toBe(2);
    expect(await jitter()).toBeLessThan(rough / 3);
    expect([await drawn('learning rate'), await drawn('val ADE')]).toEqual([lr, ade]);
    await close();
  });

  test('log scale spaces by factors, and says where it cannot', async () => {
    await open();
    const even = await marksOf('val ADE');
    await page.keyboard.press('l');
    expect(await page.getAttribute('#log', 'aria-pressed')).toBe('true');
    // 1/50, 1/100, 1/150, 1/200: equal factors are equal distances.
    const [a, b, , d] = heights(await drawn('val ADE'));
    expect(b! - a!).toBeCloseTo(d! - b!, 0);
    expect(await marksOf('val ADE')).not.toEqual([]);
    expect(await chart('learning rate').locator('.note').textContent()).toMatch(/linear/);
    await page.locator('#log').click();
    expect(await marksOf('val ADE')).toEqual(even);
    await close();
  });

  test('says the values under the pointer, of every run', async () => {
    await open();
    await page.locator('#smoothing').fill('0');
    const box = (await chart('gradient norm').locator('svg').boundingBox())!;
    // The axis of updates runs from 52 px to 10 px before the end.
    await page.mouse.move(box.x + 52 + ((box.width - 62) * 101) / 200, box.y + 60);
    const readout = page.locator('#readout');
    expect(await readout.locator('p').textContent()).toBe('update 100');
    expect(await readout.locator('b').allTextContents()).toEqual(['10.00', '10.00']);
    expect(await readout.locator('span').allTextContents()).toEqual(['first', hostile]);
    // The same update is marked in every chart.
    expect(await page.locator('.cursor[visibility=visible]').count()).toBe(4);
    await page.mouse.move(5, 5);
    expect(await readout.isVisible()).toBe(false);
    await close();
  });

  test('the legend hides and shows runs', async () => {
    await open();
    const before = await drawn('loss');
    await page.locator('#runs button').nth(1).click();
    expect(await curves('loss').count()).toBe(1);
    expect(await drawn('loss')).not.toBe(before); // the axis fits what is left
    await page.locator('#runs button').nth(0).click();
    expect(await curves('loss').count()).toBe(0);
    for (const run of [0, 1]) await page.locator('#runs button').nth(run).click();
    expect(await drawn('loss')).toBe(before);
    await close();
  });

  test.each(['light', 'dark'] as const)('is %s as the system is, until D', async (scheme) => {
    await open(1280, scheme);
    const other = scheme === 'dark' ? 'light' : 'dark';
    expect(await page.getAttribute('html', 'data-theme')).toBe(scheme);
    await page.keyboard.press('d');
    expect(await page.getAttribute('html', 'data-theme')).toBe(other);
    await close();
  });

  test.each([320, 390, 820])('fits %i pixels without scrolling sideways', async (width) => {
    await open(width, 'dark');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    const box = (await chart('loss').boundingBox())!;
    expect(box.width).toBeGreaterThan(280);
    await close();
  });
});
