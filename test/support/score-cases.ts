import { parseScene, type SceneTrajectory } from '../../lib/sim/parse-scene.js';
import { PdmScorer } from '../../lib/sim/pdm-scorer.js';
import type { PdmScene, ScenePose } from '../../lib/sim/scene.js';
import { scoreCaseFromScene } from '../../lib/viewer/build-score-case.js';
import type { ScoreCase } from '../../lib/viewer/score-case.js';
import { smallScene } from './small-scene.js';

/** What {@link smallCase} gives other names than its own. */
export interface SmallCaseNames {
  id?: string;
  label?: string;
  token?: string;
}

/** Poses at 0.5 .. 4 s of a motion. */
function poses(at: (t: number) => ScenePose): ScenePose[] {
  return Array.from({ length: 8 }, (_, k) => at((k + 1) / 2));
}

/** On into the vehicle ahead; to the left off the road; as the driver, who runs a red light; and standing still. */
export const kTrajectories: readonly SceneTrajectory[] = [
  { id: '0', label: 'ram', poses: poses((t) => [8 * t + 1.5 * t * t, 0, 0]) },
  { id: '1', label: 'leave', poses: poses((t) => [8 * t, 0.6 * t * t, Math.atan2(1.2 * t, 8)]) },
  { id: '2', label: 'human', poses: poses((t) => [8 * t, 0, 0]) },
  { id: '3', label: 'stop', poses: poses((t) => [8 * t - t * t, 0, 0]) },
];

/** Every trajectory of the small scene, scored by the engine. */
export function smallCase(names: SmallCaseNames = {}, version: 'v1' | 'v2' = 'v2'): ScoreCase {
  const json = smallScene({ origin: [4e5, 5e6] });
  json.id = names.id ?? 'small';
  json.agents[0].token = names.token ?? 'ahead';
  const trajectories = kTrajectories.map((trajectory, i) =>
    i === 0 && names.label !== undefined ? { ...trajectory, label: names.label } : trajectory,
  );
  return caseOf(parseScene(json).scene, trajectories, version);
}

/** A scene with its trajectories, scored by the engine. */
export function caseOf(
  scene: PdmScene,
  trajectories: readonly SceneTrajectory[],
  version: 'v1' | 'v2',
): ScoreCase {
  using scorer = new PdmScorer(scene, { version });
  const scores = scorer.scoreSync(
    trajectories.map((trajectory) => trajectory.poses),
    { rollouts: true, explain: true },
  );
  return scoreCaseFromScene(scene, trajectories, scores, scorer.reference);
}
