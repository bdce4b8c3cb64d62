import { fieldError, fileError, type Json } from './fields.js';
import { parseJson } from './parse-json.js';
import { parseMap } from './parse-map.js';
import { parseRecording } from './parse-recording.js';
import { parseWindow } from './parse-window.js';
import type { Recording, ScenarioData, ScenarioMap, ScenarioWindow } from './types.js';

/** Kind of a row; a bundle holds all three. */
export type RowKind = 'maps' | 'recordings' | 'windows';

/** One file that is read. `kind` is null for a bundle, where each row tells its kind by its fields. */
export interface ScenarioFile {
  path: string;
  name: string;
  kind: RowKind | null;
}

interface Row {
  where: string;
  value: Json;
}

// A row is one recording at most; V8's longest string is about 2^29 characters.
const kMaxRowBytes = 2 ** 28;
const kNewline = 0x0a;

/**
 * Collects rows of any files and joins them. Both passes are generators that yield once a row, so that the caller
 * decides whether they block.
 */
export class ScenarioRows {
  readonly #rows: Record<RowKind, Row[]> = { maps: [], recordings: [], windows: [] };
  readonly #maps = new Map<string, ScenarioMap>();
  readonly #recordings = new Map<string, Recording>();
  readonly #windows: ScenarioWindow[] = [];

  /** Splits a file into rows. */
  *parse(file: ScenarioFile, bytes: Uint8Array): Generator<void> {
    for (let begin = 0, number = 1; begin < bytes.length; ++number) {
      const newline = bytes.indexOf(kNewline, begin);
      const end = newline < 0 ? bytes.length : newline;
      const where = `${file.name}, row ${number}`;
      if (end - begin > kMaxRowBytes) {
        throw fileError(where, `expected at most ${kMaxRowBytes} bytes, received ${end - begin}`);
      }
      const value = parseRow(where, bytes.subarray(begin, end));
      begin = end + 1;
      if (value === undefined) continue;
      this.#rows[file.kind ?? kindOf(where, value)].push({ where, value });
      yield;
    }
  }

  /** Checks all rows, maps first, and joins them. */
  *join(): Generator<void> {
    for (const { where, value } of this.#rows.maps) {
      const map = parseMap(where, value);
      if (this.#maps.has(map.id))
        throw fieldError(where, 'map_id', 'an id that no row before has', map.id);
      this.#maps.set(map.id, map);
      yield;
    }
    for (const { where, value } of this.#rows.recordings) {
      const recording = parseRecording(where, value, this.#maps);
      const { id } = recording;
      if (this.#recordings.has(id))
        throw fieldError(where, 'recording_id', 'an id that no row before has', id);
      this.#recordings.set(id, recording);
      yield;
    }
    const ids = new Set<string>();
    for (const { where, value } of this.#rows.windows) {
      const window = parseWindow(where, value, this.#recordings);
      if (ids.has(window.id))
        throw fieldError(where, 'id', 'an id that no row before has', window.id);
      ids.add(window.id);
      this.#windows.push(window);
      yield;
    }
  }

  data(): ScenarioData {
    return { maps: this.#maps, recordings: this.#recordings, windows: this.#windows };
  }
}

/** Undefined for a blank line. */
function parseRow(where: string, bytes: Uint8Array): Json | undefined {
  const value = parseJson(where, bytes);
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fieldError(where, 'row', 'an object', value);
  }
  return value as Json;
}

function kindOf(where: string, row: Json): RowKind {
  if (Object.hasOwn(row, 'lanes')) return 'maps';
  if (Object.hasOwn(row, 'tracks')) return 'recordings';
  if (Object.hasOwn(row, 'ego')) return 'windows';
  throw fileError(
    where,
    'expected a map (lanes), a recording (tracks) or a window (ego), received none of them',
  );
}
