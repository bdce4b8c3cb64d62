// train_log.jsonl: the events of a run, one a line.

import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, isMissing, writeFileAtomic } from '../files.js';
import type { TrainEvent } from './events.js';

/** Name of the log in the output folder. */
export const kLogName = 'train_log.jsonl';

/** Appends events to the log of a run. */
export class TrainLog {
  readonly #file: FileHandle;
  readonly #path: string;

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /**
   * Opens the log in `folder`. Lines of updates after `step` are dropped: a killed run may have logged updates that its
   * last checkpoint does not have and that are made again.
   *
   * @throws WamFlowError `ERR_IO`
   */
  static async open(folder: string, step: number): Promise<TrainLog> {
    const path = join(folder, kLogName);
    try {
      const old = await readFile(path, 'utf8').catch((error) => {
        if (isMissing(error)) return '';
        throw error;
      });
      const kept = old.split('\n').filter((line) => isUpTo(line, step));
      await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(''));
      return new TrainLog(await open(path, 'a'), path);
    } catch (error) {
      throw ioError(`cannot open ${path}`, error);
    }
  }

  /** Adds an event with the time of day. */
  async write(event: TrainEvent): Promise<void> {
    const line = JSON.stringify({ time: new Date().toISOString(), ...event });
    try {
      await this.#file.appendFile(`${line}\n`);
    } catch (error) {
      throw ioError(`cannot write ${this.#path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Whether a line is a whole event of an update up to `step`. */
function isUpTo(line: string, step: number): boolean {
  try {
    const event = JSON.parse(line) as Partial<TrainEvent> | null;
    return typeof event?.step === 'number' && event.step <= step && event.type !== 'done';
  } catch {
    return false;
  }
}
