import { afterEach, describe, expect, it, test } from 'vitest';
import { chooseDevice, describeDevice } from '../lib/device.js';
import { linear } from '../lib/kernels.js';
import { native } from '../lib/native.js';
import { Planner } from '../lib/planner.js';
import { observationFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import { train } from '../lib/train/train.js';
import { codeOf } from './support/reference.js';
import { randomNumbers } from './support/small-planner.js';

const { isas } = native().cpuInfo();

const planners: Planner[] = [];
afterEach(async () => {
  await Promise.all(planners.splice(0).map((planner) => planner.close()));
});
async function mini(options: Parameters<typeof Planner.load>[1]): Promise<Planner> {
  const planner = await Planner.load('mini', { device: 'cpu', ...options });
  planners.push(planner);
  return planner;
}

const { windows } = await readScenarios('examples');
const observations = windows
  .filter((_, i) => i % Math.ceil(windows.length / 12) === 0)
  .map((window) => observationFromWindow(window));

/** Metres between waypoints of plans of the same observations and seeds, ascending. */
function differences(a: Planner, b: Planner, options: Parameters<Planner['planSync']>[1]) {
  const metres: number[] = [];
  observations.forEach((observation, seed) => {
    const p = a.planSync(observation, { ...options, seed }).trajectory;
    const q = b.planSync(observation, { ...options, seed }).trajectory;
    for (let i = 0; i < p.length; i += 3)
      metres.push(Math.hypot(p[i]! - q[i]!, p[i + 1]! - q[i + 1]!));
  });
  return metres.sort((x, y) => x - y);
}
const median = (sorted: number[]) => sorted[sorted.length >> 1]!;

describe.each(['bf16', 'int8'] as const)('weights in %s', (precision) => {
  it('plan nearly as fp32 does', async () => {
    const [narrow, wide] = [await mini({ precision }), await mini({})];
    expect(narrow).toMatchObject({ precision, engine: `${narrow.isa} ${precision}` });
    expect(wide).toMatchObject({ precision: 'fp32', engine: wide.isa });
    const once = differences(narrow, wide, { steps: 1, decode: 'median' });
    expect(once.at(-1)).toBeGreaterThan(0);
    expect(median(once)).toBeLessThan(0.02);
    const refined = differences(narrow, wide, { steps: 5, decode: 'median' });
    expect(median(refined)).toBeLessThan(0.02);
  });

  it('plan alike with any number of threads, in a batch, and on every instruction set', async () => {
    const options = { steps: 3, decode: 'sample', samples: 2, seed: 5 } as const;
    const plans = [];
    for (const isa of isas) {
      const [one, two] = [
        await mini({ precision, isa }),
        await mini({ precision, isa, threads: 2 }),
      ];
      const alone = observations.map(
        (observation) => one.planSync(observation, options).trajectory,
      );
      const batch = await two.planBatch(observations, options);
      expect(batch.map(({ trajectory }) => trajectory)).toEqual(alone);
      plans.push(alone);
    }
    // The portable kernels round everything else differently, so a sampled token may differ now and then.
    const [, ...fused] = plans;
    for (const plan of fused) expect(plan).toEqual(fused[0]);
  });
});

test('single linear maps take narrow weights', () => {
  const random = randomNumbers(2);
  const floats = (n: number) => Float32Array.from({ length: n }, () => random() - 0.5);
  const product = { x: floats(5 * 96), weight: floats(70 * 96), bias: floats(70), inputs: 96 };
  const exact = linear(product);
  for (const [precision, limit] of [
    ['bf16', 0.01],
    ['int8', 0.03],
  ] as const) {
    for (const isa of isas) {
      const got = linear({ ...product, precision, isa });
      const off = Math.max(...got.map((x, i) => Math.abs(x - exact[i]!)));
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(limit);
    }
  }
});

test('combinations that do not exist are refused with the ones that do', () => {
  expect(chooseDevice({ precision: 'int8' }, 'auto')).toMatchObject({ device: 'cpu' });
  const device = chooseDevice({ isa: 'portable', precision: 'bf16' }, 'auto');
  expect(describeDevice(device)).toBe('portable bf16');
  for (const options of [
    { device: 'cpu', precision: 'f16' },
    { device: 'cuda', precision: 'int8' },
    { device: 'simt', precision: 'int8' },
  ] as const) {
    expect(codeOf(() => chooseDevice(options, 'cpu'))).toBe('ERR_ARGUMENT');
  }
  expect(() => chooseDevice({ device: 'cpu', precision: 'f16' }, 'cpu')).toThrow(
    'fp32, bf16, int8 on the cpu',
  );
});

test('training is in fp32', async () => {
  const run = train({
    stage: 'sft',
    model: 'mini',
    data: { windows: [], maps: new Map(), recordings: new Map() } as never,
    output: 'out/never',
    precision: 'int8',
  });
  await expect(run.next()).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
});
