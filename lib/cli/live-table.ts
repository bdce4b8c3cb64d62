// The figures of a run in a terminal, drawn over themselves: last, smoothed, best so far.

import { figuresOf, type LoggedEvent } from '../train/figures.js';
import { formatFigure, isFollowed, type Quantity, quantityOf } from '../train/quantities.js';
import { integer, Progress, type ProgressStream } from './progress.js';
import { printable } from './style.js';
import { type Column, renderTable } from './table.js';

/** Options of {@link LiveTable}. */
export interface LiveTableOptions {
  /** What is being done, one word: `train`. */
  label: string;
  /** Updates of the whole schedule, and those made before. */
  total: number;
  start: number;
  /** Figures of `step` events, in the order of the rows: `loss`, `seconds/rollout`. Default: all, as they come. */
  columns?: readonly string[];
  stream: ProgressStream;
  /** Milliseconds on a clock that never runs back. Default `performance.now`. */
  now?: () => number;
}

interface Row {
  quantity: Quantity;
  last: number;
  /** Sum of values and of weights, both fading by {@link kFade} an event. */
  sum: number;
  weight: number;
  best: number;
  bestStep: number;
}

// The smoothed value follows about the last ten events.
const kFade = 0.9;
const kRedrawMs = 100;

const kColumns: readonly Column[] = [
  { header: '' },
  { header: 'last', align: 'right' },
  { header: 'smoothed', align: 'right' },
  { header: 'best', align: 'right' },
  { header: 'at update', align: 'right' },
];

/** A table of figures under a line of progress. Only for terminals. */
export class LiveTable {
  readonly #options: LiveTableOptions;
  readonly #progress: Progress;
  readonly #now: () => number;
  readonly #rows = new Map<string, Row>();
  /** When each kind of event but `step` was last: `eval` at update 500. */
  readonly #moments = new Map<string, number>();
  #step: number;
  #height = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(options: LiveTableOptions) {
    const { label, total, start, stream, now = () => performance.now() } = options;
    this.#options = options;
    this.#now = now;
    this.#step = start;
    this.#progress = new Progress({ label, total, start, stream, now });
  }

  /** Takes the figures of an event without drawing: those of earlier parts of a run. */
  remember(event: LoggedEvent): void {
    if (event.type === 'start' || event.type === 'done') return;
    this.#step = Math.max(this.#step, event.step);
    if (event.type !== 'step') this.#moments.set(event.type, event.step);
    const of = event.type === 'step' ? '' : `${event.split ?? event.type} `;
    for (const { name, value } of figuresOf(event)) {
      if (isFollowed(event.type, name)) this.#note(event, `${of}${name}`, of, name, value);
    }
  }

  /** Takes the figures of an event and draws, at most ten times a second. */
  update(event: LoggedEvent): void {
    this.remember(event);
    const now = this.#now();
    if (now - this.#drawnAt < kRedrawMs) return;
    this.#drawnAt = now;
    this.#draw();
  }

  /** Writes a line of its own above the table. */
  log(text: string): void {
    this.#erase();
    this.#options.stream.write(`${text}\n`);
    this.#draw();
  }

  /** Draws the table for the last time; what follows is written below it. */
  finish(): void {
    this.#draw();
    this.#height = 0;
  }

  #note(event: LoggedEvent, key: string, of: string, name: string, value: number): void {
    const known = quantityOf(event.type, name);
    const quantity = { ...known, label: `${of}${known.label}` };
    const row = this.#rows.get(key);
    if (!row) {
      const { step } = event;
      this.#rows.set(key, {
        quantity,
        last: value,
        sum: value,
        weight: 1,
        best: value,
        bestStep: step,
      });
      return;
    }
    row.last = value;
    row.sum = kFade * row.sum + value;
    row.weight = kFade * row.weight + 1;
    if (quantity.better === 'low' ? value < row.best : value > row.best) {
      row.best = value;
      row.bestStep = event.step;
    }
  }

  #ordered(): Row[] {
    const rows = [...this.#rows.values()];
    const { columns } = this.#options;
    if (!columns) return rows;
    const steps = columns.flatMap((name) =>
      rows.filter(({ quantity }) => quantity.group === 'step' && quantity.name === name),
    );
    return [...steps, ...rows.filter(({ quantity }) => quantity.group !== 'step')];
  }

  #lines(): string[] {
    const cells = this.#ordered().map(({ quantity, last, sum, weight, best, bestStep }) => [
      quantity.unit ? `${quantity.label}, ${quantity.unit}` : quantity.label,
      formatFigure(last),
      quantity.group === 'step' ? formatFigure(sum / weight) : '',
      ...(quantity.better ? [formatFigure(best), integer(bestStep)] : []),
    ]);
    const moments = [...this.#moments].map(([type, step]) => `${type} at update ${integer(step)}`);
    return [
      this.#progress.status(this.#step),
      ...(cells.length > 0 ? renderTable(kColumns, cells).split('\n') : []),
      ...(moments.length > 0 ? [`last ${moments.join(', ')}`] : []),
    ];
  }

  #draw(): void {
    const { stream } = this.#options;
    // Lines that wrap, or more than the terminal has, could not be drawn over.
    const width = Math.max(20, (stream.columns ?? 80) - 1);
    const height = Math.max(1, (stream.rows ?? 24) - 1);
    const lines = this.#lines().slice(0, height);
    this.#erase();
    stream.write(
      lines.map((line) => `${[...printable(line)].slice(0, width).join('')}\n`).join(''),
    );
    this.#height = lines.length;
  }

  #erase(): void {
    if (this.#height > 0) this.#options.stream.write(`\u001b[${this.#height}A\r\u001b[J`);
    this.#height = 0;
  }
}
