import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { renderPlansPage } from '../lib/viewer/page.js';
import { scriptJson } from '../lib/viewer/document.js';
import { fourStepPlan, oneStepPlan, straightCase } from './support/viewer-cases.js';

const hostile = `</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> "'&`;

/** Text between the first `open` and the next `close`. */
function between(text: string, open: string, close: string): string {
  const from = text.indexOf(open) + open.length;
  expect(from).toBeGreaterThanOrEqual(open.length);
  return text.slice(from, text.indexOf(close, from));
}

describe('plans page', () => {
  const cases = [straightCase('plain', [oneStepPlan(), fourStepPlan()])];
  const html = renderPlansPage(cases, { title: 'Plans', subtitle: 'a & b' });

  test('loads nothing from anywhere', () => {
    expect(html).not.toMatch(/\b(src|href)\s*=/);
    expect(html).not.toMatch(/\bimport\s*\(|\bfetch\s*\(|@import|url\(/);
  });

  test('carries the cases unchanged', () => {
    const json = between(html, '<script type="application/json" id="data">', '</script>');
    expect(JSON.parse(json)).toEqual({ title: 'Plans', subtitle: 'a & b', cases });
  });

  test('its policy admits exactly its own script and style', () => {
    const policy = between(html, 'http-equiv="Content-Security-Policy" content="', '"');
    const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
    expect(policy).toContain(`script-src '${hash(between(html, '<script>', '</script>'))}'`);
    expect(policy).toContain(`style-src '${hash(between(html, '<style>', '</style>'))}'`);
    expect(policy).toContain("default-src 'none'");
  });

  test('names from files stay text', () => {
    const page = renderPlansPage([straightCase(hostile, [fourStepPlan(hostile)])], {
      title: hostile,
    });
    expect(page).not.toContain('alert(1)</script>');
    expect(page).not.toContain('<img');
    expect(page.match(/<script/g)?.length).toBe(2);
    const json = between(page, '<script type="application/json" id="data">', '</script>');
    expect(JSON.parse(json).cases[0].id).toBe(hostile);
  });

  test('embedded JSON has no character that HTML or a script could misread', () => {
    const text = scriptJson({ text: `${hostile}\u2028\u2029` });
    expect(text).not.toMatch(/[<>\u2028\u2029]/);
    expect(JSON.parse(text).text).toBe(`${hostile}\u2028\u2029`);
  });
});
