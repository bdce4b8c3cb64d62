import type { SceneTrajectory } from '../sim/parse-scene.js';
import type { PdmScorer } from '../sim/pdm-scorer.js';
import type { PdmScores } from '../sim/pdm-scores.js';
import { scoreCaseFromScene } from '../viewer/build-score-case.js';
import type { ScoreCase } from '../viewer/score-case.js';
import { renderScorePage } from '../viewer/score-page.js';
import { packageVersion } from './package-info.js';
import { writePageFile } from './write-page.js';

/** Numbers of a rollout: 41 states of 11. */
const kRolloutSize = 41 * 11;

/** The picture of a scene whose trajectories `scorer` gave `scores`, with rollouts and explanations. */
export function pictureOf(
  scorer: PdmScorer,
  trajectories: readonly SceneTrajectory[],
  scores: PdmScores,
): ScoreCase {
  const { scene, reference, traffic } = scorer;
  if (traffic === 'replay') return scoreCaseFromScene(scene, trajectories, scores, reference);
  const reactiveTracks = trajectories.map((_, i) =>
    scorer.reactiveTracks(scores.rollouts!.subarray(i * kRolloutSize, (i + 1) * kRolloutSize)),
  );
  return scoreCaseFromScene(scene, trajectories, scores, reference, { reactiveTracks });
}

/**
 * Writes the page of scored scenes; folders are made as needed.
 *
 * @throws WamFlowError `ERR_IO`
 */
export async function writeScorePage(file: string, pictures: readonly ScoreCase[]): Promise<void> {
  const n = pictures.length;
  const subtitle = `${n} ${n === 1 ? 'scene' : 'scenes'}, wam-flow ${packageVersion()}`;
  await writePageFile(file, renderScorePage(pictures, { title: 'wam-flow scores', subtitle }));
}
