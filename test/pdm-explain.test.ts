import { afterEach, describe, expect, it } from 'vitest';
import type { Explanation } from '../lib/sim/explanation.js';
import { PdmScorer, type PdmVersion } from '../lib/sim/pdm-scorer.js';
import type { PdmScene, ScenePose } from '../lib/sim/scene.js';
import { type SubScore, stepsOf } from '../lib/sim/score-rows.js';
import { drive, kEgoX, kSpeed, movingObject, straightRoad } from './support/straight-road.js';

const open: PdmScorer[] = [];
afterEach(async () => {
  for (const scorer of open.splice(0)) await scorer.close();
});

/** Sub-scores and explanations of one trajectory. */
function judged(scene: PdmScene, trajectory: readonly ScenePose[], version: PdmVersion = 'v2') {
  const scorer = new PdmScorer(scene, { version });
  open.push(scorer);
  const result = scorer.scoreSync([trajectory], { explain: true, rollouts: true });
  const explanations = result.explanations![0]!;
  const of = (metric: SubScore) => explanations.find((e) => e.metric === metric) as Explanation;
  const rollout = result.rollouts!;
  const x = (step: number) => rollout[step * 11]!;
  return { result, explanations, of, x };
}

const kAhead = 4.049; // rear axle to front bumper
const keep = drive(() => [0, 0]);
/** Smooth way from 0 to 1 between two times. */
const ramp = (t: number, from: number, to: number) => {
  const part = Math.min(1, Math.max(0, (t - from) / (to - from)));
  return part * part * (3 - 2 * part);
};

describe('explanations of planted failures', () => {
  it('nothing is said of a trajectory that loses nothing', () => {
    const { explanations, result } = judged(straightRoad(), keep);
    expect(explanations).toEqual([]);
    expect(result.scores[0]).toBe(1);
  });

  it('front collision: step, object, kind', () => {
    const lead = movingObject('lead', { x: 45, y: 1.75, speed: 2 });
    const { of, result, x } = judged(straightRoad({ agents: [lead], human: null }), keep);
    // Independent of the engine: the first step at which the front bumper reaches the lead's rear.
    const meets = (step: number) => x(step) + kAhead >= 45 - 2 + 0.2 * step;
    const first = Array.from({ length: 41 }, (_, k) => k).find(meets)!;
    expect(first).toBeGreaterThan(10);
    expect(of('noAtFaultCollisions')).toMatchObject({
      score: 0,
      step: first,
      timeS: first / 10,
      object: { token: 'lead', type: 'vehicle' },
      collision: 'front',
      forgiven: false,
      text: `collision: at ${(first / 10).toFixed(1)} s the front of the ego meets vehicle lead`,
    });
    expect(result.scores[0]).toBe(0);
    expect(result.firstSteps.noAtFaultCollisions[0]).toBe(first);
  });

  it('standing objects: a vehicle costs all, a cone half', () => {
    for (const [type, score] of [
      ['vehicle', 0],
      ['traffic_cone', 0.5],
    ] as const) {
      const object = movingObject('thing', { x: 40, y: 1.75, speed: 0, type });
      const { of } = judged(straightRoad({ agents: [object] }), keep);
      const found = of('noAtFaultCollisions');
      expect(found).toMatchObject({ score, collision: 'stopped-track', object: { type } });
      expect(found.text).toMatch(
        /^collision: at 1\.4 s the ego box meets (vehicle|traffic cone) thing, which stands still$/,
      );
    }
  });

  it('contact from the side counts in several lanes', () => {
    const beside = movingObject('beside', { x: 19, y: 5.25, speed: kSpeed });
    const change = drive((t) => [0, 3.5 * ramp(t, 0.5, 3.5)]);
    const { of, result } = judged(straightRoad({ agents: [beside] }), change);
    const found = of('noAtFaultCollisions');
    expect(found).toMatchObject({ score: 0, collision: 'lateral', object: { token: 'beside' } });
    expect(found.text).toMatch(
      /the side of the ego meets vehicle beside while the ego is in several lanes$/,
    );
    const lanes = Math.floor(result.flags.multipleLanes[0]! / 2 ** found.step!) % 2;
    expect(lanes).toBe(1);
  });

  it('drivable area: the first corner', () => {
    const right = judged(
      straightRoad(),
      drive((t) => [0, -2.5 * ramp(t, 0, 2)]),
    );
    // Turning right, the front-right corner leaves first.
    expect(right.of('drivableAreaCompliance')).toMatchObject({ score: 0, corner: 'front-right' });
    expect(right.of('drivableAreaCompliance').text).toMatch(
      /^drivable area: at \d\.\d s the front-right corner of the ego box is off the drivable area$/,
    );
    const left = judged(
      straightRoad(),
      drive((t) => [0, 10 * ramp(t, 0, 4)]),
    );
    expect(left.of('drivableAreaCompliance')).toMatchObject({ score: 0, corner: 'front-left' });
  });

  it('traffic light: the connector, when the bumper reaches it', () => {
    const { of, x } = judged(straightRoad({ light: 'red', human: null }), keep);
    const first = Array.from({ length: 41 }, (_, k) => k).find((k) => x(k) + kAhead >= 40)!;
    expect(of('trafficLightCompliance')).toMatchObject({
      score: 0,
      step: first,
      laneId: 'own-middle-0',
      forgiven: false,
    });
    expect(of('trafficLightCompliance').text).toContain(
      'is on lane connector own-middle-0 while its light is red',
    );
    expect(judged(straightRoad({ light: 'green' }), keep).explanations).toEqual([]);
  });

  it('what the recorded driver fails too is forgiven', () => {
    const { of, result } = judged(straightRoad({ light: 'red' }), keep);
    expect(of('trafficLightCompliance')).toMatchObject({ score: 0, forgiven: true });
    expect(result.scores[0]).toBe(0);
    expect(result.filtered!.scores[0]).toBe(1);
    expect(result.filtered!.preFixScores[0]).toBe(0);
    expect(result.filtered!.subScores.trafficLightCompliance[0]).toBe(1);
  });

  it('driving direction: metres off the route within a second', () => {
    const scene = straightRoad({ middle: 100 });
    const over = drive((t) => [0, 7 * ramp(t, 0, 2.5)]);
    const { of, result } = judged(scene, over);
    const found = of('drivingDirectionCompliance');
    expect(found).toMatchObject({ score: 0, unit: 'm', bound: 6 });
    // Eleven steps of 1 m.
    expect(found.value).toBeCloseTo(11, 0);
    expect(found.text).toContain('off the lanes of the route');
    // The step at which the centre has been off the route for eleven steps.
    const { length } = stepsOf(result.flags.offRoute[0]!).filter((step) => step <= found.step!);
    expect(length).toBeGreaterThanOrEqual(11);
    const v1 = judged(scene, over, 'v1');
    expect(v1.of('drivingDirectionCompliance').text).toContain('version 1 does not count it');
  });

  it('time to collision: look-ahead, angle, object', () => {
    // The ego comes near a slower vehicle and slows down in time.
    const lead = movingObject('slow', { x: kEgoX + kAhead + 9 + 2, y: 1.75, speed: 5.5 });
    const late = drive((t) => [-5.5 * Math.max(0, t - 2), 0]);
    const { of, result, x } = judged(straightRoad({ agents: [lead] }), late);
    expect(result.subScores.noAtFaultCollisions[0]).toBe(1);
    const found = of('timeToCollisionWithinBound');
    expect(found).toMatchObject({
      score: 0,
      object: { token: 'slow' },
      bound: 30,
      unit: 'degrees',
    });
    const { step, lookAheadS } = found as { step: number; lookAheadS: number };
    const speed = (at: number) => result.rollouts![at * 11 + 3]!;
    const meets = (at: number, ahead: number) =>
      x(at) + speed(at) * ahead + kAhead >= kEgoX + kAhead + 9 + 5.5 * (at / 10 + ahead);
    const first = Array.from({ length: 32 }, (_, k) => k).find((at) => meets(at, 0.9))!;
    expect([step, lookAheadS]).toEqual([first, 0.9]);
    expect(found.value).toBeCloseTo(0, 6);
    expect(found.text).toBe(
      `time to collision: at ${(step / 10).toFixed(1)} s, projected 0.9 s ahead, ` +
        'the ego box meets vehicle slow, 0 degrees off its heading (bound 30)',
    );
  });

  it('time to collision from the side counts in an intersection', () => {
    // As far ahead as its front is the rear axle of the ego; its centre is beside the ego 0.9 s later.
    const beside = movingObject('beside', { x: 14, y: 4.6, speed: kSpeed, length: 12 });
    // Towards it while the rear axle is between x = 40 and 60.
    const { of } = judged(
      straightRoad({ agents: [beside] }),
      drive((t) => [0, 0.9 * ramp(t, 2, 4)]),
    );
    const found = of('timeToCollisionWithinBound');
    expect(found).toMatchObject({ bound: 150, object: { token: 'beside' } });
    expect(found.value).toBeGreaterThan(30);
    expect(found.text).toMatch(
      /\(bound 150, as the ego is (in an intersection|in several lanes)\)$/,
    );
  });

  it('lane keeping: how far off for how long', () => {
    const { of, result } = judged(
      straightRoad({ middle: 100 }),
      drive((t) => [0, -0.7 * ramp(t, 0, 1)]),
    );
    // The centre is 1.461 m ahead of the rear axle.
    const off = Array.from({ length: 41 }, (_, step) => {
      const [, y, heading] = result.rollouts!.subarray(step * 11) as unknown as number[];
      return Math.abs(y! + 1.461 * Math.sin(heading!) - 1.75);
    });
    const step = off.findIndex((_, k) => k >= 19 && off.slice(k - 19, k + 1).every((d) => d > 0.5));
    const found = of('laneKeeping');
    expect(found).toMatchObject({ score: 0, step, bound: 0.5, unit: 'm' });
    const beginning = off.slice(0, step + 1).findLastIndex((d) => d <= 0.5) + 1;
    expect(found.value).toBeCloseTo(Math.max(...off.slice(beginning, step + 1)), 9);
  });

  it('comfort: signal, bound and value; before the present with a history', () => {
    const brake = drive((t) => [-4 * Math.min(t, 1.5) ** 2 - 8 * Math.max(0, t - 1.5), 0]);
    for (const version of ['v1', 'v2'] as const) {
      const { of } = judged(straightRoad(), brake, version);
      const found = of('comfort');
      expect(found).toMatchObject({ score: 0, unit: expect.stringMatching(/^(m|rad)\/s\^?\d?$/) });
      const { value, bound, timeS, step } = found as {
        value: number;
        bound: number;
        timeS: number;
        step: number;
      };
      expect(Math.abs(value)).toBeGreaterThanOrEqual(Math.abs(bound));
      expect(Math.sign(value)).toBe(Math.sign(bound));
      expect(timeS).toBeCloseTo(step < 0 ? (step - 1) / 10 : step / 10, 12);
      expect(found.text).toContain(
        `comfort: at ${timeS.toFixed(1)} s ${found.signal} is ${value.toFixed(2)}`,
      );
    }
    // Without a history version 2 cannot tell.
    const { result } = judged(straightRoad({ hasPast: false }), brake);
    expect(result.subScores.comfort[0]).toBe(1);
  });

  it('ego progress: against PDM-Closed', () => {
    const slow = drive((t) => [-5 * t, 0]);
    const { of, result } = judged(straightRoad(), slow);
    const found = of('egoProgress');
    expect(found.value).toBe(result.progressM[0]);
    expect(found.bound).toBe(result.referenceProgressM[0]);
    expect(found.score).toBeCloseTo(result.progressM[0]! / result.referenceProgressM[0]!, 12);
    expect(found.text).toMatch(
      /^ego progress: \d+\.\d m along the route against \d+\.\d m of PDM-Closed/,
    );
  });
});
