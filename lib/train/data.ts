// Recorded traffic as the engine trains on it.

import { createHash, type Hash } from 'node:crypto';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { argumentError, WamFlowError } from '../errors.js';
import type { CutOptions, NativeDataset } from '../native-types.js';
import { buildNativeDataset } from '../scenario/native-dataset.js';
import { readScenarios } from '../scenario/read.js';
import type { Recording, ScenarioData, ScenarioMap } from '../scenario/types.js';
import type { DataSummary } from './events.js';

/** Where training data comes from: folders or files of scenarios, or scenarios in memory; one or several. */
export type TrainData = string | ScenarioData | readonly (string | ScenarioData)[];

/** Training data, loaded. */
export interface LoadedData {
  dataset: NativeDataset;
  /** All splits of all sources. */
  scenarios: ScenarioData;
  summary: DataSummary;
}

/**
 * Reads scenarios and packs those of `splits` for the engine.
 *
 * @param from all scenarios; nothing is cut from those of `listed`.
 * @param cut how windows are cut from the tracks beside the listed ones; false for the listed ones alone.
 * @throws WamFlowError `ERR_SCENARIO`, `ERR_IO`; `ERR_ARGUMENT` when no window is left.
 */
export async function loadData(
  from: { data: TrainData; listed: TrainData },
  splits: readonly string[],
  cut: CutOptions | false,
  signal?: AbortSignal,
): Promise<LoadedData> {
  const listOf = (data: TrainData) =>
    Array.isArray(data) ? (data as readonly (string | ScenarioData)[]) : [data];
  const cuttable = listOf(from.data);
  const sources = [...cuttable, ...listOf(from.listed)];
  const parts: ScenarioData[] = [];
  for (const source of sources) {
    signal?.throwIfAborted();
    parts.push(await readSource(source as string | ScenarioData));
  }
  signal?.throwIfAborted();
  const recordings = parts.flatMap((part) =>
    [...part.recordings.values()].filter(({ split }) => splits.includes(split)),
  );
  const windows = parts.flatMap((part) =>
    part.windows.filter(({ split }) => splits.includes(split)),
  );
  const fromTracks = new Set(
    parts.slice(0, cuttable.length).flatMap((part) => [...part.recordings.values()]),
  );
  const { dataset, cutWindows } = await buildNativeDataset(
    { recordings: recordings.filter((recording) => fromTracks.has(recording)), windows },
    { cut },
  );
  if (windows.length + cutWindows === 0) {
    const found = new Set(
      parts.flatMap((part) => [...part.recordings.values()].map((r) => r.split)),
    );
    throw new WamFlowError(
      'ERR_ARGUMENT',
      `data: no windows of split ${splits.join(', ')}; the data has ${[...found].join(', ') || 'none'}`,
    );
  }
  return {
    dataset,
    scenarios: merge(parts),
    summary: {
      sources: sources.map((source) => (typeof source === 'string' ? resolve(source) : 'memory')),
      splits: [...splits],
      recordings: recordings.length,
      listedWindows: windows.length,
      cutWindows,
      cut,
      fingerprint: await fingerprint(recordings, windows),
    },
  };
}

async function readSource(source: string | ScenarioData): Promise<ScenarioData> {
  if (typeof source === 'string') return readScenarios(source);
  if (source?.recordings instanceof Map && Array.isArray(source.windows)) return source;
  throw argumentError('data', 'paths or the result of readScenarios', source);
}

/** Several sources as one; they may use the same ids. */
function merge(parts: readonly ScenarioData[]): ScenarioData {
  const distinct = <T>(of: (part: ScenarioData) => ReadonlyMap<string, T>) =>
    new Map(parts.flatMap((part, i) => [...of(part)].map(([id, value]) => [`${i}/${id}`, value])));
  return {
    maps: distinct(({ maps }) => maps),
    recordings: distinct(({ recordings }) => recordings),
    windows: parts.flatMap(({ windows }) => windows),
  };
}

/** SHA-256 over all that training reads of the data, in order: the same windows in another order train differently. */
async function fingerprint(
  recordings: readonly Recording[],
  windows: ScenarioData['windows'],
): Promise<string> {
  const hash = createHash('sha256');
  const maps = new Set<ScenarioMap>();
  for (const recording of recordings) {
    if (!maps.has(recording.map)) hash.update(JSON.stringify(recording.map));
    maps.add(recording.map);
    updateByRecording(hash, recording);
    await setImmediate();
  }
  for (const { id, recording, ego, t0, future, command, route, expert } of windows) {
    const facts = [id, recording.id, ego, t0, future, command, route];
    hash.update(JSON.stringify(expert === undefined ? facts : [...facts, expert]));
  }
  return hash.digest('hex');
}

function updateByRecording(hash: Hash, recording: Recording): void {
  const { id, dt, signals } = recording;
  hash.update(JSON.stringify({ id, dt, signals }));
  for (const { length, width, start, x, y, heading, vx, vy } of recording.tracks) {
    hash.update(JSON.stringify([length, width, start, x.length]));
    for (const values of [x, y, heading, vx, vy]) hash.update(values);
  }
}
