import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseScene } from '../lib/sim/parse-scene.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { readSceneFile } from '../lib/sim/read-scene.js';
import { anchorOf } from '../lib/viewer/browser/score/contact.js';
import {
  agentFor,
  cornersOf,
  egoBox,
  type Point,
  rolloutAt,
} from '../lib/viewer/browser/score/geometry.js';
import { scoreCaseFromScene } from '../lib/viewer/build-score-case.js';
import type { FlatLine } from '../lib/viewer/case.js';
import type { ScoreCase, ScoredTrajectory, ScoreFailure } from '../lib/viewer/score-case.js';
import { runsOf } from '../lib/viewer/score-failures.js';
import { caseOf, kTrajectories, smallCase } from './support/score-cases.js';
import { smallScene } from './support/small-scene.js';

/** Signed metres of `p` outside a polygon (negative inside): ray casting, and the distance to the nearest edge. */
function outside(ring: FlatLine, [x, y]: Point): number {
  let inside = false;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ring.length; i += 2) {
    const [ax, ay] = [ring[i]!, ring[i + 1]!];
    const [bx, by] = [ring[(i + 2) % ring.length]!, ring[(i + 3) % ring.length]!];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside = !inside;
    const square = (bx - ax) ** 2 + (by - ay) ** 2;
    const along = square === 0 ? 0 : ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / square;
    const s = Math.min(1, Math.max(0, along));
    least = Math.min(least, Math.hypot(x - ax - s * (bx - ax), y - ay - s * (by - ay)));
  }
  return inside ? -least : least;
}

const flatRing = (points: readonly Point[]): FlatLine => points.flat();

/** Metres by which what the page marks for a failure contradicts what the failure says; rounding leaves centimetres. */
function contradiction(item: ScoreCase, trajectory: ScoredTrajectory, failure: ScoreFailure) {
  const step = failure.step!;
  const { pose, size } = egoBox(item.ego, rolloutAt(trajectory.rollout, step / 10));
  const corners = cornersOf(pose, size);
  const anchor = anchorOf(item, trajectory, failure)!;
  switch (failure.metric) {
    case 'drivableAreaCompliance': {
      // The corner is in no area.
      const depth = item.areas.map(({ ring }) => -outside(ring, corners[failure.corner!]));
      return Math.max(0, ...depth);
    }
    case 'trafficLightCompliance': {
      // The box reaches the connector: a corner of one is in the other.
      const { ring } = item.lanes[failure.lane!]!;
      const of = (line: FlatLine, points: readonly Point[]) => points.map((p) => outside(line, p));
      const own = ring.reduce<Point[]>((all, x, i) => {
        if (i % 2 === 0) all.push([x, ring[i + 1]!]);
        return all;
      }, []);
      return Math.max(0, Math.min(...of(ring, corners), ...of(flatRing(corners), own)));
    }
    case 'noAtFaultCollisions': {
      // The star lies in both boxes.
      const other = agentFor(item, trajectory, failure.agent!, step / 10)!;
      const box = cornersOf(other, item.agents[failure.agent!]!);
      return Math.max(0, outside(flatRing(box), anchor), outside(flatRing(corners), anchor));
    }
    case 'timeToCollisionWithinBound': {
      // It lies in the object's box at the projected time.
      const later = step / 10 + failure.lookAheadS!;
      const other = agentFor(item, trajectory, failure.agent!, later)!;
      return Math.max(0, outside(flatRing(cornersOf(other, item.agents[failure.agent!]!)), anchor));
    }
    default:
      return 0;
  }
}

describe('a scene as the score page shows it', () => {
  const item = smallCase();
  const [ram, leave, human] = item.trajectories as [
    ScoredTrajectory,
    ScoredTrajectory,
    ScoredTrajectory,
  ];
  const failure = (trajectory: ScoredTrajectory, metric: ScoreFailure['metric']) =>
    trajectory.failures.find((other) => other.metric === metric)!;

  test('is in the frame of the rear axle, rounded to centimetres', () => {
    expect(item.lanes[0]!.ring).toEqual([-5, -1.75, 25, -1.75, 25, 1.75, -5, 1.75]);
    expect(item.agents[0]!.poses.slice(0, 2)).toEqual([
      [15, 0, 0],
      [18, 0, 0],
    ]);
    expect(ram.rollout).toHaveLength(41);
    expect(ram.rollout[0]).toEqual([0, 0, 0]);
    expect(ram.poses[7]).toEqual([56, 0, 0]);
    expect(item.speed).toBe(8);
  });

  test('keeps what the score says of each trajectory', () => {
    const { scene } = parseScene(smallScene({ origin: [4e5, 5e6] }));
    using scorer = new PdmScorer(scene);
    const scores = scorer.scoreSync(kTrajectories.map(({ poses }) => poses));
    item.trajectories.forEach((trajectory, i) => {
      expect(trajectory.score).toBeCloseTo(scores.filtered!.scores[i]!, 3);
      expect(trajectory.unfilteredScore).toBeCloseTo(scores.scores[i]!, 3);
      expect(trajectory.subScores.egoProgress).toBeCloseTo(scores.subScores.egoProgress[i]!, 3);
      const lost = Object.values(trajectory.subScores).filter((value) => value < 1).length;
      expect(trajectory.failures).toHaveLength(lost);
    });
  });

  test('names the object that is hit, the corner that leaves, the light that is run', () => {
    const hit = failure(ram, 'noAtFaultCollisions');
    expect(item.agents[hit.agent!]!.token).toBe('ahead');
    // 8 t + 1.5 t^2 + 4.05 = 15 + 6 t - 2.25 at 1.83 s; the simulator follows a little late.
    expect(hit.timeS).toBeGreaterThan(1.7);
    expect(hit.timeS).toBeLessThan(2.2);
    expect(failure(leave, 'drivableAreaCompliance').corner).toBe(0);
    const light = failure(human, 'trafficLightCompliance');
    expect(item.lanes[light.lane!]!.id).toBe('l1-0');
    expect(light.forgiven).toBe(true);
    for (const trajectory of item.trajectories) {
      for (const mark of trajectory.failures) {
        if (mark.step !== null) expect(contradiction(item, trajectory, mark)).toBeLessThan(0.05);
      }
    }
  });

  test('stretches are runs of the steps at fault', () => {
    expect(runsOf([])).toEqual([]);
    expect(runsOf([3, 4, 5, 9, 11, 12])).toEqual([
      [3, 5],
      [9, 9],
      [11, 12],
    ]);
    const off = failure(leave, 'drivableAreaCompliance');
    expect(off.stretches[0]![0]).toBe(off.step);
    expect(off.stretches.at(-1)![1]).toBe(40);
  });

  test('objects far away go, unless a lost mark names them', () => {
    const json = smallScene({ agents: 2 });
    for (const sample of json.agents[1].samples) sample.x += 500;
    const small = caseOf(parseScene(json).scene, kTrajectories, 'v2');
    expect(small.agents.map(({ token }) => token)).toEqual(['a0']);
  });

  test('version 1 has no human filter', () => {
    const old = smallCase({}, 'v1');
    expect(old).toMatchObject({ version: 'v1', filtered: false, group: 'PDMS (v1)' });
    expect(old.trajectories[2]!.failures.some(({ forgiven }) => forgiven)).toBe(false);
  });

  test('scores without rollouts, or of other trajectories, are refused', () => {
    const { scene } = parseScene(smallScene());
    using scorer = new PdmScorer(scene);
    const poses = kTrajectories.map((trajectory) => trajectory.poses);
    const make = (n: number, rollouts: boolean) => () =>
      scoreCaseFromScene(
        scene,
        kTrajectories.slice(0, n),
        scorer.scoreSync(poses, { rollouts, explain: true }),
        scorer.reference,
      );
    expect(make(4, false)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
    expect(make(3, true)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
    expect(make(4, true)).not.toThrow();
  });
});

const kGoldens = new URL('../../shared/pdms-golden/', import.meta.url).pathname;
const goldens = existsSync(kGoldens)
  ? readdirSync(kGoldens).filter((name) => /^(real-)?scene-/.test(name))
  : [];
if (goldens.length === 0) console.warn('no ../shared/pdms-golden: its scenes are not drawn');

describe.skipIf(goldens.length === 0)('marks of the reference scenes', () => {
  test.each(['v1', 'v2'] as const)('are where the map says so (%s)', async (version) => {
    const checked = new Map<string, number>();
    for (const name of goldens) {
      const { scene, trajectories } = await readSceneFile(join(kGoldens, name));
      const item = caseOf(scene, trajectories, version);
      for (const trajectory of item.trajectories) {
        for (const mark of trajectory.failures) {
          if (mark.step === null) continue;
          const off = contradiction(item, trajectory, mark);
          expect(off, `${name}, ${trajectory.id}: ${mark.text}`).toBeLessThan(0.1);
          checked.set(mark.metric, (checked.get(mark.metric) ?? 0) + 1);
        }
      }
    }
    for (const metric of ['drivableAreaCompliance', 'noAtFaultCollisions']) {
      expect(checked.get(metric), metric).toBeGreaterThan(20);
    }
    expect(checked.get('timeToCollisionWithinBound')).toBeGreaterThan(20);
  });
});
