import { setImmediate } from 'node:timers/promises';
import type { ScenarioData, ScenarioWindow } from '../scenario/types.js';
import type { Explanation } from '../sim/explanation.js';
import { PdmScorer, type PdmVersion } from '../sim/pdm-scorer.js';
import type { PdmScene } from '../sim/scene.js';
import { egoAt } from '../sim/scene-ego.js';
import { recordedBoxFails } from './recorded-box.js';
import { selectWindows } from './select-windows.js';
import { windowScene } from './window-scene.js';

/** Where a failure of the recorded driver comes from. */
export type HumanCause =
  /** The bicycle model strays from the recorded path; driven exactly as recorded it passes. */
  | 'tracker'
  /** NAVSIM's ego is larger than the recorded vehicle, whose own box passes. */
  | 'vehicle size'
  /** The recorded motion fails by itself: the driver did so, or the recording is noisy there. */
  | 'recording';

/** One sub-score that a recorded driver fails. */
export interface HumanFailure {
  window: string;
  version: PdmVersion;
  metric: Explanation['metric'];
  score: number;
  cause: HumanCause;
  /** What exactly: kind of collision, corner, comfort signal. */
  detail: string;
  /** One sentence of the scorer. */
  text: string;
}

/** What {@link explainHuman} returns. */
export interface HumanReport {
  split: string;
  n: number;
  failures: HumanFailure[];
  /** Windows by version, sub-score, detail and cause; most first. */
  counts: (Pick<HumanFailure, 'version' | 'metric' | 'detail' | 'cause'> & { windows: number })[];
}

/** States of a rollout, and numbers of each. */
const kStates = 41;
const kStateSize = 11;

/**
 * Finds the windows whose recorded driver fails a sub-score other than progress, by both versions, and why. Each failure
 * is looked at again with the recorded motion itself in the place of the simulated one, and collisions with the recorded
 * vehicle's own box.
 *
 * @throws as `evaluate`; windows that no scene can be made from are errors here.
 */
export async function explainHuman(
  data: ScenarioData,
  options: { split?: string; limit?: number; signal?: AbortSignal } = {},
): Promise<HumanReport> {
  const { split = 'val', limit, signal } = options;
  const { windows } = selectWindows(data, split, limit);
  const failures: HumanFailure[] = [];
  for (const window of windows) {
    await setImmediate();
    signal?.throwIfAborted();
    const scene = windowScene(window);
    for (const version of ['v1', 'v2'] as const) {
      failures.push(...failuresOf(window, scene, version));
    }
  }
  const counts = new Map<string, HumanReport['counts'][number]>();
  for (const { version, metric, detail, cause } of failures) {
    const key = JSON.stringify([version, metric, detail, cause]);
    const count = counts.get(key) ?? { version, metric, detail, cause, windows: 0 };
    ++count.windows;
    counts.set(key, count);
  }
  return {
    split,
    n: windows.length,
    failures,
    counts: [...counts.values()].sort((a, b) => b.windows - a.windows),
  };
}

function failuresOf(window: ScenarioWindow, scene: PdmScene, version: PdmVersion): HumanFailure[] {
  const human = Float64Array.from(scene.humanTrajectory!.flat());
  const scorer = new PdmScorer(scene, { version });
  const own = scorer.scoreSync(human, { explain: true }).explanations![0];
  const exact = scorer.scoreRolloutsSync(recordedStates(window, scene)).subScores;
  void scorer.close();
  return own
    .filter(({ metric }) => metric !== 'egoProgress')
    .map((why): HumanFailure => {
      const { metric, score, text } = why;
      const cause =
        exact[metric][0] === 1
          ? 'tracker'
          : recordedBoxFails(window, scene, why)
            ? 'recording'
            : 'vehicle size';
      const detail = why.collision ?? why.corner ?? why.signal ?? '';
      return { window: window.id, version, metric, score, cause, detail, text };
    });
}

/** The recorded motion as states of the rear axle, [41, 11]; steering is not known, and no sub-score looks at it. */
function recordedStates(window: ScenarioWindow, scene: PdmScene): Float64Array {
  const { recording, t0, ego } = window;
  const track = recording.tracks[ego];
  const stride = Math.round(0.1 / recording.dt);
  const states = new Float64Array(kStates * kStateSize);
  for (let k = 0; k < kStates; ++k) {
    const { x, y, heading, vx, vy, ax, ay } =
      k === 0 ? scene.ego : egoAt(recording, track, t0 + k * stride);
    states.set([x, y, heading, vx, vy, ax, ay], k * kStateSize);
  }
  return states;
}
