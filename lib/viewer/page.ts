import { createHash } from 'node:crypto';
import script from './browser/main.ts?script';
import styles from './browser/page.css?text';
import markup from './browser/page.html?text';
import type { PageInfo, PlanCase } from './case.js';

const kDefaults: PageInfo = { title: 'wam-flow plans', subtitle: '' };

/**
 * One self-contained HTML page that shows every case on its map and the refinement of its plans.
 *
 * It loads nothing, and its content security policy admits this script and this style sheet only: ids and names come
 * from files and stay text whatever they hold.
 *
 * @param cases in the order of the list; at least one
 * @param info title and subtitle
 */
export function renderPlansPage(cases: readonly PlanCase[], info: Partial<PageInfo> = {}): string {
  const { title, subtitle } = { ...kDefaults, ...info };
  const policy = `default-src 'none'; img-src data:; script-src '${digest(script)}'; style-src '${digest(styles)}'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${styles}</style>
</head>
<body>
${markup}
<script type="application/json" id="data">${scriptJson({ title, subtitle, cases })}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** JSON that cannot end the script element it lies in, nor open a comment there. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
