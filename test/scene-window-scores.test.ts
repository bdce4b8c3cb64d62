import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData } from '../lib/scenario/types.js';
import { sceneFromWindow } from '../lib/sim/from-window.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { readSceneFile } from '../lib/sim/read-scene.js';

const kShared = new URL('../../shared/', import.meta.url).pathname;
const kGoldens = join(kShared, 'pdms-golden');
const kData = join(kShared, 'driving-data');
const names =
  existsSync(kGoldens) && existsSync(kData)
    ? readdirSync(kGoldens).filter((name) => name.startsWith('real-scene-'))
    : [];

// The reference scenes and the recordings behind them are not part of the package.
describe.skipIf(names.length === 0)(
  'reference scenes (../shared) and their windows score the same',
  () => {
    let data: ScenarioData;
    beforeAll(async () => {
      data = await readScenarios(kData);
    });

    describe.each(['v1', 'v2'] as const)('%s', (version) => {
      it.each(names)('%s, cropped and whole', async (name) => {
        const { scene, trajectories } = await readSceneFile(join(kGoldens, name));
        const window = data.windows.find(({ id }) => `real-scene-${id}` === scene.id)!;
        const poses = Float64Array.from(trajectories.flatMap((t) => t.poses.flat()));
        const expected = new PdmScorer(scene, { version }).scoreSync(poses);
        const rowOf = ({ subScores }: typeof expected, k: number) =>
          Object.entries(subScores).map(([name, values]) => `${name} ${values[k].toFixed(4)}`);
        // The trajectories tell scenes apart: they leave the road, collide, stop.
        expect(new Set(trajectories.map((_, k) => `${rowOf(expected, k)}`)).size).toBeGreaterThan(
          3,
        );
        for (const mapRadius of [110, Infinity]) {
          const made = sceneFromWindow(window, { mapRadius });
          const result = new PdmScorer(made, { version }).scoreSync(poses);
          for (const [k, { label }] of trajectories.entries()) {
            expect(rowOf(result, k), label).toEqual(rowOf(expected, k));
            expect(result.progressM[k]).toBeCloseTo(expected.progressM[k], 3);
          }
        }
      });
    });
  },
);
