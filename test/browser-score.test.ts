import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderScorePage } from '../lib/viewer/score-page.js';
import { smallCase } from './support/score-cases.js';
import { executablePath } from './support/chromium.js';

const hostile = '<img src=x onerror="document.title=1">';

describe.skipIf(!executablePath)('score page in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wam-flow-score-'));
  const file = join(folder, 'scores.html');
  const url = pathToFileURL(file).href;
  const item = smallCase();
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    const bad = smallCase({ id: hostile, label: hostile, token: hostile });
    writeFileSync(file, renderScorePage([item, smallCase({}, 'v1'), bad], { title: 'Scores' }));
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(
    width: number,
    height: number,
    colorScheme: 'light' | 'dark' = 'light',
  ): Promise<void> {
    problems = [];
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== url) problems.push(`loads ${request.url()}`);
    });
    await page.goto(url);
    await frames();
  }

  async function close(): Promise<void> {
    expect(problems).toEqual([]);
    await page.context().close();
  }

  const frames = (): Promise<unknown> =>
    page.evaluate('new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))');
  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? '';
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await page.keyboard.press(key);
    await frames();
  };
  const picture = async (): Promise<string> =>
    (await page.locator('#map').screenshot()).toString('base64');

  test('lists scenes and trajectories with their scores, and chooses by line and key', async () => {
    await open(1280, 800);
    expect(await text('case-title')).toBe('small');
    expect(await page.locator('.case').count()).toBe(3);
    const shown = await page.locator('#table-body td.score').allTextContents();
    const scores = item.trajectories.map(({ score }) => score.toFixed(2));
    expect(shown).toEqual([...scores].sort((a, b) => Number(b) - Number(a)));
    await page.getByRole('button', { name: 'leave', exact: true }).click();
    await frames();
    expect(await text('chosen-name')).toBe('leave');
    expect(await text('failures')).toContain('front-left corner');
    const names = await page.locator('#table-body th').allTextContents();
    await press('ArrowUp');
    expect(await text('chosen-name')).toBe(names[names.indexOf('leave') - 1]);
    await page.getByRole('button', { name: 'DAC', exact: true }).click();
    await page.getByRole('button', { name: /^DAC/ }).first().click();
    await frames();
    expect(await page.locator('#table-body th').first().textContent()).toBe('leave');
    mkdirSync('out', { recursive: true });
    await page.screenshot({ path: 'out/score-page.png' });
    await close();
  });

  test('a lost mark is gone to by its sentence and by key', async () => {
    await open(1280, 800);
    const ram = item.trajectories[0]!;
    const hit = ram.failures.find(({ metric }) => metric === 'noAtFaultCollisions')!;
    const before = await picture();
    await page.locator('#failures button', { hasText: 'NC' }).click();
    await frames();
    expect(await text('time-text')).toBe(`${hit.timeS!.toFixed(1)} s of 4 s`);
    expect(await page.locator('#failures [aria-current]').textContent()).toContain('ahead');
    expect(await picture()).not.toBe(before);
    await press('Escape');
    expect(await page.locator('#failures [aria-current]').count()).toBe(0);
    const first = Math.min(...ram.failures.flatMap(({ step }) => step ?? []));
    await press('n');
    expect(await text('time-text')).toBe(`${(first / 10).toFixed(1)} s of 4 s`);
    await close();
  });

  test('slider, keys and play move the time and the picture', async () => {
    await open(1280, 800);
    const before = await picture();
    await page.locator('#time').fill('2');
    await frames();
    expect(await text('time-text')).toBe('2.0 s of 4 s');
    expect(await picture()).not.toBe(before);
    await press('.', '.', ',');
    expect(await text('time-text')).toBe('2.1 s of 4 s');
    await page.locator('#time').fill('3.5');
    await page.locator('#play').click();
    await expect.poll(() => text('time-text'), { timeout: 30_000 }).toBe('4.0 s of 4 s');
    await expect.poll(() => text('play-text')).toBe('Play');
    await close();
  });

  test('layers, theme and version change what is shown', async () => {
    await open(1280, 800);
    const before = await picture();
    await page.getByRole('button', { name: 'Its proposals', exact: true }).click();
    await frames();
    expect(await picture()).not.toBe(before);
    await page.getByRole('button', { name: 'Its proposals', exact: true }).click();
    await press('d');
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
    await press('PageDown');
    expect(await page.locator('#table-head th').count()).toBe(8);
    await close();
  });

  test('names from files are text', async () => {
    await open(1280, 800);
    await press('PageDown', 'PageDown');
    expect(await text('case-title')).toBe(hostile);
    expect(await text('chosen-name')).toBe(hostile);
    expect(await text('failures')).toContain(hostile);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('Scores');
    await close();
  });

  test.each([
    ['phone', 390, 844],
    ['small phone', 320, 568],
    ['tablet', 820, 1180],
    ['wide screen', 2560, 1440],
  ])('fits a %s', async (_, width, height) => {
    await open(width, height, 'dark');
    const size = await page.evaluate(
      '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]',
    );
    expect(size).toEqual([width, height]);
    for (const id of ['map', 'play', 'time', 'table-box', 'chosen-name']) {
      const box = await page.locator(`#${id}`).boundingBox();
      expect(box, id).not.toBeNull();
      expect(box!.y + box!.height, id).toBeLessThanOrEqual(height);
      expect(box!.height, id).toBeGreaterThan(10);
    }
    await page.screenshot({ path: `out/score-page-${width}.png` });
    await close();
  });
});
