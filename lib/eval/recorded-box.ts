import { isValidAt } from '../scenario/observe.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { Explanation } from '../sim/explanation.js';
import { isInside } from '../sim/ring.js';
import type { PdmScene } from '../sim/scene.js';
import { type Box, boxesOverlap } from './geometry.js';

const kSteps = 40;
/** s that time to collision projects the ego ahead by. */
const kLookAheads = [0, 0.3, 0.6, 0.9];

/**
 * Whether the recorded vehicle's own box fails where NAVSIM's larger one does: it overlaps the object (collisions), does
 * so when projected ahead (time to collision), or has a corner off the drivable area. Sub-scores that do not depend on
 * the box fail for every box.
 */
export function recordedBoxFails(
  window: ScenarioWindow,
  scene: PdmScene,
  { metric, object }: Explanation,
): boolean {
  const steps = Array.from({ length: kSteps + 1 }, (_, k) => k);
  switch (metric) {
    case 'noAtFaultCollisions':
      return steps.some((k) => meets(window, object!.token, k, 0));
    case 'timeToCollisionWithinBound':
      return steps.some((k) => kLookAheads.some((s) => meets(window, object!.token, k, s)));
    case 'drivableAreaCompliance':
      return steps.some((k) => !isOnRoad(scene, boxAt(window, window.ego, k)!));
    default:
      return true;
  }
}

/** Whether the ego's box, `seconds` ahead at its speed of step `k`, overlaps that of an object then. */
function meets(window: ScenarioWindow, token: string, k: number, seconds: number): boolean {
  const { recording, ego } = window;
  const id = Number(token.replace(/^\D+/, ''));
  const own = boxAt(window, ego, k);
  const other = boxAt(window, id, k + seconds * 10);
  if (!own || !other) return false;
  const track = recording.tracks[ego];
  const at = window.t0 + k * stepScale(window) - track.start;
  const distance = seconds * Math.hypot(track.vx[at], track.vy[at]);
  const ahead = {
    ...own,
    x: own.x + distance * Math.cos(own.heading),
    y: own.y + distance * Math.sin(own.heading),
  };
  return boxesOverlap(ahead, other);
}

/** Steps of the recording in one of 0.1 s. */
function stepScale({ recording }: ScenarioWindow): number {
  return Math.round(0.1 / recording.dt);
}

/** Box of a track `k` steps of 0.1 s after the present; null where it is not seen. */
function boxAt(window: ScenarioWindow, id: number, k: number): Box | null {
  const track = window.recording.tracks[id];
  const step = Math.round(window.t0 + k * stepScale(window));
  if (!isValidAt(track, step)) return null;
  const { x, y, heading, length, width, start } = track;
  return { x: x[step - start], y: y[step - start], heading: heading[step - start], length, width };
}

function isOnRoad({ map }: PdmScene, box: Box): boolean {
  const roads = map.roadblocks.filter(({ isConnector }) => !isConnector);
  const areas = [...roads, ...map.intersections, ...map.carparks];
  const [cos, sin] = [Math.cos(box.heading), Math.sin(box.heading)];
  return [1, -1].every((front) =>
    [1, -1].every((left) => {
      const [along, across] = [(front * box.length) / 2, (left * box.width) / 2];
      const point = [
        box.x + cos * along - sin * across,
        box.y + sin * along + cos * across,
      ] as const;
      return areas.some(({ polygon }) => isInside(point, polygon));
    }),
  );
}
