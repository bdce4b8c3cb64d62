import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HeadingNetwork, VlaPlanner } from '../lib/index.js';
import { encodeSafetensors } from '../lib/model/safetensors.js';
import { JanusFolder } from './support/janus-folder.js';
import { tinyVla } from './support/tiny-vla.js';

const kWaypoints = 8;
const kWidths = [16, 20, 12];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wam-flow-heading-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Tensors = Record<string, { shape: number[]; data: Float32Array }>;

/** A network with numbers of which none is special; layers are counted with activation and dropout. */
function network(): Tensors {
  let at = 0;
  const values = (count: number, scale: number, mean = 0) =>
    Float32Array.from({ length: count }, () => mean + scale * Math.sin(++at * 1.7));
  const tensors: Tensors = {};
  for (const [i, inputs] of kWidths.slice(0, -1).entries()) {
    const outputs = kWidths[i + 1]!;
    tensors[`net.${4 * i}.weight`] = {
      shape: [outputs, inputs],
      data: values(outputs * inputs, 0.3),
    };
    tensors[`net.${4 * i}.bias`] = { shape: [outputs], data: values(outputs, 0.1) };
    tensors[`net.${4 * i + 1}.weight`] = { shape: [outputs], data: values(outputs, 0.2, 1) };
    tensors[`net.${4 * i + 1}.bias`] = { shape: [outputs], data: values(outputs, 0.1) };
  }
  const last = 4 * (kWidths.length - 1);
  const inputs = kWidths.at(-1)!;
  tensors[`net.${last}.weight`] = {
    shape: [kWaypoints, inputs],
    data: values(kWaypoints * inputs, 0.2),
  };
  tensors[`net.${last}.bias`] = { shape: [kWaypoints], data: values(kWaypoints, 0.1) };
  return tensors;
}

async function fileOf(tensors: Tensors, name = 'heading.safetensors'): Promise<string> {
  const path = join(folder, name);
  const list = Object.entries(tensors).map(([name, tensor]) => ({ name, ...tensor }));
  writeFileSync(path, Buffer.concat((await encodeSafetensors(list)).pieces));
  return path;
}

/** The error function by its series, in double. */
function erf(x: number): number {
  let [sum, term] = [x, x];
  for (let n = 1; n < 200; n += 1) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** The network in double, a layer after the other. */
function plainHeadings(tensors: Tensors, xy: readonly number[]): number[] {
  const linear = (x: readonly number[], at: number) =>
    Array.from(tensors[`net.${at}.bias`]!.data, (bias, o) =>
      x.reduce((s, v, i) => s + v * tensors[`net.${at}.weight`]!.data[o * x.length + i]!, bias),
    );
  let x = xy;
  for (let i = 0; i + 1 < kWidths.length; i += 1) {
    const y = linear(x, 4 * i);
    const mean = y.reduce((s, v) => s + v, 0) / y.length;
    const variance = y.reduce((s, v) => s + (v - mean) ** 2, 0) / y.length;
    const [weight, bias] = [tensors[`net.${4 * i + 1}.weight`]!, tensors[`net.${4 * i + 1}.bias`]!];
    x = y.map((v, k) => {
      const normed = ((v - mean) / Math.sqrt(variance + 1e-5)) * weight.data[k]! + bias.data[k]!;
      return (normed / 2) * (1 + erf(normed / Math.SQRT2));
    });
  }
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: as the released network
  return linear(x, 4 * (kWidths.length - 1)).map((v) => 3.14159 * Math.tanh(v));
}

const kPath = Array.from({ length: 16 }, (_, i) => (i % 2 ? 0.02 * i * i : 2.5 * (i / 2 + 1)));

describe('a heading network', () => {
  test('gives what its layers give in double', async () => {
    const tensors = network();
    const headings = (await HeadingNetwork.load(await fileOf(tensors))).headings(kPath);
    const expected = plainHeadings(tensors, kPath.map(Math.fround));
    expect(headings).toHaveLength(kWaypoints);
    for (const [i, value] of expected.entries()) {
      expect(Math.abs(headings[i]! - value)).toBeLessThan(2e-5);
    }
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.1);
  });

  test('takes the headings of a plan over', async () => {
    const janus = new JanusFolder();
    try {
      const headings = await HeadingNetwork.load(await fileOf(network()));
      const directory = await tinyVla(janus);
      const planner = await VlaPlanner.load(directory, { headings, threads: 1 });
      const picture = { data: new Uint8Array(24 * 24 * 3), width: 24, height: 24 };
      const fields = { command: 'left', vx: 5, vy: 0, ax: 0, ay: 0 };
      const plan = await planner.planView({ images: [picture], fields }, { steps: 2 });
      const own = headings.headings(plan.trajectory);
      for (let i = 0; i < kWaypoints; i += 1) {
        expect([...plan.poses.subarray(3 * i, 3 * i + 3)]).toEqual([
          ...plan.trajectory.subarray(2 * i, 2 * i + 2),
          own[i],
        ]);
      }
      await planner.close();
      const wrong = VlaPlanner.load(directory, { headings, answer: { waypoints: 4 } });
      await expect(wrong).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
    } finally {
      janus.remove();
    }
  });

  const { 'net.1.bias': _bias, ...withoutBias } = network();
  const first = network()['net.0.weight']!;
  test.each<[string, Tensors, string]>([
    ['a tensor of another name', { ...network(), 'fc.weight': first }, 'ERR_CHECKPOINT_CORRUPT'],
    ['a layer without its bias', withoutBias, 'ERR_CHECKPOINT_CORRUPT'],
    [
      'a layer of another width',
      { ...network(), 'net.0.weight': { ...first, shape: [16, 20] } },
      'ERR_CHECKPOINT_CORRUPT',
    ],
    [
      'a layer too many',
      {
        ...network(),
        'net.9.weight': { shape: [8], data: new Float32Array(8) },
        'net.9.bias': { shape: [8], data: new Float32Array(8) },
      },
      'ERR_CHECKPOINT_CORRUPT',
    ],
    [
      'a number that is none',
      { ...network(), 'net.0.weight': { ...first, data: new Float32Array(320).fill(Number.NaN) } },
      'ERR_NOT_FINITE',
    ],
    ['no tensors', {}, 'ERR_CHECKPOINT_CORRUPT'],
  ])('refuses %s', async (_, tensors, code) => {
    const path = await fileOf(tensors, 'bad.safetensors');
    await expect(HeadingNetwork.load(path)).rejects.toMatchObject({ code, name: 'WamFlowError' });
  });

  test('refuses a missing file and a path of another length', async () => {
    const missing = HeadingNetwork.load(join(folder, 'none.safetensors'));
    await expect(missing).rejects.toMatchObject({ code: 'ERR_CHECKPOINT_NOT_FOUND' });
    const loaded = await HeadingNetwork.load(await fileOf(network()));
    expect(() => loaded.headings([1, 2])).toThrow(expect.objectContaining({ code: 'ERR_SHAPE' }));
  });
});
