import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ioError, writeFileAtomic } from '../files.js';
import { slowly } from './slowly.js';
import type { Recording, ScenarioData, ScenarioMap, ScenarioWindow } from './types.js';

const gzipAsync = promisify(gzip);

/**
 * Writes a folder in format 1: `maps.jsonl.gz`, `recordings.jsonl.gz`, `windows.jsonl.gz`. Equal
 * data gives equal bytes. A folder that does not exist is made. A kill leaves each file as it was or
 * whole, never half.
 *
 * @throws WamFlowError `ERR_IO`.
 */
export async function writeScenarios(folder: string, data: ScenarioData): Promise<void> {
  await write(join(folder, 'maps.jsonl.gz'), await pack(mapRows(data)));
  await write(join(folder, 'recordings.jsonl.gz'), await pack(recordingRows(data)));
  await write(join(folder, 'windows.jsonl.gz'), await pack(windowRows(data)));
}

/**
 * Writes one bundle: a gzip'd jsonl file with the rows of all maps, recordings and windows.
 *
 * @throws WamFlowError `ERR_IO`.
 */
export async function writeScenarioBundle(path: string, data: ScenarioData): Promise<void> {
  await write(path, await packBundle(data));
}

/** The bytes of {@link writeScenarioBundle}. */
export function packBundle(data: ScenarioData): Promise<Uint8Array> {
  return pack(
    (function* () {
      yield* mapRows(data);
      yield* recordingRows(data);
      yield* windowRows(data);
    })(),
  );
}

function* mapRows(data: ScenarioData): Generator<object> {
  for (const map of data.maps.values()) yield mapRow(map);
}

function* recordingRows(data: ScenarioData): Generator<object> {
  for (const recording of data.recordings.values()) yield recordingRow(recording);
}

function* windowRows(data: ScenarioData): Generator<object> {
  for (const window of data.windows) yield windowRow(window);
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (error) {
    throw ioError(`cannot make ${dirname(path)}`, error);
  }
  await writeFileAtomic(path, bytes);
}

async function pack(rows: Iterable<object>): Promise<Uint8Array> {
  const lines: Buffer[] = [];
  await slowly(rows, (row) => lines.push(Buffer.from(`${JSON.stringify(row)}\n`)));
  const bytes = await gzipAsync(Buffer.concat(lines), { level: 9 });
  bytes[9] = 255; // "unknown system": the header shall not depend on where the file was made
  return bytes;
}

function mapRow(map: ScenarioMap): object {
  return {
    format: 1,
    map_id: map.id,
    location: map.location,
    lanes: map.lanes.map((lane) => ({
      id: lane.id,
      type: lane.type,
      speed_limit: lane.speedLimit,
      successors: lane.successors,
      predecessors: lane.predecessors,
      left_neighbor: lane.leftNeighbor,
      left_same_direction: lane.leftNeighbor === null ? null : lane.leftSameDirection,
      right_neighbor: lane.rightNeighbor,
      right_same_direction: lane.rightNeighbor === null ? null : lane.rightSameDirection,
      markings: lane.markings,
      center: lane.center,
      left: lane.left,
      right: lane.right,
      stop_line: lane.stopLine,
    })),
    drivable_area: map.drivableArea,
  };
}

function recordingRow(recording: Recording): object {
  return {
    format: 1,
    recording_id: recording.id,
    map_id: recording.map.id,
    location: recording.location,
    split: recording.split,
    source: recording.source,
    source_files: recording.sourceFiles,
    dt: recording.dt,
    steps: recording.steps,
    removed_vehicles: recording.removedVehicles,
    signals: recording.signals.map((signal) => ({
      lanes: signal.lanes,
      states: signal.states.map((state) => [state.from, state.to, state.color]),
    })),
    tracks: recording.tracks.map((track) => ({
      id: track.id,
      type: track.type,
      length: track.length,
      width: track.width,
      start: track.start,
      n: track.x.length,
      x: [...track.x],
      y: [...track.y],
      heading: [...track.heading],
      vx: [...track.vx],
      vy: [...track.vy],
    })),
  };
}

function windowRow(window: ScenarioWindow): object {
  return {
    id: window.id,
    recording_id: window.recording.id,
    map_id: window.recording.map.id,
    split: window.split,
    ego: window.ego,
    t0: window.t0,
    history: window.history,
    future: window.future,
    command: window.command,
    route_lanes: window.route,
    lane_change: window.laneChange,
    turn_deg: window.turnDeg,
    v0: window.v0,
    path_4s: window.path4s,
    agents_40m: window.agents40m,
    ...(window.expert ? { expert: window.expert } : {}),
  };
}
