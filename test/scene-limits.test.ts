import { describe, expect, it } from 'vitest';
import { parseScene } from '../lib/sim/parse-scene.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { type SceneJson, smallScene } from './support/small-scene.js';
import { errorOf } from './support/tiny-scenario.js';

const refused = (change: (scene: SceneJson) => void, shape = {}) => {
  const scene = smallScene(shape);
  change(scene);
  return errorOf(Promise.resolve().then(() => parseScene(scene, 'my scene')));
};

/** Teeth of `height` metres, 1 m wide, side by side: a ring of 2 * teeth + 3 vertices from (x, y) on. */
function comb(x: number, y: number, teeth: number, height: number): number[][] {
  const points = [
    [x, y - 1],
    [x + teeth, y - 1],
  ];
  for (let i = teeth; i-- > 0; ) points.push([x + i + 1, y], [x + i + 0.5, y + height]);
  points.push([x, y]);
  return points;
}

const plan = [Array.from({ length: 8 }, (_, i): [number, number, number] => [4 * (i + 1), 0, 0])];

/** The scores of one plan, all of them. */
function scored(scene: SceneJson, traffic: 'replay' | 'reactive' = 'replay') {
  const scorer = new PdmScorer(parseScene(scene, 'my scene').scene, { traffic });
  return scorer.scoreSync(plan);
}

/** `count` vehicles in rows beside the road, none near another. */
function standing(count: number): SceneJson[] {
  return Array.from({ length: count }, (_, i) => ({
    token: `crowd-${i}`,
    type: 'vehicle',
    length: 4,
    width: 2,
    samples: [0, 0.5].map((t) => ({
      t,
      ...{ x: 6 * (i % 100), y: 60 + 4 * Math.floor(i / 100), heading: 0, vx: 0, vy: 0 },
    })),
  }));
}

describe('what a scene may hold', () => {
  it('refuses a million agents before it looks at any', async () => {
    const error = await refused((s) => {
      // What stands at the front is no agent at all.
      s.agents = new Array(1_000_000).fill('no agent');
    });
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(/agents: expected an array of 0 to 20000 items/);
  });

  it('refuses polygons and baselines of more than 10,000 points, and takes as many', async () => {
    const lane = (points: number) => (s: SceneJson) => {
      s.map.lanes[0].polygon = Array.from({ length: points }, (_, i) => {
        const angle = (2 * Math.PI * i) / points;
        return [50 * Math.cos(angle), 50 * Math.sin(angle)];
      });
    };
    const baseline = (points: number) => (s: SceneJson) => {
      s.map.lanes[0].baseline = Array.from({ length: points }, (_, i) => [0.01 * i, 0, 0]);
    };
    for (const field of ['polygon', 'baseline'] as const) {
      const made = field === 'polygon' ? lane : baseline;
      const error = await refused(made(10_001));
      expect(error.code).toBe('ERR_SCENARIO');
      expect(error.message).toMatch(
        new RegExp(`lanes\\[0\\]\\.${field}: expected an array of . to 10000`),
      );
      const scene = smallScene();
      made(10_000)(scene);
      expect(parseScene(scene).scene.map.lanes[0][field]).toHaveLength(10_000);
    }
  });

  it('refuses a route of more than 1,000 roadblocks', async () => {
    const error = await refused((s) => {
      s.route_roadblock_ids = new Array(1001).fill('rb0');
    });
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(/route_roadblock_ids: expected an array of 1 to 1000 items/);
  });

  it('refuses a present before time 0, not a past before it', async () => {
    const error = await refused((s) => {
      s.ego.time_us = -1;
    });
    expect(error.code).toBe('ERR_SCENARIO');
    expect(error.message).toMatch(/ego\.time_us: expected .*0 to .*received -1/);
    const scene = smallScene();
    scene.ego.time_us = 0;
    for (const [i, state] of scene.ego_past.entries()) state.time_us = (i - 3) * 500_000;
    expect(parseScene(scene).scene.egoPast[0].timeUs).toBe(-1_500_000);
  });
});

describe('scenes that cost much', () => {
  it('are scored as if what is beside the road were not there: 10,000 agents', {
    timeout: 60_000,
  }, () => {
    const scene = smallScene();
    const without = scored(scene);
    scene.agents.push(...standing(10_000));
    expect(scored(scene)).toEqual(without);
  });

  it('are scored as before with lanes of 10,000 vertices that lie aside', {
    timeout: 60_000,
  }, () => {
    const scene = smallScene();
    const without = scored(scene);
    const [block] = scene.map.roadblocks;
    for (let i = 0; i < 20; ++i) {
      const polygon = comb(0, 100, 4998, 400);
      scene.map.lanes.push({
        ...scene.map.lanes[0],
        id: `comb${i}`,
        roadblock_id: 'combs',
        polygon,
      });
    }
    const ids = Array.from({ length: 20 }, (_, i) => `comb${i}`);
    scene.map.roadblocks.push({ ...block, id: 'combs', lane_ids: ids, incoming: [], outgoing: [] });
    expect(scored(scene)).toEqual(without);
  });

  it('are refused when reactive traffic would have more than 1,000 vehicles', {
    timeout: 60_000,
  }, () => {
    const scene = smallScene({ agents: 0 });
    scene.agents = standing(1001);
    expect(() => scored(scene, 'reactive')).toThrow(
      expect.objectContaining({
        code: 'ERR_RANGE',
        message: expect.stringMatching(/at most 1000 vehicles/),
      }),
    );
    scene.agents.pop();
    expect(scored(scene, 'reactive').scores).toHaveLength(1);
  });

  it('are refused when connectors of the route cross too often', { timeout: 60_000 }, () => {
    const scene = smallScene({ blocks: 6 });
    const connectors = scene.map.roadblocks.filter((block: SceneJson) => block.is_connector);
    const upright = comb(0, -600, 1500, 3000);
    connectors[0].polygon = upright;
    connectors[1].polygon = upright.map(([x, y]) => [y, x]);
    expect(
      connectors.every((block: SceneJson) => scene.route_roadblock_ids.includes(block.id)),
    ).toBe(true);
    expect(() => scored(scene)).toThrow(
      expect.objectContaining({
        code: 'ERR_SCENARIO',
        message: expect.stringMatching(/cross too often/),
      }),
    );
  });
});
