import { createHash } from 'node:crypto';
import shell from './browser/shell.html?text';
import shellStyles from './browser/shell.css?text';
import type { PageInfo } from './case.js';

/** What makes a page of the shell: its own markup, styles, script and data. */
export interface PageParts<Data extends PageInfo> {
  /** The `aside` beside the map, what the dock holds beside the play button, and the help. */
  figures: string;
  sliders: string;
  keys: string;
  /** Label of the list, and what a screen reader says about the map's keys. */
  list: string;
  hint: string;
  /** Come after the shell's. */
  styles: string;
  /** One classic script; finds `data` as JSON in the element of that id. */
  script: string;
  data: Data;
}

/**
 * One self-contained HTML page. It loads nothing, and its content security policy admits this script and this style
 * sheet only: ids and names come from files and stay text whatever they hold.
 */
export function renderShell<Data extends PageInfo>(parts: PageParts<Data>): string {
  const { script, data } = parts;
  const styles = `${shellStyles}\n${parts.styles}`;
  const policy = `default-src 'none'; img-src data:; script-src '${digest(script)}'; style-src '${digest(styles)}'`;
  const markup = shell.replace(
    /\{\{(figures|sliders|keys|list|hint)\}\}/g,
    (_, slot: 'figures' | 'sliders' | 'keys' | 'list' | 'hint') => parts[slot].trimEnd(),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(data.title)}</title>
<style>${styles}</style>
</head>
<body>
${markup}
<script type="application/json" id="data">${scriptJson(data)}</script>
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
