import { setImmediate } from 'node:timers/promises';
import {
  type CutOptions,
  kCommandCode,
  kLightCode,
  type NativeDataset,
  type NativeRecording,
  native,
} from '../native.js';
import { laneIndex, type PackedMap, packMap } from '../pack-map.js';
import { trackKind } from './track-kind.js';
import type { Recording, ScenarioWindow } from './types.js';

/** Options of {@link buildNativeDataset}. */
export interface NativeDatasetOptions {
  /** How further windows are cut from every track of the given recordings; false: the listed windows alone. */
  cut: CutOptions | false;
  /** Relative probability of a listed window in training. Default 1. */
  weight?: number;
}

/**
 * Copies recordings and windows into the engine: the listed windows in their order, then those cut from the recordings,
 * whose number is returned. A window may stand in a recording that is not given: nothing is cut from that one.
 *
 * @throws WamFlowError `ERR_SCENARIO` when a window does not fit its recording; `ERR_NATIVE_MISSING`.
 */
export async function buildNativeDataset(
  data: { recordings: Iterable<Recording>; windows: readonly ScenarioWindow[] },
  options: NativeDatasetOptions,
): Promise<{ dataset: NativeDataset; cutWindows: number }> {
  const { cut, weight = 1 } = options;
  const addon = native();
  const dataset = addon.createDataset();
  const given = new Set(data.recordings);
  const indexOf = new Map<Recording, number>();
  for (const recording of [...given, ...data.windows.map((window) => window.recording)]) {
    if (indexOf.has(recording)) continue;
    const map = packMap(recording.map);
    indexOf.set(recording, addon.addRecording(dataset, map.native, packRecording(recording, map)));
    await setImmediate();
  }
  for (const { recording, ego, t0, future, command, route, id, expert } of data.windows) {
    const map = packMap(recording.map);
    addon.addWindow(dataset, {
      recording: indexOf.get(recording)!,
      ego,
      present: t0,
      future,
      command: kCommandCode[command],
      route: Int32Array.from(route, (lane) => laneIndex(map, lane, `window ${id}: route`)),
      expert: Float64Array.from(expert?.flat() ?? []),
      weight,
    });
  }
  let cutWindows = 0;
  if (cut) {
    for (const recording of given) {
      cutWindows += addon.cutWindows(dataset, indexOf.get(recording)!, cut);
      await setImmediate();
    }
  }
  return { dataset, cutWindows };
}

function packRecording(recording: Recording, map: PackedMap): NativeRecording {
  const path = `recording ${recording.id}: signal`;
  return {
    dt: recording.dt,
    tracks: recording.tracks,
    drivers: Uint8Array.from(recording.tracks, ({ type }) =>
      trackKind(type) === 'vehicle' ? 1 : 0,
    ),
    signals: recording.signals.map(({ lanes, states }) => ({
      lanes: Int32Array.from(lanes, (id) => laneIndex(map, id, path)),
      states: Int32Array.from(
        states.flatMap(({ from, to, color }) => [from, to, kLightCode[color]]),
      ),
    })),
  };
}
