// A hand-made scenario as rows of format 1, small enough to be mutated a thousand times.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { WamFlowError } from '../../lib/errors.js';
import { type ReadScenariosOptions, readScenarios } from '../../lib/scenario/read.js';
import type { ScenarioData } from '../../lib/scenario/types.js';

// biome-ignore lint/suspicious/noExplicitAny: rows are mutated in every way a file may be wrong.
export type Row = any;

export interface TinyRows {
  map: Row;
  recording: Row;
  window: Row;
}

function lane(id: number, x0: number, y: number, rest: object): Row {
  const line = (at: number) => Array.from({ length: 26 }, (_, i) => [x0 + 2 * i, at]);
  return {
    id,
    type: 'urban',
    speed_limit: 13.9,
    successors: [],
    predecessors: [],
    left_neighbor: null,
    left_same_direction: false,
    right_neighbor: null,
    right_same_direction: false,
    markings: ['solid', null],
    center: line(y),
    left: line(y + 1.75),
    right: line(y - 1.75),
    stop_line: null,
    ...rest,
  };
}

function track(id: number, start: number, n: number, x0: number, y: number, speed: number): Row {
  const fill = (of: (k: number) => number) => Array.from({ length: n }, (_, k) => of(k));
  return {
    id,
    type: 'car',
    length: 4.5,
    width: 1.9,
    start,
    n,
    x: fill((k) => Math.round((x0 + speed * 0.1 * k) * 100) / 100),
    y: fill(() => y),
    heading: fill(() => 0),
    vx: fill(() => speed),
    vy: fill(() => 0),
  };
}

/**
 * Two lanes along +x from 0 to 100 m (1, 2 on the right; 3 on the left of 1), a light at the end of lane 1, three
 * vehicles: the ego at 8 m/s, one ahead of it that appears at step 15, one beside it that leaves at step 60.
 */
export function tinyRows(): TinyRows {
  return {
    map: {
      format: 1,
      map_id: 'tiny',
      location: 'test road',
      lanes: [
        lane(1, 0, 0, {
          successors: [2],
          left_neighbor: 3,
          left_same_direction: true,
          stop_line: [
            [50, -1.75],
            [50, 1.75],
          ],
        }),
        lane(2, 50, 0, { predecessors: [1] }),
        lane(3, 0, 3.5, { right_neighbor: 1, right_same_direction: true }),
      ],
      drivable_area: [
        {
          exterior: [
            [0, -1.75],
            [100, -1.75],
            [100, 1.75],
            [50, 5.25],
            [0, 5.25],
          ],
          holes: [],
        },
      ],
    },
    recording: {
      format: 1,
      recording_id: 'tiny-1',
      map_id: 'tiny',
      location: 'test road',
      split: 'val',
      source: 'by hand',
      source_files: [],
      dt: 0.1,
      steps: 80,
      removed_vehicles: [{ step: 0, x: 5, y: 3.5, heading: 0, speed: 1 }],
      signals: [
        {
          lanes: [1],
          states: [
            [0, 30, 'red'],
            [30, 80, 'green'],
          ],
        },
        { lanes: [1, 3], states: [[10, 80, 'yellow']] },
      ],
      tracks: [track(0, 0, 80, 5, 0, 8), track(1, 15, 65, 40, 0.2, 6), track(2, 0, 60, 8, 3.5, 8)],
    },
    window: {
      id: 'tiny-1-e0-t25',
      recording_id: 'tiny-1',
      map_id: 'tiny',
      split: 'val',
      ego: 0,
      t0: 25,
      history: 20,
      future: 54,
      command: 'straight',
      route_lanes: [1, 2],
      lane_change: false,
      turn_deg: 0,
      v0: 8,
      path_4s: 32,
      agents_40m: 2,
    },
  };
}

/** The rows as a bundle. */
export function bundleText({ map, recording, window }: TinyRows): string {
  return `${[map, recording, window].map((row) => JSON.stringify(row)).join('\n')}\n`;
}

let folder: string | undefined;

/** Reads `content` as a bundle, through a temporary file. */
export async function readContent(
  content: string | Uint8Array,
  options?: ReadScenariosOptions,
): Promise<ScenarioData> {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'wam-scenario-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  const path = join(folder, 'tiny.jsonl.gz');
  writeFileSync(path, content);
  return readScenarios(path, options);
}

/** The tiny scenario, read back through a gzip'd bundle. */
export function tinyScenario(change: (rows: TinyRows) => void = () => {}): Promise<ScenarioData> {
  const rows = tinyRows();
  change(rows);
  return readContent(gzipSync(bundleText(rows)));
}

/** The WamFlowError that a promise rejects with; anything else fails the test. */
export async function errorOf(promise: Promise<unknown>): Promise<WamFlowError> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (e: unknown) => e,
  );
  if (!(error instanceof WamFlowError)) throw error;
  return error;
}
