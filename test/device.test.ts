import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it, test } from 'vitest';
import { findGoldens, Golden } from '../lib/conformance/golden.js';
import { largestError, plainAttention, roundTo } from '../lib/conformance/plain-16-bit.js';
import { runGolden } from '../lib/conformance/run.js';
import { chooseDevice, describeDevice } from '../lib/device.js';
import { attention, linear, nearestToken, philox } from '../lib/kernels.js';
import { native } from '../lib/native.js';
import { Planner } from '../lib/planner.js';
import { codeOf } from './support/reference.js';
import { observation, randomCheckpoint, randomNumbers } from './support/small-planner.js';

const { cuda, simt } = native().deviceInfo();
const hasGpu = cuda.devices.length > 0;

describe('devices', () => {
  it('says what there is, and why there is no GPU', () => {
    expect(cuda.devices.every(({ computeCapability }) => /^\d+\.\d$/.test(computeCapability))).toBe(
      true,
    );
    if (!hasGpu) expect(cuda.reason).toMatch(/\w/);
  });

  it('auto is a GPU where there is one, else the CPU; an instruction set asks for the CPU', () => {
    expect(chooseDevice({}, 'auto').device).toBe(hasGpu ? 'cuda' : 'cpu');
    expect(chooseDevice({}, 'cpu').device).toBe('cpu');
    expect(chooseDevice({ isa: 'portable' }, 'auto')).toEqual({
      device: 'cpu',
      isa: 'portable',
      precision: 'fp32',
    });
    expect(describeDevice(chooseDevice({ isa: 'portable' }, 'auto'))).toBe('portable');
  });

  test.skipIf(hasGpu)('cuda without a GPU is refused with the reason', () => {
    expect(() => chooseDevice({ device: 'cuda' }, 'auto')).toThrow(cuda.reason);
    expect(codeOf(() => chooseDevice({ device: 'cuda' }, 'auto'))).toBe('ERR_DEVICE_UNAVAILABLE');
  });

  test.each<[object, string]>([
    [{ device: 'tpu' }, 'ERR_ARGUMENT'],
    [{ precision: 'fp8' }, 'ERR_ARGUMENT'],
    [{ device: 'cpu', precision: 'f16' }, 'ERR_ARGUMENT'],
    [{ gpu: -1 }, 'ERR_RANGE'],
    [{ gpu: 0.5 }, 'ERR_ARGUMENT'],
  ])('%o is refused', (options, code) => {
    expect(codeOf(() => chooseDevice(options, 'auto'))).toBe(code);
  });
});

describe('16-bit rounding of the conformance run', () => {
  it('rounds to nearest even, keeps subnormals, and overflows to infinity', () => {
    expect(roundTo('bf16', 1 + 2 ** -8)).toBe(1);
    expect(roundTo('bf16', 1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
    expect(roundTo('f16', 1 + 2 ** -11)).toBe(1);
    expect(roundTo('f16', -(1 + 3 * 2 ** -11))).toBe(-(1 + 2 ** -9));
    expect(roundTo('f16', 2 ** -24)).toBe(2 ** -24);
    expect(roundTo('f16', 65_519)).toBe(65_504);
    expect(roundTo('f16', 65_520)).toBe(Infinity);
    expect(roundTo('bf16', 3e38)).toBeCloseTo(3e38, -36);
  });
});

describe.skipIf(!simt)('the CUDA kernels on the CPU (test builds)', () => {
  const planners: Planner[] = [];
  afterEach(async () => {
    await Promise.all(planners.splice(0).map((planner) => planner.close()));
  });
  const plannerOn = async (device: 'cpu' | 'simt', precision?: 'bf16') => {
    const options = { device, precision, maxSamples: 2, maxSteps: 4 } as const;
    const planner = await Planner.fromCheckpoint(randomCheckpoint(), options);
    planners.push(planner);
    return planner;
  };

  it('plans as the CPU does: async, sync, in a batch and step by step', async () => {
    const [cpu, gpu] = [await plannerOn('cpu'), await plannerOn('simt')];
    expect(gpu).toMatchObject({ device: 'simt', isa: undefined, engine: 'simt fp32' });
    const options = { steps: 3, decode: 'sample', samples: 2, seed: 5 } as const;
    const wanted = await cpu.plan(observation(), options);
    const got = await gpu.plan(observation(), options);
    expect(got.trajectory).toEqual(wanted.trajectory);
    expect(got.refinements).toEqual(wanted.refinements);
    expect(got.confidence).toBeCloseTo(wanted.confidence, 4);
    expect(gpu.planSync(observation(), options).trajectory).toEqual(wanted.trajectory);
    const batch = await gpu.planBatch([observation(), observation()], options);
    for (const plan of batch) expect(plan.trajectory).toEqual(wanted.trajectory);
    const steps: number[] = [];
    for await (const { step, trajectory } of gpu.refine(observation(), options)) {
      steps.push(step);
      if (step === 3) expect(trajectory).toEqual(wanted.trajectory);
    }
    expect(steps.at(-1)).toBe(3);
  });

  it('plans in 16 bits', async () => {
    const planner = await plannerOn('simt', 'bf16');
    expect(planner.engine).toBe('simt bf16');
    const { trajectory } = planner.planSync(observation());
    expect(trajectory.every(Number.isFinite)).toBe(true);
  });

  it('stops at a deadline with a whole plan, and before the first step when aborted', async () => {
    const gpu = await plannerOn('simt');
    const late = await gpu.plan(observation(), { steps: 4, deadlineMs: 0 });
    expect(late.stepsRun).toBe(1);
    const plan = gpu.plan(observation(), { steps: 4, signal: AbortSignal.abort() });
    await expect(plan).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('runs single operations', () => {
    const random = randomNumbers(3);
    const floats = (n: number) => Float32Array.from({ length: n }, () => random() - 0.5);
    const q = floats(2 * 5 * 2 * 32);
    const k = floats(2 * 5 * 2 * 32);
    const v = floats(2 * 5 * 2 * 32);
    const input = { q, k, v, batch: 2, length: 5, heads: 2, headDim: 32 };
    const wanted = attention(input);
    const got = attention({ ...input, device: 'simt' });
    expect(largestError(got.out, wanted.out)).toBeLessThan(1e-6);
    expect(largestError(got.lse, wanted.lse)).toBeLessThan(1e-6);
    const x = floats(3 * 40);
    const weight = floats(7 * 40);
    const product = { x, weight, inputs: 40 };
    const close = largestError(linear({ ...product, device: 'simt' }), linear(product));
    expect(close).toBeLessThan(1e-6);
    const table = floats(50 * 8);
    const search = { query: floats(4 * 8), table, dim: 8 };
    expect(nearestToken({ ...search, device: 'simt' })).toEqual(nearestToken(search));
    const counters = [1, 2, 3, 4];
    expect(philox(counters, [5, 6], { device: 'simt' })).toEqual(philox(counters, [5, 6]));
  });

  it('in 16 bits is at most twice as far off as rounding alone', () => {
    const random = randomNumbers(4);
    const size = 70 * 2 * 64;
    const [q, k, v, dout] = Array.from({ length: 4 }, () =>
      Float32Array.from({ length: size }, () => 2 * random() - 1),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const input = { q, k, v, length: 70, heads: 2, headDim: 64 };
    const exact = attention(input).out;
    const shape = { ...input, dout, batch: 1, keyLength: 70, kvHeads: 2, sees: () => true };
    for (const precision of ['bf16', 'f16'] as const) {
      const plain = plainAttention(shape, precision).out;
      const got = attention({ ...input, device: 'simt', precision }).out;
      const error = largestError(got, exact);
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThanOrEqual(2 * largestError(plain, exact));
    }
  });

  const shared = '../shared/flow-golden';
  const quick = ['philox', 'topk_posterior', 'sampler_replay', 'kinetic_velocity'];
  const goldens = existsSync(shared) ? findGoldens(shared) : [];
  it.skipIf(goldens.length === 0)('passes the quick golden groups', async () => {
    for (const golden of goldens) {
      if (!(golden instanceof Golden) || !quick.includes(golden.group)) continue;
      const result = await runGolden(golden, { device: 'simt' });
      expect(result.cases.flatMap(({ messages }) => messages)).toEqual([]);
      expect(result.passed).toBe(golden.cases.length);
    }
  });
});

test.skipIf(simt)('the harness is in test builds alone', () => {
  expect(codeOf(() => chooseDevice({ device: 'simt' }, 'auto'))).toBe('ERR_DEVICE_UNAVAILABLE');
});
