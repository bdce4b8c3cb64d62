import { createHash } from 'node:crypto';
import type { PageInfo } from './case.js';

/** What makes a page. */
export interface DocumentParts<Data extends PageInfo> {
  /** Content of the body. */
  markup: string;
  styles: string;
  /** One classic script; finds `data` as JSON in the element of that id. */
  script: string;
  data: Data;
}

/**
 * One self-contained HTML page. It loads nothing, and its content security policy admits this script and this style
 * sheet only: ids and names come from files and stay text whatever they hold.
 */
export function renderDocument<Data extends PageInfo>(parts: DocumentParts<Data>): string {
  const { markup, styles, script, data } = parts;
  const policy = `default-src 'none'; img-src data:; script-src '${digest(script)}'; style-src '${digest(styles)}'`;
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
