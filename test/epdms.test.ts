import { describe, expect, it } from 'vitest';
import { checkComfort, extendedComfort, simulateTrajectory } from '../lib/sim/drive.js';
import { aggregateTwoStage, epdms, type TwoStageRow } from '../lib/sim/epdms.js';

const perfect = { product: 1, egoProgress: 1, ttc: 1, laneKeeping: 1, historyComfort: 1 };

/** A rollout that stands, or speeds up steadily. */
function rollout(acceleration = 0): Float64Array {
  const rows = new Float64Array(451);
  for (let k = 0; k < 41; k++) rows[k * 11 + 5] = acceleration;
  return rows;
}

describe('epdms', () => {
  it('weighs 5 : 5 : 2 : 2 : 2, times the multipliers', () => {
    expect(epdms(perfect, 1)).toBe(1);
    expect(epdms(perfect, 0)).toBe(14 / 16);
    expect(epdms({ ...perfect, product: 0.5 }, 1)).toBe(0.5);
    expect(epdms({ ...perfect, ttc: 0, laneKeeping: 0 }, 1)).toBe(9 / 16);
    expect(epdms({ ...perfect, egoProgress: 0.5, historyComfort: 0 }, 0)).toBe(9.5 / 16);
  });
  it('without a frame before, extended comfort has no weight', () => {
    expect(epdms(perfect, null)).toBe(1);
    expect(epdms({ ...perfect, egoProgress: 0 }, null)).toBe(9 / 14);
  });
});

describe('aggregateTwoStage', () => {
  const row = (token: string, change: Partial<TwoStageRow> = {}): TwoStageRow => ({
    ...perfect,
    token,
    startTimeS: token.startsWith('p') ? 0 : 0.5,
    endpoint: [0, 0],
    startPoint: [0, 0],
    rollout: rollout(),
    ...change,
  });

  it('weighs follow-ups by how near they begin to the end of the plan', () => {
    const near = { startPoint: [0, 0] } as const;
    const far = { startPoint: [0.6, 0.8], product: 0 } as const;
    const rows = [
      row('n'),
      row('p'),
      row('n1', near),
      row('p1', near),
      row('n2', far),
      row('p2', far),
    ];
    const mapping = {
      now: 'n',
      previous: 'p',
      secondStage: [
        ['n1', 'p1'],
        ['n2', 'p2'],
      ],
    } as const;
    const result = aggregateTwoStage(rows, [mapping]);
    // One metre: exp(-1 / 0.2) against 1.
    const weight = 1 / (1 + Math.exp(-5));
    expect(result.frames.map((frame) => frame.weight)).toEqual([
      1,
      1,
      expect.closeTo(weight, 12),
      expect.closeTo(weight, 12),
      expect.closeTo(1 - weight, 12),
      expect.closeTo(1 - weight, 12),
    ]);
    expect(result.stageOneScore).toBe(1);
    expect(result.stageTwoScore).toBeCloseTo(weight, 12);
    expect(result.score).toBeCloseTo(weight, 12);
  });

  it('follow-ups that are all far away count alike', () => {
    const far = { startPoint: [100, 0] } as const;
    const rows = [
      row('n'),
      row('p'),
      row('n1', far),
      row('p1', far),
      row('n2', { ...far, product: 0 }),
      row('p2', far),
    ];
    const mapping = {
      now: 'n',
      previous: 'p',
      secondStage: [
        ['n1', 'p1'],
        ['n2', 'p2'],
      ],
    } as const;
    const { score, stageTwoScore } = aggregateTwoStage(rows, [mapping]);
    expect([score, stageTwoScore]).toEqual([0.75, 0.75]);
  });

  it('is the mean over groups of the mean of the two products', () => {
    const group = (name: string, first: number, second: number) => [
      row(`n${name}`, { product: first }),
      row(`p${name}`),
      row(`n${name}-1`, { product: second }),
      row(`p${name}-1`),
    ];
    const rows = [...group('a', 0.5, 0.5), ...group('b', 1, 0)];
    const mappings = ['a', 'b'].map((name) => ({
      now: `n${name}`,
      previous: `p${name}`,
      secondStage: [[`n${name}-1`, `p${name}-1`]] as [string, string][],
    }));
    const result = aggregateTwoStage(rows, mappings);
    expect(result.score).toBe(((0.25 + 1) / 2 + (0 + 1) / 2) / 2);
    expect(result.stageOneScore).toBe((0.5 + 1 + 1 + 1) / 4);
  });

  it('refuses unknown tokens and empty lists', () => {
    const mapping = { now: 'n', previous: 'x', secondStage: [['n', 'n']] } as const;
    const error = (code: string) => expect.objectContaining({ code });
    expect(() => aggregateTwoStage([row('n')], [mapping])).toThrow(error('ERR_ARGUMENT'));
    expect(() => aggregateTwoStage([row('n')], [])).toThrow(error('ERR_ARGUMENT'));
    const empty = { now: 'n', previous: 'p', secondStage: [] };
    expect(() => aggregateTwoStage([row('n'), row('p')], [empty])).toThrow(error('ERR_ARGUMENT'));
  });
});

describe('comfort', () => {
  it('of two frames: constant differences are their own root mean square', () => {
    expect(extendedComfort(rollout(), rollout(), 0.5)).toMatchObject({
      acceleration: 0,
      comfortable: true,
    });
    const small = extendedComfort(rollout(1), rollout(1.5), 0.5);
    expect(small.acceleration).toBeCloseTo(0.5, 7);
    expect(small.jerk).toBeCloseTo(0, 7);
    expect(small.comfortable).toBe(true);
    expect(extendedComfort(rollout(1), rollout(1.75), 0.5).comfortable).toBe(false);
  });

  it('of a drive: names the signal that leaves its bounds', () => {
    for (const version of ['v1', 'v2'] as const) {
      const calm = checkComfort(rollout(2.3), version);
      expect(calm.comfortable).toBe(true);
      const hard = checkComfort(rollout(2.5), version);
      expect(hard.comfortable).toBe(false);
      expect(hard.signals.filter(({ within }) => !within).map(({ name }) => name)).toEqual([
        'longitudinal acceleration',
      ]);
      expect(hard.signals[0]!.values[20]).toBeCloseTo(2.5, 7);
    }
  });

  it('simulateTrajectory stays on a straight line at its speed', () => {
    const ego = Float64Array.from([5, 7, 0, 10, 0, 0, 0, 0, 0, 0, 0]);
    const poses = Float64Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? 5 * (i / 3 + 1) : 0));
    const { reference, velocity, curvature, rollout: driven } = simulateTrajectory(ego, 0, poses);
    expect([reference.length, velocity.length, curvature.length, driven.length]).toEqual([
      123, 40, 40, 451,
    ]);
    for (let k = 0; k < 41; k++) {
      expect(driven[k * 11]).toBeCloseTo(5 + k, 3);
      expect(driven[k * 11 + 1]).toBeCloseTo(7, 9);
    }
    expect(velocity[20]).toBeCloseTo(10, 3);
  });
});
