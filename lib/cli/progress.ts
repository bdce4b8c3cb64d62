/** Where progress is written; `process.stderr` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/** Options of {@link Progress}. */
export interface ProgressOptions {
  /** What is being done, one word: `train`. */
  label: string;
  /** Units in all; without it no bar and no time left. */
  total?: number;
  /** Units done before this run (a resumed one): they do not count for the rate. Default 0. */
  start?: number;
  /** Plural name of a unit. Default `steps`. */
  unit?: string;
  /** Print nothing at all; commands pass their `--json`. Default false. */
  silent?: boolean;
  /** Default `process.stderr`. */
  stream?: ProgressStream;
  /** Milliseconds on a clock that never runs back. Default `performance.now`. */
  now?: () => number;
}

// A terminal line is redrawn at most ten times a second; a log file gets a line every 15 s.
const kTerminalMs = 100;
const kLogMs = 15_000;
// The rate follows the last ~10 s, so a pause or a slow start does not spoil the time left for long.
const kRateMs = 10_000;
const kBarCells = 24;

/**
 * A line on stderr with share, count, rate and time left. On a terminal it redraws itself; in a log it becomes a plain
 * line now and then.
 */
export class Progress {
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #unit: string;
  readonly #silent: boolean;
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #began: number;
  readonly #start: number;
  #rate = 0; // units per second
  #rateAt: number;
  #rateDone: number;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #done: number;
  #note = '';
  #open = false;

  constructor(options: ProgressOptions) {
    this.#label = options.label;
    this.#total = options.total;
    this.#unit = options.unit ?? 'steps';
    this.#silent = options.silent ?? false;
    this.#stream = options.stream ?? process.stderr;
    this.#now = options.now ?? (() => performance.now());
    this.#start = options.start ?? 0;
    this.#done = this.#start;
    this.#rateDone = this.#start;
    this.#began = this.#now();
    this.#rateAt = this.#began;
    if (this.#stream.isTTY !== true) this.#drawnAt = this.#began;
  }

  /** `done` units are finished; `note` is shown at the end of the line (`loss 3.61`). Cheap: draws rarely. */
  update(done: number, note = ''): void {
    if (this.#silent) return;
    this.#done = done;
    this.#note = note;
    const now = this.#now();
    if (now - this.#drawnAt < (this.#stream.isTTY ? kTerminalMs : kLogMs)) return;
    this.#drawnAt = now;
    this.#measure(now);
    this.#write(this.#line());
  }

  /** The line as it is after `done` units, for those who draw it themselves. */
  status(done: number): string {
    this.#done = done;
    this.#measure(this.#now());
    return this.#line();
  }

  /** Writes a line of its own above the progress line. */
  log(text: string): void {
    if (this.#silent) return;
    this.#stream.write(this.#open ? `\r\u001b[K${text}\n` : `${text}\n`);
    if (this.#open) this.#write(this.#line());
  }

  /** Takes the line away from a terminal and says nothing: for work that is done in a moment. */
  clear(): void {
    if (this.#open) this.#stream.write('\r\u001b[K');
    this.#open = false;
  }

  /** Ends the line with the whole time and the mean rate. */
  finish(note = this.#note): void {
    if (this.#silent) return;
    const seconds = (this.#now() - this.#began) / 1000;
    const rate = (this.#done - this.#start) / Math.max(seconds, 1e-3);
    const parts = [this.#count(), duration(seconds), this.#speed(rate), note].filter(Boolean);
    this.#write(`${this.#label}  ${parts.join('  ')}`);
    if (this.#open) this.#stream.write('\n');
    this.#open = false;
  }

  #measure(now: number): void {
    const elapsed = now - this.#rateAt;
    if (elapsed <= 0) return;
    const recent = ((this.#done - this.#rateDone) / elapsed) * 1000;
    const weight = this.#rate === 0 ? 1 : 1 - Math.exp(-elapsed / kRateMs);
    this.#rate += weight * (recent - this.#rate);
    this.#rateAt = now;
    this.#rateDone = this.#done;
  }

  #count(): string {
    const of = this.#total === undefined ? '' : `/${integer(this.#total)}`;
    return `${integer(this.#done)}${of} ${this.#unit}`;
  }

  #speed(rate: number): string {
    return rate > 0
      ? `${rate >= 100 ? integer(Math.round(rate)) : rate.toPrecision(3)} ${this.#unit}/s`
      : '';
  }

  #line(): string {
    const parts = [this.#count(), this.#speed(this.#rate)];
    if (this.#total !== undefined && this.#total > 0) {
      const share = Math.min(1, Math.max(0, this.#done / this.#total));
      const full = Math.round(share * kBarCells);
      const bar = this.#stream.isTTY ? `${'█'.repeat(full)}${'░'.repeat(kBarCells - full)} ` : '';
      parts.unshift(`${bar}${String(Math.floor(share * 100)).padStart(3)} %`);
      if (this.#rate > 0) parts.push(`${duration((this.#total - this.#done) / this.#rate)} left`);
    }
    return [this.#label, ...parts, this.#note].filter(Boolean).join('  ');
  }

  #write(line: string): void {
    if (this.#stream.isTTY !== true) {
      this.#stream.write(`${line}\n`);
      return;
    }
    // A line longer than the terminal would wrap and could not be redrawn.
    const fitted = [...line].slice(0, Math.max(20, (this.#stream.columns ?? 80) - 1)).join('');
    this.#stream.write(`\r\u001b[K${fitted}`);
    this.#open = true;
  }
}

/** `m:ss` or `h:mm:ss`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `1,234`. */
export function integer(value: number): string {
  return value.toLocaleString('en-US');
}
