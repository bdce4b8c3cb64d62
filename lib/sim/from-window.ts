import { argumentError } from '../errors.js';
import { isValidAt } from '../scenario/observe.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { cropMap } from './crop-map.js';
import type { PdmScene } from './scene.js';
import { sceneAgents } from './scene-agents.js';
import { egoAt, egoPast, humanTrajectory } from './scene-ego.js';
import { sceneLights } from './scene-lights.js';
import { kMaxAgents } from './scene-limits.js';
import { mapPartOf } from './scene-map.js';
import { sceneRoute } from './scene-route.js';

/** Options of {@link sceneFromWindow}. */
export interface SceneFromWindowOptions {
  /** Objects that stay further from the recorded ego are left out. Metres; default 70. */
  agentRadius?: number;
  /**
   * Roadblocks further from the ego and off its route are left out. Metres; default Infinity: the whole map, which all
   * scenes of a recording share. The score is the same from about 110 m on.
   */
  mapRadius?: number;
}

/** s of recording after the present without which a window cannot be scored. */
const kMinFuture = 4;

/**
 * The scene of a planning case as the PDM score sees it (docs/pdm-adapter.md): NAVSIM's ego in the place of the recorded
 * one, the recorded traffic, and the map in roadblocks, lane connectors and intersections.
 *
 * @throws WamFlowError `ERR_RANGE` when the recording ends less than 4 s after the present, the ego is not seen then or
 *   too many objects are near it; `ERR_SCENARIO` when the map is one that no scene can be made from; `ERR_ARGUMENT` for a
 *   wrong option.
 */
export function sceneFromWindow(
  window: ScenarioWindow,
  options: SceneFromWindowOptions = {},
): PdmScene {
  const { recording, t0 } = window;
  const agentRadius = radius('agentRadius', options.agentRadius ?? 70);
  const mapRadius = radius('mapRadius', options.mapRadius ?? Infinity);
  const future = (recording.steps - 1 - t0) * recording.dt;
  if (future < kMinFuture - 1e-6) {
    const received = `one that ends ${future.toFixed(1)} s after it`;
    throw argumentError('window', `a recording of ${kMinFuture} s after t0`, received, 'ERR_RANGE');
  }
  const track = recording.tracks[window.ego];
  if (!track || !isValidAt(track, t0)) {
    const received = `track ${window.ego}, step ${t0}`;
    throw argumentError('window', 'an ego that is seen at t0', received, 'ERR_RANGE');
  }
  const part = mapPartOf(recording.map);
  const k = t0 - track.start;
  const center = { x: track.x[k], y: track.y[k], heading: track.heading[k] };
  const ego = egoAt(recording, track, t0);
  const agents = sceneAgents(recording, window.ego, t0, agentRadius);
  if (agents.length > kMaxAgents) {
    const expected = `at most ${kMaxAgents} objects within ${agentRadius} m of the ego`;
    throw argumentError('window', expected, agents.length, 'ERR_RANGE');
  }
  const routeRoadblockIds = sceneRoute(part, window.route, center);
  return {
    id: window.id,
    map:
      mapRadius === Infinity
        ? part.map
        : cropMap(part.map, [center.x, center.y], mapRadius, routeRoadblockIds),
    routeRoadblockIds,
    ego,
    egoPast: egoPast(recording, track, t0),
    humanTrajectory: humanTrajectory(recording, track, t0),
    agents,
    trafficLights: sceneLights(recording, t0, part),
  };
}

function radius(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw argumentError(`options.${name}`, 'metres, 0 or more', value);
}
