import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData } from '../lib/scenario/types.js';
import { sceneFromWindow } from '../lib/sim/from-window.js';
import { parseScene } from '../lib/sim/parse-scene.js';
import { distanceToOutline, isInside } from '../lib/sim/ring.js';
import type { PdmScene, Ring } from '../lib/sim/scene.js';
import { sceneViolations } from './support/scene-invariants.js';

const kShared = new URL('../../shared/', import.meta.url).pathname;
const kGoldens = join(kShared, 'pdms-golden');
const kData = join(kShared, 'driving-data');
const names =
  existsSync(kGoldens) && existsSync(kData)
    ? readdirSync(kGoldens).filter((name) => name.startsWith('real-scene-'))
    : [];

/** m: the reference scenes leave out cropped parts of the map. */
const kMapRadius = 110;
/** m: an outline may be this far from that of the reference, which was made by another library. */
const kOutline = 0.05;
/** m: and this far at the tips of corners, which the two libraries cut off differently. */
const kTip = 0.5;
const kPoints = 4000;

// The reference scenes and the recordings behind them are not part of the package.
describe.skipIf(names.length === 0)('reference scenes (../shared) from their windows', () => {
  let data: ScenarioData;
  beforeAll(async () => {
    data = await readScenarios(kData);
  });

  function pair(name: string): [PdmScene, PdmScene] {
    const { scene } = parseScene(JSON.parse(readFileSync(join(kGoldens, name), 'utf8')), name);
    const window = data.windows.find(({ id }) => `real-scene-${id}` === scene.id);
    if (!window) throw new Error(`no window of ${scene.id}`);
    return [sceneFromWindow(window, { mapRadius: kMapRadius }), scene];
  }

  it.each(names)('%s: ego, traffic and route', (name) => {
    const [made, expected] = pair(name);
    expect(sceneViolations(made)).toEqual([]);
    for (const [i, state] of [expected.ego, ...expected.egoPast].entries()) {
      const ours = [made.ego, ...made.egoPast][i];
      expect(ours.timeUs).toBe(state.timeUs);
      for (const key of ['x', 'y', 'heading', 'vx', 'vy', 'ax', 'ay'] as const)
        expect(Math.abs(ours[key] - state[key]), `${key} of state ${i}`).toBeLessThan(6e-6);
    }
    expect(made.humanTrajectory!.length).toBe(8);
    for (const [i, pose] of expected.humanTrajectory!.entries()) {
      for (const [k, v] of pose.entries())
        expect(Math.abs(made.humanTrajectory![i][k] - v)).toBeLessThan(6e-5);
    }
    expect(made.agents).toEqual(expected.agents);
    const sorted = ({ trafficLights }: PdmScene) =>
      trafficLights.map(({ t, red, green }) => ({
        t,
        red: [...red].sort(),
        green: [...green].sort(),
      }));
    expect(sorted(made)).toEqual(sorted(expected));
    expect(made.routeRoadblockIds).toEqual(expected.routeRoadblockIds);
  });

  it.each(names)('%s: lanes and roadblocks', (name) => {
    const [made, expected] = pair(name);
    const byId = <T extends { id: string }>(items: readonly T[]) =>
      new Map(items.map((item) => [item.id, item]));
    const blocks = byId(made.map.roadblocks);
    expect([...blocks.keys()].sort()).toEqual(expected.map.roadblocks.map(({ id }) => id).sort());
    for (const { polygon, ...block } of expected.map.roadblocks) {
      const ours = blocks.get(block.id)!;
      const sets = (b: Omit<typeof ours, 'polygon'>) => ({
        isConnector: b.isConnector,
        laneIds: [...b.laneIds].sort(),
        incoming: [...b.incoming].sort(),
        outgoing: [...b.outgoing].sort(),
      });
      expect(sets(ours), block.id).toEqual(sets(block));
    }
    const lanes = byId(made.map.lanes);
    expect(lanes.size).toBe(expected.map.lanes.length);
    for (const { polygon, baseline, ...lane } of expected.map.lanes) {
      const ours = lanes.get(lane.id)!;
      expect(ours).toMatchObject(lane);
      expect(ours.baseline.length).toBe(baseline.length);
      for (const [i, pose] of baseline.entries()) {
        for (const [k, v] of pose.entries())
          expect(Math.abs(ours.baseline[i][k] - v)).toBeLessThan(1e-6);
      }
      // Both leave out vertices within 5 mm of a straight line.
      for (const [a, b] of [
        [ours.polygon, polygon],
        [polygon, ours.polygon],
      ]) {
        for (const vertex of a) expect(distanceToOutline(vertex, b)).toBeLessThan(0.0101);
      }
    }
    expect(made.map.carparks).toEqual([]);
  });

  it.each(names)('%s: outlines of roadblocks and intersections', (name) => {
    const [made, expected] = pair(name);
    expect(made.map.intersections.length).toBe(expected.map.intersections.length);
    const pairs: [Ring, Ring][] = expected.map.roadblocks.map(({ id, polygon }) => [
      made.map.roadblocks.find((block) => block.id === id)!.polygon,
      polygon,
    ]);
    for (const { polygon } of expected.map.intersections) {
      const ours = made.map.intersections.find((area) => isInside(middle(polygon), area.polygon));
      pairs.push([ours!.polygon, polygon]);
    }
    let [far, points] = [0, 0];
    for (const [ours, theirs] of pairs) {
      for (const point of spread(theirs)) {
        ++points;
        if (isInside(point, ours) === isInside(point, theirs)) continue;
        const distance = distanceToOutline(point, theirs);
        expect(distance).toBeLessThan(kTip);
        if (distance > kOutline) ++far;
      }
    }
    expect(far / points).toBeLessThan(1e-4);
  });
});

/** Points of a low-discrepancy sequence over the box of a polygon and 2 m around it. */
function* spread(ring: Ring): Generator<[number, number]> {
  const range = (k: 0 | 1) => {
    const values = ring.map((vertex) => vertex[k]);
    return [Math.min(...values) - 2, Math.max(...values) + 2];
  };
  const [[minX, maxX], [minY, maxY]] = [range(0), range(1)];
  for (let i = 0; i < kPoints; ++i) {
    const [u, v] = [(i * 0.7548776662466927) % 1, (i * 0.5698402909980532) % 1];
    yield [minX + u * (maxX - minX), minY + v * (maxY - minY)];
  }
}

/** A point inside: halfway along the longest crossing of a horizontal line through the middle. */
function middle(ring: Ring): [number, number] {
  const ys = ring.map(([, y]) => y);
  const y = (Math.min(...ys) + Math.max(...ys)) / 2;
  const xs = ring
    .flatMap(([bx, by], i) => {
      const [ax, ay] = ring[(i + ring.length - 1) % ring.length];
      return ay > y === by > y ? [] : [ax + ((y - ay) * (bx - ax)) / (by - ay)];
    })
    .sort((a, b) => a - b);
  return [(xs[0] + xs[1]) / 2, y];
}
