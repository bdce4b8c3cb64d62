import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displacement, headingError, minAde, pathJerk, WindowJudge } from '../lib/eval/metrics.js';
import { RoadArea } from '../lib/eval/road-area.js';
import type { ScenarioWindow } from '../lib/scenario/types.js';
import { tinyScenario } from './support/tiny-scenario.js';

/** Poses of a motion given by time in seconds: x, y, heading. */
function trajectory(of: (t: number) => readonly [number, number, number]): Float64Array {
  return Float64Array.from(Array.from({ length: 8 }, (_, i) => of(0.5 * (i + 1))).flat());
}

const straight = (speed: number, y = 0) => trajectory((t) => [speed * t, y, 0]);

const pose = fc.tuple(
  fc.double({ min: -40, max: 80, noNaN: true }),
  fc.double({ min: -40, max: 40, noNaN: true }),
  fc.double({ min: -3, max: 3, noNaN: true }),
);
const anyTrajectory = fc
  .array(pose, { minLength: 8, maxLength: 8 })
  .map((poses) => Float64Array.from(poses.flat()));

/** The plan after the frame was turned by `angle` about the ego. */
function turned(plan: Float64Array, angle: number): Float64Array {
  return plan.map((_, i) => {
    const [x, y, heading] = plan.subarray(i - (i % 3));
    if (i % 3 === 0) return x * Math.cos(angle) - y * Math.sin(angle);
    return i % 3 === 1 ? x * Math.sin(angle) + y * Math.cos(angle) : heading + angle;
  });
}

describe('displacement', () => {
  it('is the mean over the waypoints, and the last', () => {
    const plan = trajectory((t) => [10 * t + 3 * t, 4 * t, 1]);
    const { ade, fde } = displacement(plan, straight(10));
    expect(fde).toBeCloseTo(20, 12);
    expect(ade).toBeCloseTo((5 * 0.5 * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8)) / 8, 12);
  });

  it('does not see headings, nor a turn of both', () => {
    fc.assert(
      fc.property(
        anyTrajectory,
        anyTrajectory,
        fc.double({ min: -4, max: 4, noNaN: true }),
        (a, b, angle) => {
          const { ade, fde } = displacement(a, b);
          const other = displacement(turned(a, angle), turned(b, angle));
          expect(other.ade).toBeCloseTo(ade, 9);
          expect(other.fde).toBeCloseTo(fde, 9);
          expect(minAde([a, b, straight(3)], b)).toBe(0);
          expect(minAde([a, straight(3)], b)).toBe(Math.min(ade, displacement(straight(3), b).ade));
        },
      ),
      { seed: 1 },
    );
  });
});

describe('jerk along the path', () => {
  it('is 0 for constant velocity and constant acceleration', () => {
    expect(pathJerk(straight(12))).toBeCloseTo(0, 10);
    expect(pathJerk(trajectory((t) => [5 * t + 0.8 * t * t, 0, 0]))).toBeCloseTo(0, 10);
  });

  it('is j for x = j t^3 / 6 beside any start', () => {
    for (const j of [0.4, 2.5]) {
      expect(pathJerk(trajectory((t) => [12 * t + t * t + (j * t ** 3) / 6, 0, 0]))).toBeCloseTo(
        j,
        9,
      );
    }
  });

  it('is 0 on a circle at constant speed', () => {
    expect(
      pathJerk(trajectory((t) => [20 * Math.sin(t / 2), 20 * (1 - Math.cos(t / 2)), t / 2])),
    ).toBeCloseTo(0, 9);
  });

  it('does not change when the path is turned about its start', () => {
    fc.assert(
      fc.property(anyTrajectory, fc.double({ min: -4, max: 4, noNaN: true }), (plan, angle) => {
        expect(pathJerk(turned(plan, angle))).toBeCloseTo(pathJerk(plan), 6);
      }),
      { seed: 2 },
    );
  });
});

describe('heading error', () => {
  it('is 0 along lines and circles, and the difference where headings are off', () => {
    expect(headingError(straight(9))).toBe(0);
    const circle = (t: number) =>
      [20 * Math.sin(t / 2), 20 * (1 - Math.cos(t / 2)), t / 2] as const;
    expect(headingError(trajectory(circle))).toBeCloseTo(0, 12);
    // Headings off by 0.1 at every waypoint; the first step begins at heading 0, so its middle is off by half of it.
    const off = trajectory((t) => [9 * t, 0, 0.1]);
    expect(headingError(off)).toBeCloseTo((0.05 + 7 * 0.1) / 8, 12);
  });

  it('takes steps under half a metre as no error', () => {
    expect(headingError(trajectory((t) => [0.1 * t, 0, 2]))).toBe(0);
    expect(headingError(trajectory((t) => [1.2 * t, 0, 2]))).toBeGreaterThan(1.5);
  });

  it('sees a difference across the wrap of angles as small', () => {
    const plan = trajectory((t) => [-9 * t, 0, t < 2 ? Math.PI - 0.01 : -Math.PI + 0.01]);
    expect(headingError(plan)).toBeLessThan(0.21); // the first step alone is far off: it begins at heading 0
  });
});

describe('a judge of one window', () => {
  async function judge(
    change?: Parameters<typeof tinyScenario>[0],
  ): Promise<[WindowJudge, ScenarioWindow]> {
    const { windows } = await tinyScenario(change);
    return [new WindowJudge(windows[0], new RoadArea(windows[0].recording.map)), windows[0]];
  }

  it('finds the recorded driver without error', async () => {
    const [of] = await judge();
    expect(of.metrics(of.recorded)).toMatchObject({
      ade: 0,
      fde: 0,
      collisionRate: 0,
      offroadRate: 0,
      headingError: 0,
    });
  });

  it('finds a collision with the vehicle ahead where it then is, and not where it was', async () => {
    // The ego (x = 25 now) is 21 m behind a vehicle that drives 6 m/s; both are 4.5 m long.
    const [of] = await judge();
    expect(of.metrics(straight(8)).collisionRate).toBe(0);
    // 6 + (21 - 4.5) / 4 = 10.125 m/s meet bumper to bumper at 4 s; the slack of 0.2 m is met at 10.175 m/s.
    expect(of.metrics(straight(10.15)).collisionRate).toBe(0);
    expect(of.metrics(straight(10.2)).collisionRate).toBe(1);
    // Beside it there is room: 1.9 m of width less the slack of 0.2 m, and the other is 0.2 m to the left.
    expect(of.metrics(straight(12, -1.4)).collisionRate).toBe(1);
    expect(of.metrics(straight(12, -1.6)).collisionRate).toBe(0);
  });

  it('looks at waypoint times only, and at vehicles while they are seen', async () => {
    // The vehicle beside the ego is gone from step 60 on: 3.5 s after the present.
    const [of] = await judge();
    const swerve = (from: number) => trajectory((t) => [8 * t, t >= from ? 3.5 : 0, 0]);
    expect(of.metrics(swerve(3)).collisionRate).toBe(1);
    expect(of.metrics(swerve(3.5)).collisionRate).toBe(0);
  });

  it('finds the centre more than 0.35 m off the road', async () => {
    const [of] = await judge();
    expect(of.metrics(straight(8, -2.05)).offroadRate).toBe(0);
    expect(of.metrics(straight(8, -2.15)).offroadRate).toBe(1);
  });

  it('gives the same figures wherever the scenario lies and however it is turned', async () => {
    const [of] = await judge();
    for (const [angle, dx, dy] of [
      [0.7, 0, 0],
      [2.5, 1e6, -4e6],
      [-3.1, -500, 20],
    ]) {
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const place = ([x, y]: [number, number]) => [dx + cos * x - sin * y, dy + sin * x + cos * y];
      const [moved] = await judge(({ map, recording }) => {
        for (const lane of map.lanes) {
          for (const line of ['center', 'left', 'right']) lane[line] = lane[line].map(place);
        }
        for (const area of map.drivable_area) area.exterior = area.exterior.map(place);
        for (const track of recording.tracks) {
          const points = track.x.map((x: number, k: number) => place([x, track.y[k]]));
          track.x = points.map(([x]: number[]) => x);
          track.y = points.map(([, y]: number[]) => y);
          track.heading = track.heading.map((h: number) => h + angle);
        }
      });
      fc.assert(
        fc.property(
          fc.double({ min: 0, max: 20, noNaN: true }),
          fc.double({ min: -4, max: 9, noNaN: true }),
          (speed, y) => {
            const plan = trajectory((t) => [speed * t, (y * t) / 4, 0.1]);
            const [here, there] = [of.metrics(plan), moved.metrics(plan)];
            for (const name of ['ade', 'fde', 'headingError', 'jerk'] as const)
              expect(there[name]).toBeCloseTo(here[name], 6);
            expect([there.collisionRate, there.offroadRate]).toEqual([
              here.collisionRate,
              here.offroadRate,
            ]);
          },
        ),
        { seed: 5 },
      );
    }
  });
});
