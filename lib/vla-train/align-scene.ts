// One scene of an alignment: what the model is shown, and the scorer that judges its plans.

import { createHash } from 'node:crypto';
import { planConversation } from '../camera/plan-conversation.js';
import { WamFlowError } from '../errors.js';
import { rearAxlePoses } from '../eval/rear-axle.js';
import { windowScene } from '../eval/window-scene.js';
import type { WindowPictures } from '../eval/window-pictures.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { PdmScorer } from '../sim/pdm-scorer.js';
import { posesOfPath } from '../vla/path-heading.js';
import type { VlaPlanner, VlaPrompt } from '../vla/vla-planner.js';
import { purposeOf, wordsFor } from './draws.js';

/** A window that plans can be judged in. */
export interface AlignScene {
  window: ScenarioWindow;
  scorer: PdmScorer;
  prompt?: VlaPrompt;
}

const kOrder = purposeOf('order of scenes');

/**
 * The windows that are drawn, in the order of the seed; those that cannot be scored are left out.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when none can be scored
 */
export function setUpAlignScenes(
  windows: readonly ScenarioWindow[],
  { scenes, seed }: { scenes: number; seed: number },
): { scenes: AlignScene[]; refused: number } {
  const words = new Uint32Array(4);
  const drawn = windows
    .map((window, i) => ({ window, at: wordsFor(words, kOrder, seed, i)[0]!, i }))
    .sort((a, b) => a.at - b.at || a.i - b.i);
  const made: AlignScene[] = [];
  let refused = 0;
  for (const { window } of drawn) {
    if (made.length === scenes) break;
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

/** What the model reads before it plans; made once. */
export async function promptOf(
  scene: AlignScene,
  planner: VlaPlanner,
  pictures: WindowPictures,
): Promise<VlaPrompt> {
  const { fields } = planConversation({ ...scene.window, future: 0 });
  scene.prompt ??= await planner.promptOf({ images: [await pictures.of(scene.window)], fields });
  return scene.prompt;
}

/** PDM scores of plans, each [waypoints, coordinates]. On the calling thread: a thread for each scene would be too many. */
export function rewardsOf(
  scene: AlignScene,
  plans: readonly Float32Array[],
  coordinates: 2 | 3,
): Float64Array {
  const poses = plans.map((plan) => rearAxlePoses(coordinates === 3 ? plan : posesOfPath(plan)));
  return scene.scorer.scoreSync(poses).scores;
}
