import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { baselines } from '../lib/eval/baselines.js';
import { GroupBootstrap } from '../lib/eval/bootstrap.js';
import { evaluate } from '../lib/eval/evaluate.js';
import { pdmClosedPlan, scorePlans } from '../lib/eval/pdm-pass.js';
import type { EvaluatedPlanner } from '../lib/eval/planner-runs.js';
import { centerPoses, posesFrom, rearAxlePoses } from '../lib/eval/rear-axle.js';
import { egoKey, egoSequences, selectWindows } from '../lib/eval/select-windows.js';
import { windowScene } from '../lib/eval/window-scene.js';
import { futureFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData, ScenarioWindow } from '../lib/scenario/types.js';
import { extendedComfort } from '../lib/sim/drive.js';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { tinyScenario } from './support/tiny-scenario.js';

let data: ScenarioData;
beforeAll(async () => {
  data = await readScenarios(join(import.meta.dirname, '../examples'));
});

const options = { signal: undefined, onWindow: () => {} };
const recorded = (windows: readonly ScenarioWindow[]) =>
  windows.map((window) => futureFromWindow(window).poses);

describe('poses of the rear axle', () => {
  it('are those of the centre on a straight line', () => {
    expect([...rearAxlePoses(Float64Array.of(10, 2, 0))]).toEqual([10, 2, 0]);
  });

  it('stay where they are while the box turns about them', () => {
    // The axle at the origin, the car turned to the left by 90 degrees: the centre was at (1.461, 0), now (0, 1.461).
    const [x, y, heading] = rearAxlePoses(Float64Array.of(-1.461, 1.461, Math.PI / 2));
    expect(x).toBeCloseTo(0, 12);
    expect(y).toBeCloseTo(0, 12);
    expect(heading).toBe(Math.PI / 2);
  });

  it('are 2.922 m further when the car has turned round about its centre', () => {
    const [x, y] = rearAxlePoses(Float64Array.of(0, 0, Math.PI));
    expect(x).toBeCloseTo(2 * 1.461, 12);
    expect(y).toBeCloseTo(0, 12);
  });

  it('come back', () => {
    const plan = Float32Array.of(3, 1, 0.5, 7, -2, -2.5);
    for (const [i, value] of centerPoses(rearAxlePoses(plan)).entries()) {
      expect(value).toBeCloseTo(plan[i], 12);
    }
  });

  it('of a recorded driver are those of its scene', () => {
    for (const window of data.windows) {
      const ours = rearAxlePoses(futureFromWindow(window).poses);
      const theirs = windowScene(window).humanTrajectory!.flat();
      for (const [i, value] of theirs.entries()) expect(ours[i]).toBeCloseTo(value, 9);
    }
  });

  it('are taken from the global frame', () => {
    const local = posesFrom({ x: 100, y: 50, heading: Math.PI / 2 }, Float64Array.of(98, 53, 3));
    expect(local[0]).toBeCloseTo(3, 12);
    expect(local[1]).toBeCloseTo(2, 12);
    expect(local[2]).toBeCloseTo(3 - Math.PI / 2, 12);
  });
});

describe('intervals with missing values', () => {
  it('leave the missing items out', () => {
    const whole = new GroupBootstrap(['a', 'b', 'c'], 200);
    const holed = new GroupBootstrap(['a', 'a', 'b', 'c', 'c'], 200);
    const missing = Number.NaN;
    expect(holed.interval([1, missing, 5, missing, 2])).toEqual(whole.interval([1, 5, 2]));
    expect(holed.interval(new Array(5).fill(missing))).toEqual([missing, missing]);
  });
});

describe('a limit of windows', () => {
  it('takes whole vehicles, evenly spread', () => {
    const all = selectWindows(data, 'all').windows;
    const { windows } = selectWindows(data, 'all', 30);
    expect(windows.length).toBeLessThanOrEqual(30);
    expect(windows.length).toBeGreaterThan(20);
    const sizes = (of: readonly ScenarioWindow[]) =>
      new Map(egoSequences(of).map((sequence) => [egoKey(of[sequence[0]]), sequence.length]));
    const taken = [...sizes(windows)];
    // The last vehicle may be cut.
    for (const [ego, n] of taken.slice(0, -1)) expect(n, ego).toBe(sizes(all).get(ego));
    const places = taken.map(([ego]) => [...sizes(all).keys()].indexOf(ego));
    expect(places[0]).toBe(0);
    expect(places.at(-1)).toBeGreaterThan(sizes(all).size / 2);
    expect(selectWindows(data, 'all', 1000).windows).toEqual(all);
  });

  it('is a positive integer', () => {
    expect(() => selectWindows(data, 'all', 0)).toThrow(
      expect.objectContaining({ code: 'ERR_ARGUMENT' }),
    );
  });
});

describe('scorePlans', () => {
  it('gives a planner what the scorer gives its plans', async () => {
    const windows = data.windows.slice(0, 8);
    const plans = windows.map(baselines[1].plan);
    const { values, pdmClosed } = await scorePlans(
      windows,
      [[recorded(windows)], [plans]],
      options,
    );
    for (const [i, window] of windows.entries()) {
      const scene = windowScene(window);
      for (const version of ['v1', 'v2'] as const) {
        const scorer = new PdmScorer(scene, { version });
        const { scores, subScores } = scorer.scoreSync([
          Float64Array.from(scene.humanTrajectory!.flat()),
          rearAxlePoses(plans[i]),
          pdmClosedPlan(scorer),
        ]);
        const rows = [values[0], values[1], pdmClosed];
        for (const [k, row] of rows.entries()) {
          const table = version === 'v1' ? row.pdms : row.epdmsUnfiltered;
          expect(table.egoProgress[i]).toBeCloseTo(subScores.egoProgress[k], 6);
          expect(table.noAtFaultCollisions[i]).toBe(subScores.noAtFaultCollisions[k]);
          expect(table.timeToCollisionWithinBound[i]).toBe(subScores.timeToCollisionWithinBound[k]);
          if (version === 'v1') expect(row.pdms.score[i]).toBeCloseTo(scores[k], 6);
        }
      }
    }
  });

  it('compares neighbouring windows for extended comfort, and takes its weight out where there is none', async () => {
    // Windows of the examples are a second or more apart.
    const later = data.windows
      .filter(({ future }) => future >= 45)
      .slice(0, 12)
      .map((window) => ({ ...window, t0: window.t0 + 5, future: window.future - 5 }));
    const windows = [...data.windows.slice(0, 20), ...later];
    const { values, pairs } = await scorePlans(windows, [[recorded(windows)]], options);
    const { epdmsUnfiltered: table } = values[0];
    let seen = 0;
    for (const sequence of egoSequences(windows)) {
      for (const [k, i] of sequence.entries()) {
        const gap = k === 0 ? 99 : (windows[i].t0 - windows[sequence[k - 1]].t0) * 0.1;
        const sum =
          5 * table.egoProgress[i] +
          5 * table.timeToCollisionWithinBound[i] +
          2 * table.laneKeeping[i] +
          2 * table.comfort[i];
        const product =
          table.noAtFaultCollisions[i] *
          table.drivableAreaCompliance[i] *
          table.drivingDirectionCompliance[i] *
          table.trafficLightCompliance[i];
        if (gap > 0.55) {
          expect(table.extendedComfort[i]).toBeNaN();
          expect(table.score[i]).toBeCloseTo((product * sum) / 14, 12);
          continue;
        }
        const drive = (of: ScenarioWindow) => {
          const scene = windowScene(of);
          const human = Float64Array.from(scene.humanTrajectory!.flat());
          return new PdmScorer(scene).scoreSync(human, { rollouts: true }).rollouts!;
        };
        const [now, before] = [drive(windows[i]), drive(windows[sequence[k - 1]])];
        const comfort = extendedComfort(now, before, gap).comfortable ? 1 : 0;
        expect(table.extendedComfort[i]).toBe(comfort);
        expect(table.score[i]).toBeCloseTo((product * (sum + 2 * comfort)) / 16, 12);
        ++seen;
      }
    }
    expect(seen).toBe(pairs);
    expect(pairs).toBeGreaterThan(10);
  });

  it('forgives what the recorded driver fails', async () => {
    const windows = data.windows.slice(0, 20);
    const { values } = await scorePlans(windows, [[recorded(windows)]], options);
    const { epdms, epdmsUnfiltered } = values[0];
    for (const name of ['noAtFaultCollisions', 'drivableAreaCompliance', 'laneKeeping'] as const) {
      for (const [i, value] of epdmsUnfiltered[name].entries()) {
        expect(epdms[name][i]).toBe(value === 0 ? 1 : value);
      }
    }
  });

  it('averages over seeds', async () => {
    const windows = data.windows.slice(0, 5);
    const floor = windows.map(baselines[1].plan);
    const { values } = await scorePlans(
      windows,
      [[recorded(windows), floor], [recorded(windows)], [floor]],
      options,
    );
    for (const i of windows.keys()) {
      const [both, one, other] = values.map(({ pdms }) => pdms.score[i]);
      expect(both).toBeCloseTo((one + other) / 2, 12);
    }
  });
});

describe('evaluate with PDM scores', () => {
  /** A car ahead at 6 m/s, 16 m from bumper to bumper; the ego has 8 m/s. */
  const straight = (speed: number): EvaluatedPlanner => ({
    plan: async () => {
      const trajectory = Float64Array.from({ length: 24 }, (_, i) =>
        i % 3 === 0 ? speed * 0.5 * (i / 3 + 1) : 0,
      );
      return { trajectory, samples: [trajectory] };
    },
  });
  const run = async (speed: number) => {
    const evaluation = await evaluate(straight(speed), await tinyScenario(), {
      steps: [1],
      decode: ['median'],
      latencyCalls: 0,
      resamples: 10,
    });
    return { evaluation, row: evaluation.rows.at(-1)!.pdm! };
  };

  it('passes a car that keeps its lane and its distance', async () => {
    const { evaluation, row } = await run(8);
    expect(evaluation.rows.map(({ planner }) => planner).slice(0, 3)).toEqual([
      'recorded driver',
      'PDM-Closed',
      'constant velocity',
    ]);
    expect(row.pdms).toMatchObject({
      noAtFaultCollisions: 1,
      drivableAreaCompliance: 1,
      drivingDirectionCompliance: 1,
      timeToCollisionWithinBound: 1,
      comfort: 1,
    });
    const { egoProgress, score } = row.pdms;
    expect(score).toBeCloseTo((5 * egoProgress! + 5 + 2) / 12, 12);
    // No window before: no extended comfort.
    expect(row.epdms.extendedComfort).toBeNull();
    expect(evaluation.pdm).toMatchObject({ n: 1, pairs: 0, failed: [], traffic: 'replay' });
  });

  it('fails a car that drives into the one ahead', async () => {
    const { row } = await run(20);
    expect(row.pdms).toMatchObject({ noAtFaultCollisions: 0, score: 0 });
    expect(row.epdms).toMatchObject({ noAtFaultCollisions: 0, score: 0 });
  });

  it('names the windows that no scene can be made from, and scores the rest', async () => {
    const tiny = await tinyScenario();
    const [window] = tiny.windows;
    const { map } = window.recording;
    const bad = {
      ...window,
      id: 'bad',
      recording: { ...window.recording, id: 'other', map: { ...map, id: 'none', lanes: [] } },
    };
    const evaluation = await evaluate(null, { ...tiny, windows: [bad, window] }, { resamples: 10 });
    expect(evaluation.n).toBe(2);
    expect(evaluation.pdm).toMatchObject({
      n: 1,
      failed: [{ window: 'bad', code: 'ERR_SCENARIO' }],
    });
    const [driver, closed] = evaluation.rows;
    expect(driver.pdm!.pdms.score).toBeGreaterThan(0);
    expect(Number.isFinite(closed.ade)).toBe(true);
  });

  it('can be left out', async () => {
    const evaluation = await evaluate(null, await tinyScenario(), { pdm: false, resamples: 10 });
    expect(evaluation.pdm).toBeNull();
    expect(evaluation.rows.map(({ pdm }) => pdm)).toEqual([null, null, null, null]);
  });
});
