// The log of a run: its events, one a line of train_log.jsonl, and their figures in a file that TensorBoard reads.

import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, isMissing, writeFileAtomic } from '../files.js';
import { EventFile, type LogLine } from './event-file.js';
import type { TrainEvent } from './events.js';
import { kLogName, parseLogLine } from './read-log.js';

/** Appends events to the log of a run. */
export class TrainLog {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #events: EventFile | undefined;

  private constructor(file: FileHandle, path: string, events: EventFile | undefined) {
    this.#file = file;
    this.#path = path;
    this.#events = events;
  }

  /**
   * Opens the log in `folder`. Lines of updates after `step` are dropped: a killed run may have logged updates that its
   * last checkpoint does not have and that are made again.
   *
   * @param tensorboard whether there is an event file beside the lines; without it those of earlier parts are emptied.
   * @throws WamFlowError `ERR_IO`
   */
  static async open(folder: string, step: number, tensorboard: boolean): Promise<TrainLog> {
    const path = join(folder, kLogName);
    try {
      const old = await readFile(path, 'utf8').catch((error) => {
        if (isMissing(error)) return '';
        throw error;
      });
      const kept = old.split('\n').flatMap((text) => {
        const line = parseLogLine(text);
        return line && line.step <= step && line.type !== 'done' ? [{ text, line }] : [];
      });
      await writeFileAtomic(path, kept.map(({ text }) => `${text}\n`).join(''));
      const lines = kept.map(({ line }) => line);
      if (!tensorboard) await EventFile.clear(folder);
      const events = tensorboard ? await EventFile.open(folder, lines) : undefined;
      return new TrainLog(await open(path, 'a'), path, events);
    } catch (error) {
      throw ioError(`cannot open ${path}`, error);
    }
  }

  /** Adds an event with the time of day. */
  async write(event: TrainEvent): Promise<void> {
    const line = { time: new Date().toISOString(), ...event };
    try {
      await this.#file.appendFile(`${JSON.stringify(line)}\n`);
      await this.#events?.write(line as LogLine);
    } catch (error) {
      throw ioError(`cannot write ${this.#path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#events?.close();
  }
}
