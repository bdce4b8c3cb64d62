import { afterAll, describe, expect, test } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { PdmScorer, type PdmScorerOptions, type ScoreOptions } from '../lib/sim/pdm-scorer.js';
import type { PdmScores } from '../lib/sim/pdm-scores.js';
import type { PdmScene } from '../lib/sim/scene.js';
import { kSubScores, stepsOf } from '../lib/sim/score-rows.js';
import type { Trajectories } from '../lib/sim/trajectories.js';
import { busyRoad, variedDrives } from './support/scored-traffic.js';
import { drive, kLimit, straightRoad } from './support/straight-road.js';

const made: PdmScorer[] = [];
afterAll(async () => {
  for (const scorer of made) await scorer.close();
});
function scorerOf(scene: PdmScene, options: PdmScorerOptions = {}): PdmScorer {
  const scorer = new PdmScorer(scene, options);
  made.push(scorer);
  return scorer;
}

const kN = 60;
const drives = variedDrives(kN);
const kVariants: PdmScorerOptions[] = [
  { version: 'v1' },
  { version: 'v2' },
  { version: 'v2', traffic: 'reactive' },
];

/** Everything that a call found out about trajectory i, as text that tells every bit apart. */
function rowText(scores: PdmScores, i: number): string {
  const { subScores, filtered, firstSteps, flags } = scores;
  const numbers = [
    scores.scores[i],
    scores.multipliers[i],
    scores.progressM[i],
    scores.referenceProgressM[i],
    scores.referenceMultipliers[i],
    ...kSubScores.flatMap((name) => [subScores[name][i], filtered?.subScores[name][i]]),
    filtered?.scores[i],
    ...Object.values(firstSteps).map((steps) => steps[i]),
    ...Object.values(flags).map((mask: Float64Array) => mask[i]),
    ...(scores.rollouts?.slice(i * 451, (i + 1) * 451) ?? []),
  ];
  return `${numbers.join(' ')} ${JSON.stringify(scores.explanations?.[i])}`;
}
const rowTexts = (scores: PdmScores) =>
  Array.from({ length: scores.n }, (_, i) => rowText(scores, i));
const kAll: ScoreOptions = { rollouts: true, explain: true };

describe.each(kVariants)('$version $traffic', (variant) => {
  const scene = busyRoad();
  const expected = rowTexts(scorerOf(scene, variant).scoreSync(drives, kAll));

  test('the drives differ in every sub-score that the version has', () => {
    const { subScores } = scorerOf(scene, variant).scoreSync(drives);
    for (const name of kSubScores) {
      const different = new Set(subScores[name]).size;
      const isOwn = variant.version === 'v2' || !/trafficLight|laneKeeping/.test(name);
      expect(different, name).toBeGreaterThanOrEqual(isOwn ? 2 : 1);
    }
  });

  test.each([1, 2, 3, 7])('%i threads: same bits, both ways of calling', async (threads) => {
    const scorer = scorerOf(scene, { ...variant, threads });
    expect(rowTexts(scorer.scoreSync(drives, kAll))).toEqual(expected);
    expect(rowTexts(await scorer.score(drives, kAll))).toEqual(expected);
    expect(rowTexts(scorer.scoreSync(drives, kAll))).toEqual(expected);
  });

  test('alone, in other company and order: same bits', () => {
    const scorer = scorerOf(scene, variant);
    for (let i = 0; i < kN; i += 7) {
      const one = scorer.scoreSync(drives.slice(i * 24, (i + 1) * 24), kAll);
      expect(rowTexts(one)).toEqual([expected[i]]);
    }
    const reversed = Array.from({ length: kN }, (_, i) =>
      drives.slice((kN - 1 - i) * 24, (kN - i) * 24),
    );
    expect(rowTexts(scorer.scoreSync(reversed, kAll))).toEqual(expected.toReversed());
  });

  test('a rollout that is given back scores the same', async () => {
    const scorer = scorerOf(scene, variant);
    const { rollouts, ...scores } = scorer.scoreSync(drives, { rollouts: true });
    expect(scorer.scoreRolloutsSync(rollouts!)).toEqual(scores);
    expect(await scorer.scoreRollouts(rollouts!)).toEqual(scores);
  });
});

describe('forms of trajectories', () => {
  const scorer = scorerOf(busyRoad());
  const nested = Array.from({ length: 4 }, (_, i) =>
    Array.from({ length: 8 }, (_, k) => [...drives.slice(i * 24 + k * 3, i * 24 + k * 3 + 3)]),
  );
  const expected = rowTexts(scorer.scoreSync(drives.slice(0, 96)));

  test('typed array, nested arrays, list of arrays', () => {
    expect(rowTexts(scorer.scoreSync(nested))).toEqual(expected);
    const list = nested.map((poses) => Float64Array.from(poses.flat()));
    expect(rowTexts(scorer.scoreSync(list))).toEqual(expected);
  });

  test('float32 is widened; a plan is a trajectory', () => {
    const single = Float32Array.from(drives.slice(0, 96));
    const widened = rowTexts(scorer.scoreSync(Float64Array.from(single)));
    expect(rowTexts(scorer.scoreSync(single))).toEqual(widened);
    const plans = Array.from({ length: 4 }, (_, i) => ({
      trajectory: single.slice(i * 24, (i + 1) * 24),
    }));
    expect(rowTexts(scorer.scoreSync(plans))).toEqual(widened);
    expect(rowTexts(scorer.scoreSync(plans[0]!))).toEqual(widened.slice(0, 1));
  });

  test('none at all', async () => {
    expect(scorer.scoreSync([])).toMatchObject({ n: 0, scores: new Float64Array(0) });
    expect((await scorer.score(new Float64Array(0), kAll)).explanations).toEqual([]);
  });

  test('other numbers of poses and intervals; beyond the end the last pose holds', () => {
    const straight = (count: number, interval: number) =>
      Array.from({ length: count }, (_, k) => [10 * interval * (k + 1), 0, 0]);
    const usual = scorer.scoreSync([straight(8, 0.5)], { rollouts: true });
    const fine = scorer.scoreSync([straight(40, 0.1)], {
      poses: 40,
      intervalS: 0.1,
      rollouts: true,
    });
    usual.rollouts!.forEach((value, i) => {
      expect(fine.rollouts![i]).toBeCloseTo(value, 4);
    });
    const short = scorer.scoreSync([straight(4, 0.5)], { poses: 4, rollouts: true });
    expect(short.progressM[0]).toBeLessThan(25);
    expect(usual.progressM[0]).toBeGreaterThan(39);
  });
});

describe('results', () => {
  test('version 1 and 2 by their formulas', () => {
    for (const version of ['v1', 'v2'] as const) {
      const {
        subScores: s,
        scores,
        multipliers,
      } = scorerOf(busyRoad(), { version }).scoreSync(drives);
      for (let i = 0; i < kN; i++) {
        const nc = s.noAtFaultCollisions[i]! * s.drivableAreaCompliance[i]!;
        const rest = s.trafficLightCompliance[i]! * s.drivingDirectionCompliance[i]!;
        const sum =
          5 * s.egoProgress[i]! + 5 * s.timeToCollisionWithinBound[i]! + 2 * s.comfort[i]!;
        const [product, score] =
          version === 'v1'
            ? [nc, (nc * sum) / 12]
            : [nc * rest, (nc * rest * (sum + 2 * s.laneKeeping[i]!)) / 14];
        expect(multipliers[i]).toBe(product);
        expect(scores[i]).toBeCloseTo(score, 12);
      }
    }
  });

  test('the human filter needs version 2 and a recorded driver', () => {
    const { filtered, scores } = scorerOf(busyRoad()).scoreSync(drives);
    expect(filtered!.preFixScores).toEqual(scores);
    expect(filtered!.scores.some((value, i) => value > scores[i]!)).toBe(true);
    expect(filtered!.scores.every((value, i) => value >= scores[i]!)).toBe(true);
    expect(scorerOf(busyRoad({ human: null })).scoreSync(drives).filtered).toBeUndefined();
    expect(scorerOf(busyRoad(), { version: 'v1' }).scoreSync(drives).filtered).toBeUndefined();
  });

  test('nothing changes when the whole scene is turned and moved', () => {
    const pose = [6.1e5, 4.1e6, 2.2] as const;
    const here = scorerOf(busyRoad()).scoreSync(drives);
    const there = scorerOf(busyRoad({ pose })).scoreSync(drives);
    for (const name of kSubScores) {
      if (name === 'egoProgress') continue;
      expect(there.subScores[name], name).toEqual(here.subScores[name]);
    }
    there.scores.forEach((score, i) => {
      expect(score).toBeCloseTo(here.scores[i]!, 6);
    });
  });

  test('reactive vehicles answer the rollout; replayed ones do not', () => {
    const scorer = scorerOf(busyRoad(), { traffic: 'reactive' });
    const stop = drive((t) => [-10 * t, 0]);
    const { rollouts } = scorer.scoreSync([drive(() => [0, 0]), stop], { rollouts: true });
    const tracks = [0, 1].map((i) =>
      scorer.reactiveTracks(rollouts!.slice(i * 451, (i + 1) * 451)),
    );
    expect(tracks[0]!.map(({ token }) => token).toSorted()).toEqual(['beside', 'lead', 'oncoming']);
    for (const { states } of tracks[0]!) expect(states.length % 5).toBe(0);
    expect(scorerOf(busyRoad()).reactiveTracks(rollouts!.slice(0, 451))).toEqual([]);
  });

  test('the reference: route, PDM-Closed, the recorded driver', () => {
    const scorer = scorerOf(busyRoad());
    const { reference } = scorer;
    expect(reference.routeRoadblockIds).toEqual(['own-in', 'own-middle', 'own-out']);
    expect(reference.lanePathIds).toEqual(['own-in-0', 'own-middle-0', 'own-out-0']);
    expect(reference.routeLaneIds).toHaveLength(6);
    expect(reference.speedLimit).toBe(kLimit);
    expect(reference.human!.subScores.trafficLightCompliance).toBe(0);
    const { pdmClosed } = reference;
    expect([pdmClosed.proposals.length, pdmClosed.idm.length]).toEqual([15 * 41 * 3, 51 * 2]);
    // It is what trajectories are compared with, and given as a rollout it is its own equal.
    const again = scorer.scoreRolloutsSync(pdmClosed.rollout);
    expect(again.progressM[0]).toBe(again.referenceProgressM[0]);
    expect(again.progressM[0]).toBe(pdmClosed.progressM);
    expect(again.subScores.timeToCollisionWithinBound[0]).toBe(
      pdmClosed.subScores.timeToCollisionWithinBound,
    );
    expect(scorer.bytes).toBeGreaterThan(1000);
  });

  test('stepsOf lists the bits of a mask', () => {
    expect(stepsOf(0)).toEqual([]);
    expect(stepsOf(2 ** 40 + 2 ** 33 + 5)).toEqual([0, 2, 33, 40]);
  });
});

describe('what is refused', () => {
  const scorer = scorerOf(busyRoad());
  const bad = (value: unknown) => value as Trajectories;
  const cases: [string, Trajectories, ScoreOptions, string, RegExp][] = [
    ['23 numbers', new Float64Array(23), {}, 'ERR_SHAPE', /N x 8 x 3/],
    ['no array', bad('x'), {}, 'ERR_ARGUMENT', /^trajectories: expected a typed array/],
    ['a flat array', bad([1, 2, 3]), {}, 'ERR_ARGUMENT', /^trajectories\[0\]: expected 8 poses/],
    [
      '7 poses',
      [drive(() => [0, 0]).slice(1)],
      {},
      'ERR_SHAPE',
      /^trajectories\[0\]: expected 8 poses/,
    ],
    ['a pose of 2', bad([Array(8).fill([1, 2])]), {}, 'ERR_SHAPE', /^trajectories\[0\]\[0\]/],
    [
      'text',
      bad([Array(8).fill([1, 2, '3'])]),
      {},
      'ERR_ARGUMENT',
      /\[0\]\[0\]\[2\]: expected a number/,
    ],
    ['NaN', new Float64Array(24).fill(Number.NaN), {}, 'ERR_NOT_FINITE', /^poses\[0\]/],
    ['infinity', new Float64Array(48).fill(Infinity, 30), {}, 'ERR_NOT_FINITE', /^poses\[10\]/],
    ['no poses', new Float64Array(24), { poses: 0 }, 'ERR_RANGE', /^poses/],
    ['401 poses', new Float64Array(24), { poses: 401 }, 'ERR_RANGE', /^poses/],
    ['an interval of 0', new Float64Array(24), { intervalS: 0 }, 'ERR_RANGE', /^interval/],
    [
      'a NaN interval',
      new Float64Array(24),
      { intervalS: Number.NaN },
      'ERR_NOT_FINITE',
      /^interval/,
    ],
  ];
  test.each(cases)('%s', async (_, trajectories, options, code, message) => {
    const error = { code, message: expect.stringMatching(message) };
    const sync = () => scorer.scoreSync(trajectories, options);
    expect(sync).toThrow(expect.objectContaining(error));
    expect(sync).toThrow(WamFlowError);
    await expect(scorer.score(trajectories, options)).rejects.toMatchObject(error);
    expect(scorer.scoreSync(drives).n).toBe(kN);
  });

  test('rollouts of the wrong length or with NaN', async () => {
    for (const rollouts of [new Float64Array(450), new Float64Array(451).fill(Number.NaN)]) {
      expect(() => scorer.scoreRolloutsSync(rollouts)).toThrow(WamFlowError);
      await expect(scorer.scoreRollouts(rollouts)).rejects.toBeInstanceOf(WamFlowError);
      expect(() => scorer.reactiveTracks(rollouts)).toThrow(WamFlowError);
    }
  });

  const scenes: [string, PdmScene | null, PdmScorerOptions, string][] = [
    ['no scene', null, {}, 'ERR_ARGUMENT'],
    ['an unknown version', straightRoad(), { version: 'v3' as 'v2' }, 'ERR_ARGUMENT'],
    [
      'reactive traffic in version 1',
      straightRoad(),
      { version: 'v1', traffic: 'reactive' },
      'ERR_ARGUMENT',
    ],
    ['no threads', straightRoad(), { threads: 0 }, 'ERR_RANGE'],
    [
      'a route of unknown roadblocks',
      { ...straightRoad(), routeRoadblockIds: ['x'] },
      {},
      'ERR_ARGUMENT',
    ],
    ['no route', { ...straightRoad(), routeRoadblockIds: [] }, {}, 'ERR_SCENARIO'],
    [
      'an ego of NaN',
      { ...straightRoad(), ego: { ...straightRoad().ego, x: Number.NaN } },
      {},
      'ERR_NOT_FINITE',
    ],
    [
      '3 past states',
      { ...straightRoad(), egoPast: straightRoad().egoPast.slice(1) },
      {},
      'ERR_SCENARIO',
    ],
    [
      'no lanes',
      {
        ...straightRoad(),
        map: { ...straightRoad().map, roadblocks: [], lanes: [] },
        routeRoadblockIds: [],
      },
      {},
      'ERR_SCENARIO',
    ],
  ];
  test.each(scenes)('%s', (_, scene, options, code) => {
    expect(() => new PdmScorer(scene as PdmScene, options)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
