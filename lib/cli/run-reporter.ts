// What people see of a run: a live table in a terminal, plain lines in a log.

import { figuresOf, type LoggedEvent } from '../train/figures.js';
import { formatFigure, isFollowed, quantityOf } from '../train/quantities.js';
import { readTrainLog } from '../train/read-log.js';
import { LiveTable } from './live-table.js';
import { duration, integer, Progress, type ProgressStream } from './progress.js';

/** Events of a run, as far as a reporter reads them by name. */
type RunEvent = LoggedEvent & {
  steps?: number;
  output?: string;
  stopped?: boolean;
  stopRule?: string | null;
  /** Of `setup`: what is ready, of how much. */
  scenes?: unknown;
  total?: number;
  seconds?: unknown;
};

/** Options of {@link RunReporter}. */
export interface RunReporterOptions {
  /** What is being done, one word: `train`. */
  label: string;
  /** What is said first. */
  describeStart(event: LoggedEvent): string;
  /** Figures of `step` events that the table shows, in this order. Default: all. */
  columns?: readonly string[];
  /** Those of the plain line. Default: the first three. */
  brief?: readonly string[];
  /** Default `process.stderr`. */
  stream?: ProgressStream;
  now?: () => number;
}

/** Prints the events of a run for people. */
export class RunReporter {
  readonly #options: RunReporterOptions;
  readonly #stream: ProgressStream;
  #table: LiveTable | undefined;
  #progress: Progress | undefined;
  #brief = '';
  #setup: Progress | undefined;

  constructor(options: RunReporterOptions) {
    this.#options = options;
    this.#stream = options.stream ?? process.stderr;
  }

  /** Takes the next event of the run. */
  async report(event: RunEvent): Promise<void> {
    if (event.type === 'setup') return this.#prepare(event);
    if (event.type === 'start') return this.#start(event);
    if (event.type === 'done') return this.#done(event);
    if (this.#table) return this.#table.update(event);
    if (event.type === 'step') {
      this.#brief = this.#describe(event, this.#options.brief);
      this.#progress?.update(event.step, this.#brief);
    } else {
      const of = typeof event.split === 'string' ? event.split : event.type;
      this.#progress?.log(
        `update ${integer(event.step)}: ${of} ${this.#describe(event)}`.trimEnd(),
      );
    }
  }

  /** Says something beside the events. */
  note(text: string): void {
    if (this.#table) this.#table.log(text);
    else if (this.#progress) this.#progress.log(text);
    else this.#stream.write(`${text}\n`);
  }

  #prepare(event: RunEvent): void {
    this.#setup ??= new Progress({
      label: 'scenes',
      total: event.total ?? 0,
      stream: this.#stream,
      ...(this.#options.now && { now: this.#options.now }),
    });
    this.#setup.update(Number(event.scenes));
  }

  async #start(event: RunEvent): Promise<void> {
    this.#setup?.finish('');
    this.#setup = undefined;
    this.note(this.#options.describeStart(event));
    const { label, columns, now } = this.#options;
    const [total, start, stream] = [event.steps ?? 0, event.step, this.#stream];
    if (stream.isTTY !== true) {
      this.#progress = new Progress({ label, total, start, stream, ...(now && { now }) });
      return;
    }
    const options = {
      label,
      total,
      start,
      stream,
      ...(columns && { columns }),
      ...(now && { now }),
    };
    this.#table = new LiveTable(options);
    if (start === 0 || event.output === undefined) return;
    // The best so far is that of the whole run. A log that cannot be read costs no more than that.
    const earlier = await readTrainLog(event.output).catch(() => undefined);
    for (const line of earlier?.lines ?? []) this.#table.remember(line);
  }

  #done(event: RunEvent): void {
    this.#table?.finish();
    this.#progress?.finish(this.#brief);
    this.#table = undefined;
    this.#progress = undefined;
    const [step, steps] = [integer(event.step), integer(event.steps ?? event.step)];
    this.note(
      event.stopRule
        ? `ended at update ${step} by the stop rule ${event.stopRule}`
        : event.stopped
          ? `stopped at update ${step} of ${steps}; --resume goes on`
          : `${steps} updates in ${duration(Number(event.seconds))}`,
    );
  }

  /** `loss 3.612  windows 155.9 1/s` */
  #describe(event: LoggedEvent, names?: readonly string[]): string {
    const figures = figuresOf(event).filter(({ name }) => isFollowed(event.type, name));
    const fallback =
      event.type === 'step' ? figures.slice(0, 3).map(({ name }) => name) : undefined;
    const wanted = names ?? fallback;
    return figures
      .filter(({ name }) => !wanted || wanted.includes(name))
      .map(({ name, value }) => {
        const { label, unit } = quantityOf(event.type, name);
        return [label, formatFigure(value), unit].filter(Boolean).join(' ');
      })
      .join('  ');
  }
}
