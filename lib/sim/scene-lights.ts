import { lightsAt } from '../scenario/observe.js';
import type { Recording } from '../scenario/types.js';
import type { SceneLights } from './scene.js';
import { kSceneInterval, kSceneMoments } from './scene-limits.js';
import { type MapPart, sceneLaneId } from './scene-map.js';

/**
 * Lights at 0, 0.5 .. 5 s; empty when the recording has none. The connectors after a lane with lights are red when all
 * of its lights that work are red, green when one is green, else in neither list (yellow; no light works). Where the
 * recording ends before 5 s the lights stay as they are.
 */
export function sceneLights(recording: Recording, t0: number, part: MapPart): SceneLights[] {
  if (recording.signals.length === 0) return [];
  const stride = Math.round(kSceneInterval / recording.dt);
  return Array.from({ length: kSceneMoments }, (_, moment) => {
    const step = Math.min(t0 + moment * stride, recording.steps - 1);
    const red = new Set<string>();
    const green = new Set<string>();
    for (const [lane, color] of lightsAt(recording, step)) {
      if (color !== 'red' && color !== 'green') continue;
      for (const next of part.shapes.get(lane)?.lane.successors ?? []) {
        if (part.connectors.has(next)) (color === 'red' ? red : green).add(sceneLaneId(next));
      }
    }
    // Two lanes may lead to one connector: it is closed to the traffic of one of them.
    for (const id of red) green.delete(id);
    return { t: moment * kSceneInterval, red: [...red].sort(), green: [...green].sort() };
  });
}
