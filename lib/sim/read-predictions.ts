import { basename } from 'node:path';
import { Fields, fieldError, fileError } from '../scenario/fields.js';
import { parseJson } from '../scenario/parse-json.js';
import { readBytes } from '../scenario/read-bytes.js';
import { finishSlowly } from '../scenario/slowly.js';
import { parsePoses } from './parse-scene.js';
import { kMaxSceneBytes, type ReadSceneOptions } from './read-scene.js';
import type { ScenePose } from './scene.js';

/** Trajectories by scene id, in the order of their file: 8 poses in the frame of the ego's rear axle, 0.5 .. 4 s. */
export type Predictions = ReadonlyMap<string, readonly ScenePose[]>;

const kNewline = 0x0a;

/**
 * Reads what some planner made of scenes, gzip'd or plain: one JSON object
 * `{ "<scene id>": [[x, y, heading], ... 8 of them], ... }`, or rows `{"id": "<scene id>", "poses": [...]}`, one a line.
 *
 * @throws WamFlowError `ERR_SCENARIO` naming file, row, field, what was expected and what came; `ERR_IO` when the file
 *   cannot be read.
 */
export async function readPredictions(
  path: string,
  options: ReadSceneOptions = {},
): Promise<Predictions> {
  const name = basename(path);
  const bytes = await readBytes(path, options.maxBytes ?? kMaxSceneBytes);
  return finishSlowly(isRows(bytes) ? rowSteps(bytes, name) : objectSteps(bytes, name));
}

/** Whether the first line is a row, and not the (beginning of the) object that holds all. */
function isRows(bytes: Uint8Array): boolean {
  for (const { line } of linesOf(bytes)) {
    let value: unknown;
    try {
      value = parseJson('', line);
    } catch {
      return false;
    }
    if (value === undefined) continue;
    // In the other form every value is a list, so a text tells them apart whatever the scenes are called.
    return typeof value === 'object' && typeof (value as { id?: unknown } | null)?.id === 'string';
  }
  return false;
}

function* rowSteps(bytes: Uint8Array, name: string): Generator<void, Predictions> {
  const found = new Map<string, readonly ScenePose[]>();
  for (const { line, number } of linesOf(bytes)) {
    const where = `${name}, row ${number}`;
    const value = parseJson(where, line);
    if (value === undefined) continue;
    const row = new Fields(where, value);
    const id = row.name('id');
    if (found.has(id)) throw row.fail('id', 'a scene that no row before it has', id);
    found.set(id, parsePoses(row, 'poses'));
    yield;
  }
  return found;
}

function* objectSteps(bytes: Uint8Array, name: string): Generator<void, Predictions> {
  const value = parseJson(name, bytes);
  if (value === undefined) throw fileError(name, 'expected predictions, received an empty file');
  const all = new Fields(name, value, 'file');
  const found = new Map<string, readonly ScenePose[]>();
  for (const id of Object.keys(value as object)) {
    if (id.length === 0 || id.length > 256)
      throw fieldError(name, 'file', 'scene ids of 1 to 256 characters', id);
    found.set(id, parsePoses(all, id));
    yield;
  }
  return found;
}

function* linesOf(bytes: Uint8Array): Generator<{ line: Uint8Array; number: number }> {
  for (let begin = 0, number = 1; begin < bytes.length; ++number) {
    const newline = bytes.indexOf(kNewline, begin);
    const end = newline < 0 ? bytes.length : newline;
    yield { line: bytes.subarray(begin, end), number };
    begin = end + 1;
  }
}
