// The event file of a run, which TensorBoard reads (`tensorboard --logdir OUTPUT`).
//
// It says what train_log.jsonl says and is made from it: whenever a run starts or goes on, the file is written anew from
// the lines that were kept. It gets a new name, and begins with a session at step 0; earlier files are emptied. A
// TensorBoard that is looking at the folder moves on to the file with the later name and forgets what it had read, one that
// is started later finds the records of this file alone: neither shows updates that a killed run made and its last
// checkpoint does not have. Appending behind such updates would leave them to readers that do not know session marks, or
// a torn last record before new ones, at which readers stop. Removing the earlier files, not emptying them, would hold up
// a TensorBoard that looks at one: it waits for it to come back.

import { type FileHandle, open, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../files.js';
import { type Scalar, scalarsRecord, sessionStartRecord, versionRecord } from './event-records.js';
import { figuresOf, type LoggedEvent } from './figures.js';

/** A line of the log. `time` is ISO 8601. */
export type LogLine = LoggedEvent & { time: string };

// The last part stands where others write the host's name, which is nobody's business.
const kName = /^events\.out\.tfevents\.(\d+)\.wam-flow$/;

/** The event file of a run in its output folder. Methods reject with Node's errors. */
export class EventFile {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Begins a file in `folder` with `lines`, and empties those of earlier parts of the run. */
  static async open(folder: string, lines: readonly LogLine[]): Promise<EventFile> {
    const old = await eventFiles(folder);
    const now = Math.floor(Date.now() / 1000);
    const newest = old.reduce((latest, { time }) => Math.max(latest, time + 1), now);
    const path = join(folder, `events.out.tfevents.${String(newest).padStart(10, '0')}.wam-flow`);
    const began = secondsOf(lines[0]) ?? newest;
    const head = [versionRecord(began), sessionStartRecord(began, 0)];
    await writeFileAtomic(path, Buffer.concat([...head, ...lines.flatMap(recordOf)]));
    // After the new one is whole: a kill in between leaves one too many, never none.
    for (const { name } of old) await truncate(join(folder, name));
    return new EventFile(await open(path, 'a'));
  }

  /** Empties what earlier parts of a run wrote, which would contradict its log. */
  static async clear(folder: string): Promise<void> {
    for (const { name } of await eventFiles(folder)) await truncate(join(folder, name));
  }

  /** Adds the figures of an event. */
  async write(line: LogLine): Promise<void> {
    for (const record of recordOf(line)) await this.#file.appendFile(record);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function eventFiles(folder: string): Promise<{ name: string; time: number }[]> {
  return (await readdir(folder)).flatMap((name) => {
    const time = kName.exec(name)?.[1];
    return time === undefined ? [] : [{ name, time: Number(time) }];
  });
}

function recordOf(line: LogLine): Buffer[] {
  const scalars = scalarsOf(line);
  return scalars.length === 0 ? [] : [scalarsRecord(secondsOf(line) ?? 0, line.step, scalars)];
}

/** Figures of a step as `train/grad_norm`, of other events as `eval/min_ade`. */
function scalarsOf(line: LoggedEvent): Scalar[] {
  const group = line.type === 'step' ? 'train' : line.type;
  return figuresOf(line).map(({ name, value }) => ({
    tag: `${group}/${name === 'lr' ? 'learning_rate' : snakeCase(name)}`,
    value,
  }));
}

function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

function secondsOf(line: LogLine | undefined): number | undefined {
  const milliseconds = Date.parse(line?.time ?? '');
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}
