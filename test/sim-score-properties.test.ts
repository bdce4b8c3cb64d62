import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseScene } from '../lib/sim/parse-scene.js';
import { PdmScorer, type PdmScorerOptions } from '../lib/sim/pdm-scorer.js';
import type { PdmScores } from '../lib/sim/pdm-scores.js';
import { kSubScores } from '../lib/sim/score-rows.js';
import { type SceneJson, smallScene } from './support/small-scene.js';

// What must hold of the score whatever the scene: under motion of the whole, other orders, more and fewer objects.

const kWays: readonly PdmScorerOptions[] = [
  { version: 'v1' },
  { version: 'v2' },
  { version: 'v2', traffic: 'reactive' },
];

/** Evenly over [0, 1]; fc.double would be next to 0 most of the time. */
const part = fc.nat(1_000_000).map((v) => v / 1_000_000);
/** Plans that keep to the road, swerve, stop, leave it; none of them on a whole number. */
const plan = fc
  .record({ speed: part, turn: part, gain: part, swing: fc.constantFrom(0.03, 0.03, 0.21) })
  .map(({ speed, turn, gain, swing }) => {
    let [x, y, heading, v] = [0, 0, 0, 0.377 + 14 * speed];
    return Array.from({ length: 8 }, (_, k) => {
      heading += (turn - 0.5) * (k < 4 ? swing : -0.93 * swing);
      v = Math.max(0, v + (gain - 0.5) * 2.3);
      x += 0.5 * v * Math.cos(heading);
      y += 0.5 * v * Math.sin(heading);
      return [x, y, heading];
    });
  });
const plans = fc.array(plan, { minLength: 2, maxLength: 6 });
const shape = fc.record({
  blocks: fc.constantFrom(4, 5, 6),
  lanes: fc.constantFrom(1, 2, 3),
  agents: fc.nat(7),
  lights: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

/** A small scene whose ego and objects lie nowhere on a whole number, so that no case is decided by the last bit. */
function someScene(options: Shape): SceneJson {
  const scene = smallScene(options);
  scene.ego.y += 0.0137;
  scene.ego.heading += 0.00213;
  scene.ego_past = [];
  scene.agents.forEach((agent: SceneJson, i: number) => {
    for (const sample of agent.samples) {
      sample.x += 0.1234 + 0.017 * i;
      sample.y += 0.0731 - 0.013 * i;
      sample.heading += 0.0117 * (i + 1);
    }
  });
  return scene;
}

function scored(scene: SceneJson, trajectories: number[][][], way: PdmScorerOptions): PdmScores {
  using scorer = new PdmScorer(parseScene(structuredClone(scene)).scene, way);
  return scorer.scoreSync(trajectories, { rollouts: true });
}

/** Sub-scores and steps equal, numbers to `tolerance`. */
function expectAlike(found: PdmScores, expected: PdmScores, tolerance: number): void {
  for (const name of kSubScores) {
    if (name === 'egoProgress') continue;
    expect(found.subScores[name], name).toEqual(expected.subScores[name]);
  }
  expect(found.firstSteps).toEqual(expected.firstSteps);
  expect(found.flags).toEqual(expected.flags);
  expect(found.multipliers).toEqual(expected.multipliers);
  for (const [a, b] of [
    [found.scores, expected.scores],
    [found.subScores.egoProgress, expected.subScores.egoProgress],
    [found.progressM, expected.progressM],
    [found.referenceProgressM, expected.referenceProgressM],
  ] as const) {
    a.forEach((value, i) => {
      expect(Math.abs(value - b[i]!)).toBeLessThanOrEqual(tolerance);
    });
  }
}

/** Every position, direction and velocity of the scene turned by `angle` about the origin and moved. */
function movedScene(scene: SceneJson, angle: number, by: readonly [number, number]): SceneJson {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const turned = (x: number, y: number): [number, number] => [c * x - s * y, s * x + c * y];
  const placed = (x: number, y: number): [number, number] => {
    const [u, v] = turned(x, y);
    return [u + by[0], v + by[1]];
  };
  const out = structuredClone(scene);
  const { roadblocks, lanes, intersections, carparks } = out.map;
  for (const area of [...roadblocks, ...lanes, ...intersections, ...carparks]) {
    area.polygon = area.polygon.map(([x, y]: number[]) => placed(x!, y!));
  }
  for (const lane of lanes) {
    lane.baseline = lane.baseline.map(([x, y, h]: number[]) => [...placed(x!, y!), h! + angle]);
  }
  const place = (pose: SceneJson) => {
    [pose.x, pose.y] = placed(pose.x, pose.y);
    pose.heading += angle;
  };
  for (const state of [out.ego, ...out.ego_past]) place(state);
  for (const sample of out.agents.flatMap((agent: SceneJson) => agent.samples)) {
    place(sample);
    if (sample.vx !== undefined) [sample.vx, sample.vy] = turned(sample.vx, sample.vy);
  }
  return out;
}

it('moving the whole scene changes nothing but roundings', () => {
  fc.assert(
    fc.property(
      shape,
      plans,
      part.map((v) => 6 * v - 3),
      fc.constantFrom<[number, number]>([0, 0], [-812.25, 43.7], [6e5, 4e6]),
      (options, trajectories, angle, by) => {
        const scene = someScene(options);
        const there = movedScene(scene, angle, by);
        for (const way of kWays) {
          const here = scored(scene, trajectories, way);
          const found = scored(there, trajectories, way);
          expectAlike(found, here, 1e-6);
          const [c, s] = [Math.cos(angle), Math.sin(angle)];
          for (let i = 0; i < found.rollouts!.length; i += 11) {
            const [x, y] = [here.rollouts![i]!, here.rollouts![i + 1]!];
            const [u, v] = [c * x - s * y + by[0], s * x + c * y + by[1]];
            expect(Math.abs(found.rollouts![i]! - u)).toBeLessThan(1e-6);
            expect(Math.abs(found.rollouts![i + 1]! - v)).toBeLessThan(1e-6);
            for (let k = 3; k < 11; k++)
              expect(Math.abs(found.rollouts![i + k]! - here.rollouts![i + k]!)).toBeLessThan(1e-6);
          }
        }
      },
    ),
    { numRuns: 15, seed: 1, endOnFailure: true },
  );
});

it('the order of objects, lanes, areas and vertices changes nothing', () => {
  fc.assert(
    fc.property(shape, plans, fc.nat(1000), (options, trajectories, pick) => {
      const scene = someScene(options);
      const other = structuredClone(scene);
      const rotate = (list: unknown[], by: number) => {
        list.push(...list.splice(0, by % list.length));
      };
      const { roadblocks, lanes, intersections, carparks } = other.map;
      for (const area of [...roadblocks, ...lanes, ...intersections, ...carparks]) {
        rotate(area.polygon, pick);
        if (pick % 2 === 0) area.polygon.reverse();
      }
      for (const list of [roadblocks, lanes, other.agents]) if (list.length > 0) rotate(list, pick);
      if (pick % 3 === 0) lanes.reverse();
      for (const way of kWays) {
        const found = scored(other, trajectories, way);
        const expected = scored(scene, trajectories, way);
        expectAlike(found, expected, 1e-9);
        expect(found.rollouts).toEqual(expected.rollouts);
      }
    }),
    { numRuns: 30, seed: 2, endOnFailure: true },
  );
});

it('an object more never raises, all objects away never lower what collisions count for', () => {
  let lowered = 0;
  fc.assert(
    fc.property(
      shape,
      plans,
      part,
      part,
      part,
      fc.nat(6),
      (options, trajectories, a, b, h, type) => {
        const scene = someScene(options);
        const more = structuredClone(scene);
        const one = smallScene({ agents: 7 }).agents[type];
        one.token = 'one more';
        one.samples.forEach((sample: SceneJson, k: number) => {
          sample.x = scene.ego.x + 4 + 40 * a + (type < 3 ? 2 * k * h : 0);
          sample.y = scene.ego.y - 3 + 6 * b;
          sample.heading = 6 * h;
        });
        more.agents.push(one);
        const none = { ...scene, agents: [] };
        for (const way of kWays.slice(0, 2)) {
          const [with_, before, without] = [more, scene, none].map((each) =>
            scored(each, trajectories, way),
          ) as [PdmScores, PdmScores, PdmScores];
          for (let i = 0; i < trajectories.length; i++) {
            for (const [less, greater] of [
              [with_, before],
              [before, without],
            ] as const) {
              const [l, g] = [less.subScores, greater.subScores];
              expect(l.noAtFaultCollisions[i]).toBeLessThanOrEqual(g.noAtFaultCollisions[i]!);
              expect(l.timeToCollisionWithinBound[i]).toBeLessThanOrEqual(
                g.timeToCollisionWithinBound[i]!,
              );
              expect(less.multipliers[i]).toBeLessThanOrEqual(greater.multipliers[i]!);
            }
            expect(without.subScores.noAtFaultCollisions[i]).toBe(1);
            expect(without.subScores.timeToCollisionWithinBound[i]).toBe(1);
            if (with_.multipliers[i]! < before.multipliers[i]!) ++lowered;
            // A collision never raises the score: 0 ends it, 0.5 can at best leave a half.
            const collision = with_.subScores.noAtFaultCollisions[i]!;
            expect(with_.scores[i]).toBeLessThanOrEqual(collision + 1e-12);
          }
        }
      },
    ),
    { numRuns: 60, seed: 3, endOnFailure: true },
  );
  expect(lowered).toBeGreaterThan(10);
});

it('equal trajectories get equal results', () => {
  fc.assert(
    fc.property(shape, plans, (options, trajectories) => {
      for (const way of kWays) {
        const found = scored(someScene(options), [...trajectories, ...trajectories], way);
        const n = trajectories.length;
        for (const name of kSubScores) {
          const values = found.subScores[name];
          expect(values.slice(n)).toEqual(values.slice(0, n));
        }
        expect(found.scores.slice(n)).toEqual(found.scores.slice(0, n));
        expect(found.rollouts!.slice(n * 451)).toEqual(found.rollouts!.slice(0, n * 451));
      }
    }),
    { numRuns: 15, seed: 4, endOnFailure: true },
  );
});
