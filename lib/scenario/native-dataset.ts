import {
  type CutOptions,
  kCommandCode,
  kLightCode,
  type NativeDataset,
  native,
} from '../native.js';
import { laneIndex, type PackedMap, packMap } from '../pack-map.js';
import type { Recording, ScenarioData } from './types.js';

/** Options of {@link buildNativeDataset}. */
export interface NativeDatasetOptions {
  /** Splits whose recordings and windows are used. */
  splits: readonly string[];
  /** Relative probability of a listed window in training. Default 1. */
  weight?: number;
  /** How further windows are cut from every track of these recordings; null for the listed ones alone. */
  cut?: Partial<CutOptions> | null;
}

/** What {@link CutOptions} default to: each track every 0.2 s, standing ones every 1.2 s. */
export const kCutDefaults: CutOptions = {
  strideS: 0.2,
  standingStrideS: 1.2,
  minFutureS: 1,
  minHistoryS: 0.5,
  weight: 1,
  standingWeight: 1,
};

/** A data set of the engine, and how many windows it has of each kind: listed ones first, then those cut. */
export interface BuiltDataset {
  dataset: NativeDataset;
  recordings: number;
  listed: number;
  cut: number;
}

/**
 * Copies recordings and windows into the engine. The listed windows keep their order.
 *
 * @throws WamFlowError `ERR_SCENARIO` when a recording does not fit the engine; `ERR_NATIVE_MISSING`.
 */
export function buildNativeDataset(
  data: ScenarioData,
  options: NativeDatasetOptions,
): BuiltDataset {
  const { splits, weight = 1, cut = null } = options;
  const addon = native();
  const dataset = addon.createDataset();
  const windows = data.windows.filter((window) => splits.includes(window.split));
  const used = new Set(windows.map((window) => window.recording));
  for (const recording of data.recordings.values()) {
    if (splits.includes(recording.split)) used.add(recording);
  }
  const indexOf = new Map<Recording, number>();
  for (const recording of data.recordings.values()) {
    if (!used.has(recording)) continue;
    const map = packMap(recording.map);
    indexOf.set(recording, addon.addRecording(dataset, map.native, packRecording(recording, map)));
  }
  for (const { recording, ego, t0, future, command, route, id } of windows) {
    const map = packMap(recording.map);
    addon.addWindow(dataset, {
      recording: indexOf.get(recording)!,
      ego,
      present: t0,
      future,
      command: kCommandCode[command],
      route: Int32Array.from(route, (lane) => laneIndex(map, lane, `window ${id}: route`)),
      weight,
    });
  }
  let added = 0;
  if (cut) {
    const cutOptions = { ...kCutDefaults, ...cut };
    for (const [recording, index] of indexOf) {
      // A listed window may stand in a recording of another split; that one's traffic is not for training.
      if (splits.includes(recording.split)) added += addon.cutWindows(dataset, index, cutOptions);
    }
  }
  return { dataset, recordings: indexOf.size, listed: windows.length, cut: added };
}

function packRecording(recording: Recording, map: PackedMap) {
  return {
    dt: recording.dt,
    tracks: recording.tracks,
    signals: recording.signals.map(({ lanes, states }) => ({
      lanes: Int32Array.from(lanes, (id) =>
        laneIndex(map, id, `recording ${recording.id}: signal`),
      ),
      states: Int32Array.from(
        states.flatMap(({ from, to, color }) => [from, to, kLightCode[color]]),
      ),
    })),
  };
}
