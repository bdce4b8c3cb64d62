// The scenes of an alignment: windows with the scorers that judge plans for them.

import { setImmediate } from 'node:timers/promises';
import { WamFlowError } from '../errors.js';
import { windowScene } from '../eval/window-scene.js';
import { type NativeScoredScene, type NativeScorer, native } from '../native.js';
import { splitMix32 } from '../scenario/random.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { packScene } from '../sim/pack-scene.js';
import { packSceneMap } from '../sim/pack-scene-map.js';
import type { PdmVersion } from '../sim/pdm-scorer.js';
import type { SetupEvent } from './events.js';

/** Scenes that are set up. */
export interface AlignScenes {
  scenes: NativeScoredScene[];
  /** Others, or where there are too few windows some of `scenes` again. */
  probes: NativeScoredScene[];
  /** Windows that cannot be scored. */
  refused: number;
}

/** What {@link setUpScenes} sets up. */
export interface AlignScenesOptions {
  scenes: number;
  probeScenes: number;
  version: PdmVersion;
  seed: number;
  /** Updates made so far, for the events. */
  step: number;
  signal: AbortSignal | undefined;
}

const kReportMs = 200;

/**
 * Draws windows and sets their scorers up, one a turn of the event loop. The index of a window is that in the data set
 * which lists `windows` first.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when no window can be scored. Rejects with the signal's reason when aborted.
 */
export async function* setUpScenes(
  windows: readonly ScenarioWindow[],
  options: AlignScenesOptions,
): AsyncGenerator<SetupEvent, AlignScenes, undefined> {
  const { version, seed, step, signal } = options;
  const order = shuffled(windows.length, seed);
  const probes = Math.min(options.probeScenes, windows.length);
  const total = Math.min(options.scenes + probes, windows.length);
  const made: AlignScenes = { scenes: [], probes: [], refused: 0 };
  let reported = performance.now();
  let next = 0;
  // Probes first: which they are does not depend on the number of scenes.
  const fill = async function* (
    list: NativeScoredScene[],
    count: number,
    judged: 'reward' | 'all',
  ) {
    while (list.length < count && next < order.length) {
      await setImmediate();
      signal?.throwIfAborted();
      const window = order[next++];
      const scene = trySetUp(windows[window], window, version, judged === 'all');
      if (scene) list.push(scene);
      else ++made.refused;
      if (performance.now() - reported < kReportMs) continue;
      reported = performance.now();
      const done = made.probes.length + made.scenes.length;
      yield { type: 'setup', step, scenes: done, total } satisfies SetupEvent;
    }
  };
  yield* fill(made.probes, probes, 'all');
  // A data set of few windows serves as both.
  if (order.length - next < Math.min(options.scenes, windows.length / 2)) next = 0;
  yield* fill(made.scenes, options.scenes, 'reward');
  if (made.scenes.length === 0) {
    throw new WamFlowError('ERR_ARGUMENT', 'data: none of the listed windows can be scored');
  }
  yield { type: 'setup', step, scenes: made.probes.length + made.scenes.length, total };
  return made;
}

function trySetUp(
  window: ScenarioWindow,
  index: number,
  version: PdmVersion,
  holdsBack: boolean,
): NativeScoredScene | undefined {
  try {
    const scene = windowScene(window);
    const map = packSceneMap(scene.map);
    const packed = packScene(scene, map);
    const scorer = (of: PdmVersion): NativeScorer =>
      native().createScorer(map.native, packed, { version: of, traffic: 'replay', threads: 1 });
    return {
      window: index,
      scorer: scorer(version),
      ...(holdsBack && version === 'v1' && { heldBack: scorer('v2') }),
    };
  } catch (error) {
    if (error instanceof WamFlowError && error.code === 'ERR_SCENARIO') return undefined;
    throw error;
  }
}

/** 0 to n - 1 in a random order. */
function shuffled(n: number, seed: number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  const next = splitMix32(seed);
  for (let i = n - 1; i > 0; --i) {
    const k = Math.floor(next() * (i + 1));
    [order[i], order[k]] = [order[k], order[i]];
  }
  return order;
}
