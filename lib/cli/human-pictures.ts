import { baselines } from '../eval/baselines.js';
import type { HumanReport } from '../eval/explain-human.js';
import { rearAxlePoses } from '../eval/rear-axle.js';
import { windowScene } from '../eval/window-scene.js';
import type { ScenarioData } from '../scenario/types.js';
import type { SceneTrajectory } from '../sim/parse-scene.js';
import { PdmScorer } from '../sim/pdm-scorer.js';
import type { ScenePose } from '../sim/scene.js';
import type { ScoreCase } from '../viewer/score-case.js';
import { pictureOf } from './score-picture.js';

/** What recorded drivers fail most, worst first: windows are shown in this order. */
const kWorstFirst = [
  'noAtFaultCollisions',
  'drivableAreaCompliance',
  'timeToCollisionWithinBound',
  'trafficLightCompliance',
  'drivingDirectionCompliance',
  'comfort',
  'laneKeeping',
];

/**
 * Pictures of windows in which the recorded driver loses marks, `count` of them, spread over the sub-scores: the recorded
 * drive, beside constant velocity and constant yaw rate.
 */
export function humanPictures(data: ScenarioData, report: HumanReport, count: number): ScoreCase[] {
  const windows = new Map(data.windows.map((window) => [window.id, window]));
  const waiting = kWorstFirst.map((metric) =>
    report.failures.filter((failure) => failure.metric === metric),
  );
  const shown = new Set<string>();
  const pictures: ScoreCase[] = [];
  // One of each sub-score in turn, so that a frequent one does not crowd out the others.
  while (pictures.length < count && waiting.some((list) => list.length > 0)) {
    for (const list of waiting) {
      const failure = list.shift();
      const key = `${failure?.window} ${failure?.version}`;
      if (!failure || shown.has(key) || pictures.length === count) continue;
      shown.add(key);
      const window = windows.get(failure.window)!;
      const scene = windowScene(window);
      const scorer = new PdmScorer(scene, { version: failure.version });
      const trajectories: SceneTrajectory[] = [
        { id: 'human', label: 'recorded driver', poses: scene.humanTrajectory! },
        ...baselines.slice(1, 3).map(({ name, plan }) => ({
          id: name,
          label: name,
          poses: triples(rearAxlePoses(plan(window))),
        })),
      ];
      const poses = trajectories.map((trajectory) => trajectory.poses);
      const scores = scorer.scoreSync(poses, { explain: true, rollouts: true });
      pictures.push(pictureOf(scorer, trajectories, scores));
      void scorer.close();
    }
  }
  return pictures;
}

function triples(poses: Float64Array): ScenePose[] {
  return Array.from(
    { length: poses.length / 3 },
    (_, i) => [poses[3 * i], poses[3 * i + 1], poses[3 * i + 2]] as const,
  );
}
