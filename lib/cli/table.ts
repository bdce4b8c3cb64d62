import { printable } from './style.js';

/** One column of {@link renderTable}. */
export interface Column {
  header: string;
  /** Default `left`; numbers read best `right`. */
  align?: 'left' | 'right';
  /** Applied to the padded cell, so colour does not disturb the widths. `row` counts from 0. */
  style?: (cell: string, row: number) => string;
}

/**
 * A plain table: header, rule, rows; columns two spaces apart, no trailing blanks. Control characters in cells are
 * replaced. An empty row (`[]`) prints as a blank line between groups.
 *
 * ```
 * scenario      steps    ADE
 * ────────────  ─────  ─────
 * curve             1   0.41
 * ```
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map((column, c) =>
    Math.max(width(column.header), ...cells.map((row) => width(row[c] ?? ''))),
  );
  const line = (row: readonly string[], styled: (cell: string, c: number) => string): string =>
    columns
      .map((column, c) => {
        const text = row[c] ?? '';
        const blank = ' '.repeat((widths[c] ?? 0) - width(text));
        // The last column is not padded on the right: no trailing blanks.
        const after = c === columns.length - 1 ? '' : blank;
        return styled(column.align === 'right' ? blank + text : text + after, c);
      })
      .join('  ')
      .trimEnd();
  return [
    line(
      columns.map((column) => column.header),
      (cell) => cell,
    ),
    widths.map((n) => '─'.repeat(n)).join('  '),
    ...cells.map((row, r) => line(row, (cell, c) => columns[c]?.style?.(cell, r) ?? cell)),
  ].join('\n');
}

function width(text: string): number {
  return [...text].length;
}
