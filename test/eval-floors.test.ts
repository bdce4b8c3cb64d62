// The floors that ../shared/driving-data/README.md and ../shared/spec/mini-recipe.md state were computed by other code:
// they are the check of the reader, the frames, the baselines and the metrics together.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Evaluation, evaluate } from '../lib/eval/evaluate.js';
import { readScenarios } from '../lib/scenario/read.js';

const drivingData = join(import.meta.dirname, '../../shared/driving-data');

describe.skipIf(!existsSync(drivingData))(
  'val without a planner (skipped without ../shared)',
  () => {
    let evaluation: Evaluation;
    beforeAll(async () => {
      evaluation = await evaluate(null, await readScenarios(drivingData));
    });
    const row = (name: string) => evaluation.rows.find(({ planner }) => planner === name)!;

    it('has 292 windows of 90 egos', () => {
      expect(evaluation).toMatchObject({ split: 'val', n: 292, egos: 90, skipped: 0 });
      expect(
        Object.entries(row('constant velocity').by.location).map(([name, { n }]) => [name, n]),
      ).toEqual([
        ['lankershim', 152],
        ['us101', 140],
      ]);
    });

    it.each([
      ['constant velocity', [2.63, 6.29], [1.56, 3.47], [3.63, 8.89]],
      ['constant yaw rate', [2.88, 7.0], [1.97, 4.61], [3.72, 9.2]],
      ['constant yaw rate and acceleration', [3.02, 7.72], [3.1, 7.72], [2.94, 7.73]],
    ])('%s: ADE and FDE over all, US-101 and Lankershim', (name, all, us101, lankershim) => {
      const { ade, fde, by } = row(name);
      const found = [
        [ade, fde],
        [by.location.us101.ade, by.location.us101.fde],
        [by.location.lankershim.ade, by.location.lankershim.fde],
      ];
      // The table was rounded to a centimetre; the third floor's integration differs by less than another.
      const expected = [all, us101, lankershim];
      for (const [i, pair] of found.entries()) {
        for (const [k, value] of pair.entries())
          expect(Math.abs(value - expected[i][k])).toBeLessThan(0.011);
      }
    });

    it('recorded driver: collisions, heading and jerk', () => {
      const { collisionRate, headingError, jerk, ade, offroadRate } = row('recorded driver');
      expect(ade).toBe(0);
      expect(collisionRate).toBeCloseTo(0.007, 3);
      expect(headingError).toBeCloseTo(0.002, 3);
      expect(jerk).toBeCloseTo(1.5, 1);
      // The data's README: all centres lie inside the drivable area.
      expect(offroadRate).toBe(0);
    });

    it('constant velocity: collisions, and neither heading error nor jerk', () => {
      const { collisionRate, headingError, jerk } = row('constant velocity');
      expect(collisionRate).toBeCloseTo(0.171, 3);
      expect(headingError).toBe(0);
      expect(jerk).toBeLessThan(1e-9);
    });

    it('has intervals of the width that resampling egos gives, wider than windows would', () => {
      const { ci, ade } = row('constant velocity');
      const [low, high] = ci.ade!;
      expect(low).toBeLessThan(ade);
      expect(high).toBeGreaterThan(ade);
      // Standard error between 0.15 and 0.25 m; 292 independent windows would have 0.11 m.
      expect((high - low) / 3.92).toBeGreaterThan(0.15);
      expect((high - low) / 3.92).toBeLessThan(0.25);
    });

    it('counts manoeuvres: turns as the data states them, every window once', () => {
      const { manoeuvre } = row('recorded driver').by;
      expect(manoeuvre['left turn'].n).toBe(10);
      expect(manoeuvre['right turn'].n).toBe(9);
      expect(Object.values(manoeuvre).reduce((sum, { n }) => sum + n, 0)).toBe(292);
      expect(Object.keys(manoeuvre).sort()).toEqual([
        'lane change',
        'lane keeping',
        'left turn',
        'right turn',
        'starting',
        'stopping',
      ]);
    });
  },
);
