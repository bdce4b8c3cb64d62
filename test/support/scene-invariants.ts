import type { PdmScene, Ring } from '../../lib/sim/scene.js';

/** Everything that a scene must be and this one is not, one line each; empty for a valid one. */
export function sceneViolations(scene: PdmScene): string[] {
  const found: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) found.push(what);
  };
  const isId = (id: unknown) => typeof id === 'string' && id.length >= 1 && id.length <= 260;
  const ids = (name: string, list: readonly string[]) => {
    expect(list.every(isId), `${name}: ids`);
    expect(new Set(list).size === list.length, `${name}: unique`);
    return new Set(list);
  };
  checkNumbers(scene, 'scene', expect);
  expect(isId(scene.id), 'id');

  const { roadblocks, lanes, intersections, carparks } = scene.map;
  const blockIds = ids(
    'roadblocks',
    roadblocks.map(({ id }) => id),
  );
  const laneIds = ids(
    'lanes',
    lanes.map(({ id }) => id),
  );
  ids(
    'intersections',
    intersections.map(({ id }) => id),
  );
  ids(
    'carparks',
    carparks.map(({ id }) => id),
  );
  expect(roadblocks.length > 0 && lanes.length > 0, 'map: not empty');
  for (const { id, polygon } of [...roadblocks, ...lanes, ...intersections, ...carparks])
    checkRing(polygon, `polygon of ${id}`, expect);
  for (const block of roadblocks) {
    ids(`lanes of ${block.id}`, block.laneIds);
    expect(block.laneIds.length > 0, `${block.id}: has lanes`);
    const own = lanes.filter((lane) => lane.roadblockId === block.id);
    expect(own.length === block.laneIds.length, `${block.id}: lists its lanes`);
    for (const lane of own) {
      expect(block.laneIds.includes(lane.id), `${lane.id}: listed`);
      expect(lane.isConnector === block.isConnector, `${lane.id}: of the kind of its roadblock`);
    }
    checkLinks(block, blockIds, expect);
  }
  for (const lane of lanes) {
    expect(blockIds.has(lane.roadblockId), `${lane.id}: roadblock`);
    const { baseline, speedLimit } = lane;
    expect(baseline.length >= 2, `${lane.id}: baseline`);
    expect(
      baseline.every(
        ([x, y], i) => i === 0 || x !== baseline[i - 1][0] || y !== baseline[i - 1][1],
      ),
      `${lane.id}: baseline moves on`,
    );
    expect(
      baseline.every((pose) => pose.length === 3),
      `${lane.id}: poses`,
    );
    expect(speedLimit === null || speedLimit > 0, `${lane.id}: limit`);
    checkLinks(lane, laneIds, expect);
  }
  expect(scene.routeRoadblockIds.length > 0, 'route: not empty');
  expect(
    scene.routeRoadblockIds.every((id) => blockIds.has(id)),
    'route: known',
  );
  expect([0, 4].includes(scene.egoPast.length), 'past: 0 or 4');
  const human = scene.humanTrajectory;
  expect(human === null || (human.length === 8 && human.every((p) => p.length === 3)), 'human');
  ids(
    'agents',
    scene.agents.map(({ token }) => token),
  );
  for (const { token, length, width, samples } of scene.agents) {
    expect(length > 0 && width > 0, `${token}: size`);
    checkMoments(samples, token, expect);
  }
  checkMoments(scene.trafficLights, 'lights', expect, true);
  const connectors = new Set(lanes.filter((lane) => lane.isConnector).map(({ id }) => id));
  for (const { red, green } of scene.trafficLights) {
    expect(
      [...red, ...green].every((id) => connectors.has(id)),
      'lights: on connectors',
    );
    expect(new Set([...red, ...green]).size === red.length + green.length, 'lights: one colour');
  }
  return found;
}

type Expect = (holds: boolean, what: string) => void;

function checkNumbers(value: unknown, name: string, expect: Expect): void {
  if (typeof value === 'number') {
    expect(Number.isFinite(value), `${name}: finite`);
    // Only times in microseconds may be larger than any coordinate.
    expect(name.endsWith('timeUs') || Math.abs(value) <= 1e8, `${name}: at most 1e8`);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) checkNumbers(item, `${name}.${key}`, expect);
  }
}

function checkRing(ring: Ring, name: string, expect: Expect): void {
  expect(new Set(ring.map(([x, y]) => `${x + 0},${y + 0}`)).size >= 3, `${name}: 3 vertices`);
  for (const [i, [x, y]] of ring.entries()) {
    const [px, py] = ring[(i + ring.length - 1) % ring.length];
    expect(x !== px || y !== py, `${name}: vertex ${i} repeats`);
  }
}

function checkLinks(
  item: { id: string; incoming: readonly string[]; outgoing: readonly string[] },
  known: ReadonlySet<string>,
  expect: Expect,
): void {
  for (const list of [item.incoming, item.outgoing]) {
    expect(
      list.every((id) => known.has(id)),
      `${item.id}: links`,
    );
    expect(new Set(list).size === list.length, `${item.id}: links once`);
  }
}

/** Ascending multiples of 0.5 s from 0 to 5; all from 0 on when there is no gap allowed. */
function checkMoments(
  items: readonly { t: number }[],
  name: string,
  expect: Expect,
  withoutGaps = false,
): void {
  for (const [i, { t }] of items.entries()) {
    expect(Number.isInteger(t * 2) && t >= 0 && t <= 5, `${name}: on the grid`);
    expect(i === 0 || items[i - 1].t < t, `${name}: ascending`);
    expect(!withoutGaps || t === i / 2, `${name}: no gaps`);
  }
}
