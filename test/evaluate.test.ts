import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { type Evaluation, evaluate } from '../lib/eval/evaluate.js';
import type { EvaluatedPlanner, EvaluatedPlanOptions } from '../lib/eval/planner-runs.js';
import type { Observation } from '../lib/observation.js';
import { Planner } from '../lib/planner.js';
import { futureFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioData, ScenarioWindow } from '../lib/scenario/types.js';
import { randomCheckpoint, randomNumbers } from './support/small-planner.js';
import { tinyScenario } from './support/tiny-scenario.js';

let data: ScenarioData;
beforeAll(async () => {
  data = await readScenarios(join(import.meta.dirname, '../examples'));
});

/** The window that an observation was made from: its ego's present place tells it. */
function windowOf({ ego, map }: Observation): ScenarioWindow {
  const { x, y } = ego.history.at(-1)!;
  return data.windows.find(({ recording, ego: index, t0 }) => {
    const track = recording.tracks[index];
    const k = t0 - track.start;
    return recording.map === map && track.x[k] === x && track.y[k] === y;
  })!;
}

/** A planner that knows the future and adds noise to it: `spread` metres beside, drawn by the seed and sample. */
function clairvoyant(spread: number): EvaluatedPlanner & { calls: EvaluatedPlanOptions[] } {
  const calls: EvaluatedPlanOptions[] = [];
  const plan = (observation: Observation, options: EvaluatedPlanOptions) => {
    const recorded = futureFromWindow(windowOf(observation)).poses;
    const samples = Array.from({ length: options.samples }, (_, k) => {
      const aside = spread * randomNumbers(options.seed * 64 + k)();
      return Float32Array.from(recorded, (value, i) => (i % 3 === 1 ? value + aside : value));
    });
    return { trajectory: samples[0], samples };
  };
  return {
    calls,
    plan: async (observation, options) => {
      calls.push(options);
      return plan(observation, options);
    },
    planSync: plan,
  };
}

describe('evaluate', () => {
  it('puts a planner that knows the future level with the recorded driver', async () => {
    const { rows, reference, n } = await evaluate(clairvoyant(0), data, {
      split: 'all',
      steps: [1],
      decode: ['median'],
    });
    expect(rows.map(({ planner }) => planner)).toEqual([
      'recorded driver',
      'PDM-Closed',
      'constant velocity',
      'constant yaw rate',
      'constant yaw rate and acceleration',
      'wam-flow',
    ]);
    expect(n).toBe(data.windows.length);
    const [driver, , , , , planner] = rows;
    expect(reference).toBe(5);
    expect(planner).toMatchObject({
      steps: 1,
      decode: 'median',
      rule: 'renoise',
      samples: 1,
      minAde: null,
      difference: null,
    });
    for (const name of [
      'ade',
      'fde',
      'collisionRate',
      'offroadRate',
      'headingError',
      'jerk',
    ] as const) {
      expect(planner[name]).toBeCloseTo(driver[name], 4); // float32 against float64
      expect(driver.difference![name]!.mean).toBeCloseTo(0, 4);
    }
    expect(planner.latencyMs!.p99).toBeGreaterThanOrEqual(planner.latencyMs!.p50);
  });

  it('makes one row for each decode, number of steps and rule; one step has no rule', async () => {
    const { rows } = await evaluate(clairvoyant(1), data, {
      split: 'all',
      name: 'x',
      steps: [1, 3],
      decode: ['argmax', 'sample-median'],
      rule: ['integrated', 'released'],
      latencyCalls: 0,
      resamples: 10,
    });
    expect(
      rows.slice(5).map(({ planner, decode, steps, rule }) => [planner, decode, steps, rule]),
    ).toEqual([
      ['x', 'argmax', 1, 'integrated'],
      ['x', 'argmax', 3, 'integrated'],
      ['x', 'argmax', 3, 'released'],
      ['x', 'sample-median', 1, 'integrated'],
      ['x', 'sample-median', 3, 'integrated'],
      ['x', 'sample-median', 3, 'released'],
    ]);
    expect(rows.every(({ latencyMs }) => latencyMs === null)).toBe(true);
  });

  it('asks for the decoding of each step, and gives every window a seed of its own', async () => {
    const planner = clairvoyant(1);
    await evaluate(planner, data, {
      split: 'all',
      steps: [2],
      decode: ['sample-median'],
      seeds: 2,
      temperature: 0.7,
      resamples: 10,
    });
    expect(planner.calls[0]).toMatchObject({
      steps: 2,
      decode: 'sample',
      lastDecode: 'median',
      temperature: 0.7,
    });
    expect(new Set(planner.calls.map(({ seed }) => seed)).size).toBe(2 * data.windows.length);
    expect(planner.calls.every(({ seed }) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
  });

  it('takes minADE over six samples, the plan being the first of them, or over all of more', async () => {
    const spread = 3;
    const expected = (windows: readonly ScenarioWindow[], samples: number) =>
      windows.map((_, i) => {
        const errors = Array.from(
          { length: samples },
          (_, k) => spread * randomNumbers(i * 64 + k)(),
        );
        return { first: errors[0], best: Math.min(...errors) };
      });
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    for (const [samples, over] of [
      [1, 6],
      [4, 6],
      [9, 9],
    ]) {
      const { rows } = await evaluate(clairvoyant(spread), data, {
        split: 'all',
        steps: [1],
        decode: ['sample'],
        samples,
        latencyCalls: 0,
        resamples: 10,
      });
      const row = rows.at(-1)!;
      const errors = expected(data.windows, over);
      expect(row).toMatchObject({ samples, minAdeSamples: over });
      expect(row.minAde).toBeCloseTo(mean(errors.map(({ best }) => best)), 5);
      expect(row.ade).toBeCloseTo(mean(errors.map(({ first }) => first)), 5);
      expect(row.ci.minAde![0]).toBeLessThanOrEqual(row.minAde!);
    }
  });

  it('averages over seeds and states their deviation', async () => {
    const of = async (seeds: number) => {
      const { rows } = await evaluate(clairvoyant(2), data, {
        split: 'all',
        steps: [1],
        decode: ['sample'],
        seeds,
        latencyCalls: 0,
        resamples: 10,
      });
      return rows.at(-1)!;
    };
    const [one, three] = [await of(1), await of(3)];
    expect(one.adeSeedDeviation).toBeNull();
    // Uniform noise of 2 m: its mean is 1 m; over 67 windows a seed's mean deviates by 0.58 / sqrt(67) = 0.07 m.
    expect(three.ade).toBeCloseTo(1, 0);
    expect(three.adeSeedDeviation).toBeGreaterThan(0.005);
    expect(three.adeSeedDeviation).toBeLessThan(0.3);
    expect(three.seeds).toBe(3);
  });

  it('splits by road and manoeuvre without losing a window', async () => {
    const { rows, n } = await evaluate(null, data, { split: 'all', resamples: 10 });
    for (const { by, ade } of rows) {
      for (const groups of [by.location, by.manoeuvre]) {
        const parts = Object.values(groups);
        expect(parts.reduce((sum, part) => sum + part.n, 0)).toBe(n);
        expect(parts.reduce((sum, part) => sum + part.n * part.ade, 0) / n).toBeCloseTo(ade, 9);
      }
    }
    expect(Object.keys(rows[0].by.location)).toEqual([
      'crossing',
      'curve',
      'lane-change',
      'lead-vehicle',
    ]);
  });

  it('leaves windows with a short future out and says how many', async () => {
    const { windows, ...rest } = await tinyScenario();
    const short = { ...windows[0], id: 'short', future: 39 };
    expect(await evaluate(null, { ...rest, windows: [...windows, short] })).toMatchObject({
      n: 1,
      skipped: 1,
      egos: 1,
    });
    await expect(evaluate(null, { ...rest, windows: [short] })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_SCENARIO',
        message: expect.stringContaining('none of the 1 windows of split val has 4 s of future'),
      }),
    );
  });

  it('names the splits there are when there is none of the wanted', async () => {
    await expect(evaluate(null, data, { split: 'tset' })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_SCENARIO',
        message: expect.stringContaining('splits here: example'),
      }),
    );
  });

  it.each([{ steps: [] }, { decode: [] }, { rule: [] }, { samples: 0 }, { seeds: 1.5 }])(
    'refuses %j',
    async (options) => {
      await expect(evaluate(clairvoyant(0), data, { split: 'all', ...options })).rejects.toThrow(
        expect.objectContaining({
          code: 'ERR_ARGUMENT',
          message: expect.stringContaining(Object.keys(options)[0]),
        }),
      );
    },
  );

  it('stops when it is aborted', async () => {
    const controller = new AbortController();
    const planner = clairvoyant(0);
    const done: number[] = [];
    const running = evaluate(planner, data, {
      split: 'all',
      signal: controller.signal,
      onProgress: (count, total) => {
        done.push(count);
        // Four rows of plans, then one step a window for its scores.
        expect(total).toBe(5 * data.windows.length);
        if (count === 20) controller.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
    expect(done).toEqual(Array.from({ length: done.length }, (_, i) => i + 1));
    expect(planner.calls.length).toBeLessThan(60);
  });

  it('passes on what the planner throws', async () => {
    const failing: EvaluatedPlanner = {
      plan: () => Promise.reject(new WamFlowError('ERR_CLOSED', 'closed')),
    };
    await expect(evaluate(failing, data, { split: 'all' })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_CLOSED' }),
    );
  });

  it('runs the engine, the same twice', async () => {
    const planner = await Planner.fromCheckpoint(randomCheckpoint());
    try {
      const run = () =>
        evaluate(planner, data, {
          split: 'all',
          steps: [2],
          samples: 2,
          latencyCalls: 3,
          resamples: 10,
        });
      const strip = ({ rows }: Evaluation) => rows.map((row) => ({ ...row, latencyMs: null }));
      const first = await run();
      expect(strip(await run())).toEqual(strip(first));
      expect(first.rows.at(-1)).toMatchObject({
        decode: 'sample',
        steps: 2,
        samples: 2,
        minAdeSamples: 6,
      });
      expect(first.rows.at(-1)!.minAde!).toBeLessThan(first.rows.at(-1)!.ade);
      expect(first.rows.at(-1)!.latencyMs!.p50).toBeGreaterThan(0);
    } finally {
      await planner.close();
    }
  });
});
