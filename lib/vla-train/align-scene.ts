// The scenes of an alignment: what the model is shown of them, and the scorers that judge its plans.

import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { planConversation } from '../camera/plan-conversation.js';
import { WamFlowError } from '../errors.js';
import { rearAxlePoses } from '../eval/rear-axle.js';
import { windowScene } from '../eval/window-scene.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { PdmScorer } from '../sim/pdm-scorer.js';
import { posesOfPath } from '../vla/path-heading.js';
import type { VlaPrompt } from '../vla/vla-planner.js';
import type { AlignPolicy } from './align-policy.js';
import { purposeOf, wordsFor } from './draws.js';

/** A window that plans can be judged in. */
export interface AlignScene {
  window: ScenarioWindow;
  scorer: PdmScorer;
}

const kOrder = purposeOf('order of scenes');

/**
 * Draws windows in the order of the seed and sets their scorers up, one a turn of the event loop; those that cannot be
 * scored are left out.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when none can be scored. Rejects with the signal's reason when aborted.
 */
export async function setUpAlignScenes(
  windows: readonly ScenarioWindow[],
  { scenes, seed }: { scenes: number; seed: number },
  signal: AbortSignal | undefined,
): Promise<{ scenes: AlignScene[]; refused: number }> {
  const words = new Uint32Array(4);
  const drawn = windows
    .map((window, i) => ({ window, at: wordsFor(words, kOrder, seed, i)[0]!, i }))
    .sort((a, b) => a.at - b.at || a.i - b.i);
  const made: AlignScene[] = [];
  let refused = 0;
  for (const { window } of drawn) {
    if (made.length === scenes) break;
    await setImmediate();
    signal?.throwIfAborted();
    try {
      made.push({ window, scorer: new PdmScorer(windowScene(window), { version: 'v1' }) });
    } catch (error) {
      if (!(error instanceof WamFlowError) || error.code !== 'ERR_SCENARIO') throw error;
      refused += 1;
    }
  }
  if (made.length > 0) return { scenes: made, refused };
  throw new WamFlowError('ERR_ARGUMENT', 'data: none of the listed windows can be scored');
}

/** Of the scenes, as a run that goes on must have them. */
export function scenesFingerprint(scenes: readonly AlignScene[]): string {
  const hash = createHash('sha256');
  for (const { window } of scenes) hash.update(`${window.id}\n`);
  return hash.digest('hex');
}

/** What the model reads before it plans. */
export async function promptOf(
  { window }: AlignScene,
  { planner, pictures }: AlignPolicy,
): Promise<VlaPrompt> {
  const { fields } = planConversation({ ...window, future: 0 });
  return planner.promptOf({ images: [await pictures.of(window)], fields });
}

/** PDM scores of plans, each [waypoints, coordinates]. On the calling thread: one for each scene would be too many. */
export function rewardsOf(
  { scorer }: AlignScene,
  plans: readonly Float32Array[],
  coordinates: 2 | 3,
): Float64Array {
  const poses = plans.map((plan) => rearAxlePoses(coordinates === 3 ? plan : posesOfPath(plan)));
  return scorer.scoreSync(poses).scores;
}
