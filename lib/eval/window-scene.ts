import type { ScenarioLane, ScenarioMap, ScenarioWindow } from '../scenario/types.js';
import { withoutGhosts } from '../sim/brief-objects.js';
import { sceneFromWindow } from '../sim/from-window.js';
import type { PdmScene } from '../sim/scene.js';

type Point = readonly [number, number];

// As far as the route of a scene looks ahead (150 m), and a little more.
const kBeyondMap = 160; // metres
const kSpacing = 2; // metres between points

const extended = new WeakMap<ScenarioMap, ScenarioMap>();

/**
 * The scene of a window as evaluation scores it: objects that are seen once are no ghosts, and where lanes end at the
 * border of the map the road goes on. Without that, recorded drivers leave the drivable area where the map ends.
 *
 * @throws as `sceneFromWindow`.
 */
export function windowScene(window: ScenarioWindow): PdmScene {
  const { recording } = window;
  const map = roadBeyond(recording.map);
  return withoutGhosts(sceneFromWindow({ ...window, recording: { ...recording, map } }));
}

/** The map with 160 m more of every lane that ends at its border, straight on. The same object for the same map. */
export function roadBeyond(map: ScenarioMap): ScenarioMap {
  let longer = extended.get(map);
  if (!longer) {
    const byId = new Map(map.lanes.map((lane) => [lane.id, lane]));
    const lanes = map.lanes.map((lane) => (endsAtBorder(lane, byId) ? straightOn(lane) : lane));
    longer = { ...map, lanes };
    extended.set(map, longer);
  }
  return longer;
}

/** Whether a lane has no successor and no lane beside it in its direction has one: else it merges into that. */
function endsAtBorder(
  lane: ScenarioLane,
  byId: ReadonlyMap<number | string, ScenarioLane>,
): boolean {
  const seen = new Set<ScenarioLane>();
  const waiting: (ScenarioLane | undefined)[] = [lane];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (!next || seen.has(next)) continue;
    if (next.successors.length > 0) return false;
    seen.add(next);
    const { leftNeighbor: left, rightNeighbor: right } = next;
    if (left !== null && next.leftSameDirection) waiting.push(byId.get(left));
    if (right !== null && next.rightSameDirection) waiting.push(byId.get(right));
  }
  return true;
}

function straightOn(lane: ScenarioLane): ScenarioLane {
  const { center } = lane;
  const [x, y] = center[center.length - 1];
  const before = center.findLast((point) => Math.hypot(x - point[0], y - point[1]) >= kSpacing / 2);
  if (!before) return lane;
  const length = Math.hypot(x - before[0], y - before[1]);
  const step: Point = [
    ((x - before[0]) / length) * kSpacing,
    ((y - before[1]) / length) * kSpacing,
  ];
  const longer = (line: readonly Point[]): Point[] => {
    const [endX, endY] = line[line.length - 1];
    const more = Array.from(
      { length: kBeyondMap / kSpacing },
      (_, i): Point => [endX + step[0] * (i + 1), endY + step[1] * (i + 1)],
    );
    return [...line, ...more];
  };
  const { left, right } = lane;
  return { ...lane, center: longer(center), left: longer(left), right: longer(right) };
}
