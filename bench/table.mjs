// Text tables.

/** Three significant digits, whole numbers from 100 on. */
export function figure(value) {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'number') return String(value);
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** Columns aligned with spaces; texts to the left, numbers to the right. */
export function textTable(heads, rows) {
  const cells = rows.map((row) => row.map(figure));
  const widths = heads.map((head, i) =>
    Math.max(head.length, ...cells.map((row) => row[i].length)),
  );
  const line = (row, pad) =>
    row
      .map((cell, i) => (pad(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  const numeric = (i) => rows.every((row) => typeof row[i] !== 'string');
  return [line(heads, numeric), ...cells.map((row) => line(row, numeric))].join('\n');
}

/** The same as Markdown. */
export function markdownTable(heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(heads),
    line(heads.map(() => '---')),
    ...rows.map((row) => line(row.map(figure))),
  ].join('\n');
}
