import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  averageModels,
  inspectCheckpoint,
  loadCheckpoint,
  readCheckpointValues,
  saveCheckpoint,
} from '../lib/index.js';
import { randomCheckpoint } from './support/small-planner.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-flow-average-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = (seed: number) => ({
  directory: `seed ${seed}`,
  ...randomCheckpoint(undefined, seed),
});
const [a, b, c] = [model(1), model(2), model(3)];

describe('the mean of models', () => {
  test('is that of their weights, to the last rounding', () => {
    const { tensors, config } = averageModels([a, b, c], [0.5, 0.3, 0.2]);
    expect(config).toEqual(a.config);
    expect(tensors.map(({ name, shape }) => [name, shape])).toEqual(
      a.tensors.map(({ name, shape }) => [name, shape]),
    );
    for (const [i, { data }] of tensors.entries()) {
      for (const [j, value] of data.entries()) {
        const [x, y, z] = [a, b, c].map((of) => of.tensors[i]!.data[j]!) as [
          number,
          number,
          number,
        ];
        const exact = 0.5 * x + 0.3 * y + 0.2 * z;
        const room = 2 ** -24 * Math.abs(exact) + 1e-15;
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(room);
      }
    }
  });

  test('of one model is that model; weights are relative; they may lie outside of 0 to 1', () => {
    expect(averageModels([a]).tensors).toEqual(a.tensors);
    expect(averageModels([a, b], [2, 2]).tensors).toEqual(averageModels([a, b]).tensors);
    const beyond = averageModels([a, b], [-0.5, 1.5]).tensors[0]!.data[5]!;
    expect(beyond).toBeCloseTo(1.5 * b.tensors[0]!.data[5]! - 0.5 * a.tensors[0]!.data[5]!, 6);
  });

  test('needs one configuration and sensible weights', () => {
    const other = structuredClone(b);
    other.config.norm_eps = 1e-4;
    expect(() => averageModels([a, other])).toThrow(/seed 2: .*seed 1.*norm_eps/);
    expect(() => averageModels([])).toThrow(/at least one model/);
    for (const weights of [[1], [1, -1], [1, Number.NaN], [1, Number.POSITIVE_INFINITY]]) {
      expect(() => averageModels([a, b], weights)).toThrow(/weights: .*2 numbers/);
    }
  });

  test('can be made on the command line and loaded', async () => {
    const [first, second, mean] = ['a', 'b', 'mean'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await saveCheckpoint(first, a);
    await saveCheckpoint(second, b);
    const cli = ['dist/cli/main.js', 'average', first, second, '--weights', '1,3', '--json'];
    const out = execFileSync(process.execPath, [...cli, '--output', mean], { encoding: 'utf8' });
    expect(JSON.parse(out)).toEqual({ output: mean, models: [first, second], weights: [1, 3] });
    const loaded = await loadCheckpoint(mean);
    expect(loaded.tensors).toEqual(averageModels([a, b], [1, 3]).tensors);
  });

  test('of Janus directories is one too', async () => {
    const mean = join(folder, 'janus');
    const cli = ['dist/cli/main.js', 'average', 'vla-mini', 'vla-mini', '--output', mean];
    execFileSync(process.execPath, cli, { stdio: 'pipe' });
    expect(Object.keys((await inspectCheckpoint(mean)).dtypes)).toEqual(['F32']);
    const name = 'language_model.model.embed_tokens.weight';
    const [one, two] = [
      await readCheckpointValues('vla-mini', name),
      await readCheckpointValues(mean, name),
    ];
    expect(two).toEqual(one);
  });
});
