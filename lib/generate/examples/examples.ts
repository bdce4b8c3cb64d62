import { splitMix32 } from '../../scenario/random.js';
import type { ScenarioData } from '../../scenario/types.js';
import { packBundle } from '../../scenario/write.js';
import { crossingScene } from './crossing-scene.js';
import { recordScene, type Scene } from './record.js';
import { curveScene, laneChangeScene, leadVehicleScene } from './road-scenes.js';

/** The scenes under `examples/`, by file name without extension. */
export const exampleScenes: Readonly<Record<string, (random: () => number) => Scene>> = {
  curve: curveScene,
  'lead-vehicle': leadVehicleScene,
  'lane-change': laneChangeScene,
  crossing: crossingScene,
};

/** Drives one of the scenes. Equal seeds give equal scenarios. */
export function generateExample(scene: (random: () => number) => Scene, seed = 1): ScenarioData {
  return recordScene(scene(splitMix32(seed)));
}

/** File name and bytes of every example. */
export function exampleFiles(): Promise<{ name: string; bytes: Uint8Array }[]> {
  return Promise.all(
    Object.entries(exampleScenes).map(async ([name, scene]) => ({
      name: `${name}.jsonl.gz`,
      bytes: await packBundle(generateExample(scene)),
    })),
  );
}
