// Reading train_log.jsonl back.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WamFlowError } from '../errors.js';
import { ioError, isMissing } from '../files.js';
import type { LogLine } from './event-file.js';

/** Name of the log in the output folder. */
export const kLogName = 'train_log.jsonl';

/** The log of a run as it was found. */
export interface ReadLog {
  /** Path of the file. */
  path: string;
  lines: LogLine[];
  /** Numbers, from 1, of lines that are no events; they are left out. */
  broken: number[];
}

/** The event of a line; undefined when the line is none. */
export function parseLogLine(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<LogLine> | null;
    const { step, type } = line ?? {};
    const isEvent = Number.isSafeInteger(step) && step! >= 0 && typeof type === 'string';
    return isEvent ? (line as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads the log of a run.
 *
 * @param run the output folder of a run, or its log
 * @throws WamFlowError `ERR_IO` when there is no log, or a file that holds not one event.
 */
export async function readTrainLog(run: string): Promise<ReadLog> {
  let path = run;
  let text: string;
  try {
    if ((await stat(run)).isDirectory()) path = join(run, kLogName);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) {
      throw new WamFlowError('ERR_IO', `${run}: no ${kLogName}; is it the output folder of a run?`);
    }
    throw ioError(`cannot read ${path}`, error);
  }
  const broken: number[] = [];
  const lines = text.split('\n').flatMap((row, i) => {
    if (row.trim() === '') return [];
    const line = parseLogLine(row);
    if (!line) broken.push(i + 1);
    return line ? [line] : [];
  });
  if (lines.length === 0) {
    throw new WamFlowError('ERR_IO', `${path}: no event of a training run in it`);
  }
  return { path, lines, broken };
}
