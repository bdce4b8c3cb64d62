import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { loadCheckpoint, loadTraining, saveCheckpoint } from '../lib/model/checkpoint.js';
import { kBundledModels } from '../lib/model/bundled.js';
import { encodeSafetensors, type FloatTensor } from '../lib/model/safetensors.js';
import { native, packageRoot } from '../lib/native.js';
import { kSmallConfig, randomCheckpoint, randomNumbers } from './support/small-planner.js';
import { temporaryFolder } from './support/small-training.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const kModel = 'model.safetensors';
const sound = folder.path('sound');
// Smaller than what plans are tested with: it is read some hundred times.
const kTinyConfig = {
  ...kSmallConfig,
  hidden_size: 16,
  num_hidden_layers: 2,
  encoder: { hidden_size: 16, max_agents: 2, max_lanes: 2 },
  tokens: { ...kSmallConfig.tokens, vocab_size: 31 },
};
const { config, tensors } = randomCheckpoint(kTinyConfig);
beforeAll(() => saveCheckpoint(sound, { config, tensors }));

async function errorOf(action: Promise<unknown>): Promise<WamFlowError> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WamFlowError);
  return error as WamFlowError;
}

/** A copy of the sound checkpoint with other weights. */
async function withTensors(name: string, changed: readonly FloatTensor[]): Promise<string> {
  const directory = folder.path(name);
  cpSync(sound, directory, { recursive: true });
  writeFileSync(join(directory, kModel), Buffer.concat((await encodeSafetensors(changed)).pieces));
  return directory;
}

describe('a checkpoint', () => {
  it('is read as it was written', async () => {
    const loaded = await loadCheckpoint(sound);
    expect(loaded.directory).toBe(sound);
    expect(loaded.config).toEqual(config);
    expect(loaded.tensors).toEqual(tensors);
    expect(readdirSync(sound).sort()).toEqual(['config.json', kModel]);
    expect(await loadTraining(sound)).toBeUndefined();
  });

  it('is the same bytes each time', async () => {
    const again = folder.path('again');
    await saveCheckpoint(again, { config, tensors: [...tensors].reverse() });
    for (const name of ['config.json', kModel]) {
      expect(readFileSync(join(again, name)).equals(readFileSync(join(sound, name)))).toBe(true);
    }
  });

  it('keeps training state beside it, and drops it when a model without one replaces it', async () => {
    const directory = folder.path('training');
    const moments = [{ name: 'm', shape: [2], data: Float32Array.of(1, 2) }];
    await saveCheckpoint(directory, { config, tensors }, { tensors: moments, state: { step: 3 } });
    expect(await loadTraining(directory)).toEqual({ config, tensors: moments, state: { step: 3 } });
    await saveCheckpoint(directory, { config, tensors });
    expect(await loadTraining(directory)).toBeUndefined();
    expect(readdirSync(directory).sort()).toEqual(['config.json', kModel]);
  });

  it('may hold weights of 16 or 64 bits', async () => {
    // bfloat16 is the upper half of a float32, so these bytes are written without the code under test.
    const bytes = readFileSync(join(sound, kModel));
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    delete header.__metadata__;
    for (const entry of Object.values<{ dtype: string; data_offsets: number[] }>(header)) {
      entry.dtype = 'BF16';
      entry.data_offsets = entry.data_offsets.map((offset) => offset / 2);
    }
    const text = Buffer.from(JSON.stringify(header));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(text.length));
    const data = bytes.subarray(8 + length);
    const halves = Buffer.alloc(data.length / 2);
    for (let i = 0; i < data.length / 4; i++) data.copy(halves, 2 * i, 4 * i + 2, 4 * i + 4);
    const directory = folder.path('bfloat16');
    cpSync(sound, directory, { recursive: true });
    writeFileSync(join(directory, kModel), Buffer.concat([start, text, halves]));
    const loaded = await loadCheckpoint(directory);
    for (const [i, { name, shape, data: values }] of loaded.tensors.entries()) {
      expect([name, shape]).toEqual([tensors[i]!.name, tensors[i]!.shape]);
      const wide = new Uint32Array(tensors[i]!.data.slice().buffer).map(
        (bits) => bits & 0xffff0000,
      );
      expect(values).toEqual(new Float32Array(wide.buffer));
    }
  });

  it.each(kBundledModels)('named %s comes with the package', async (name) => {
    const place = join(packageRoot(), 'models', name);
    if (!existsSync(place)) {
      expect((await errorOf(loadCheckpoint(name))).code).toBe('ERR_CHECKPOINT_NOT_FOUND');
      return;
    }
    const { directory, native: form, tensors: weights } = await loadCheckpoint(name);
    expect(directory).toBe(place);
    native().createModel(form, weights);
  });
});

describe('refusing to load', () => {
  it('what is not there', async () => {
    for (const place of [folder.path('nothing'), join(sound, kModel), join(sound, 'config.json')]) {
      expect((await errorOf(loadCheckpoint(place))).code).toBe('ERR_CHECKPOINT_NOT_FOUND');
    }
    const half = folder.path('half');
    cpSync(sound, half, { recursive: true });
    rmSync(join(half, kModel));
    const error = await errorOf(loadCheckpoint(half));
    expect(error.code).toBe('ERR_CHECKPOINT_NOT_FOUND');
    expect(error.message).toContain(kModel);
    for (const name of [undefined, '', 3, null, {}]) {
      expect((await errorOf(loadCheckpoint(name as string))).code).toBe('ERR_ARGUMENT');
    }
  });

  it('weights that do not fit, naming every missing, extra and mis-shaped tensor', async () => {
    const [first, second, third, ...rest] = tensors as readonly FloatTensor[] as [
      FloatTensor,
      FloatTensor,
      FloatTensor,
    ];
    const turned = { ...second, shape: [...second.shape, 1] };
    const directory = await withTensors('unfit', [
      ...rest,
      turned,
      { ...third, name: 'other.weight' },
      { ...third, name: 'constructor' },
    ]);
    const error = await errorOf(loadCheckpoint(directory));
    expect(error.code).toBe('ERR_CHECKPOINT_CORRUPT');
    expect(error.message).toContain(`missing (2): ${first.name}, ${third.name}`);
    expect(error.message).toContain('extra (2): constructor, other.weight');
    expect(error.message).toContain(
      `mis-shaped (1): ${second.name} is F32 [${turned.shape}], expected floats [${second.shape}]`,
    );
  });

  it('weights that are not finite', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const changed = tensors.map((tensor) => ({ ...tensor, data: tensor.data.slice() }));
      changed[4]!.data[3] = bad;
      const error = await errorOf(loadCheckpoint(await withTensors('infinite', changed)));
      expect(error.code).toBe('ERR_CHECKPOINT_CORRUPT');
      expect(error.message).toContain(`${changed[4]!.name}: value 3 is ${bad}`);
    }
  });

  it('a configuration of another shape, before any weight is read', async () => {
    const directory = folder.path('lying');
    cpSync(sound, directory, { recursive: true });
    const change = (fields: object) =>
      writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...config, ...fields }));
    for (const lie of [
      { hidden_size: 32 },
      { hidden_size: 16384, num_hidden_layers: 256 },
      { num_hidden_layers: 1 },
      { norm: 'rms_norm' },
      { tokens: { ...config.tokens, vocab_size: 1_048_576 } },
      { numeric: { features: 'table' } },
    ]) {
      change(lie);
      const before = process.memoryUsage().arrayBuffers;
      expect((await errorOf(loadCheckpoint(directory))).code).toBe('ERR_CHECKPOINT_CORRUPT');
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20);
    }
    change({ hidden_size: 17 });
    expect((await errorOf(loadCheckpoint(directory))).code).toBe('ERR_CONFIG');
    change({ model_type: 'multi_modality' });
    expect((await errorOf(loadCheckpoint(directory))).code).toBe('ERR_CONFIG');
    change({ comment: 'x'.repeat(2 << 20) });
    expect((await errorOf(loadCheckpoint(directory))).code).toBe('ERR_CHECKPOINT_CORRUPT');
    rmSync(join(directory, 'config.json'));
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [join(directory, 'config.json')]);
    expect((await errorOf(loadCheckpoint(directory))).code).toBe('ERR_CHECKPOINT_CORRUPT');
  });

  it('hundreds of damaged files, each with an error of ours or sound weights', async () => {
    const random = randomNumbers(7);
    const pick = (n: number) => Math.floor(random() * n);
    const directory = folder.path('fuzzed');
    const codes = new Map<string, number>();
    for (const name of ['config.json', kModel]) {
      cpSync(sound, directory, { recursive: true, force: true });
      const original = readFileSync(join(sound, name));
      const headerEnd = name === kModel ? 8 + Number(original.readBigUInt64LE(0)) : original.length;
      for (let round = 0; round < 200; round++) {
        const path = join(directory, name);
        writeFileSync(path, original);
        if (round % 3 === 0) truncateSync(path, pick(original.length));
        else {
          const bytes = Buffer.from(original);
          // Two of three flips hit the header, where lies are possible; the others are for the checksum.
          const end = round % 3 === 1 ? headerEnd : bytes.length;
          for (let flips = 1 + pick(4); flips > 0; flips--) bytes[pick(end)]! ^= 1 << pick(8);
          if (round % 12 === 1) {
            writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(1 + pick(100))]));
          } else {
            writeFileSync(path, bytes);
          }
        }
        const outcome = await loadCheckpoint(directory).then(
          (loaded) => {
            // A digit of a field that no shape depends on: another model, but a whole one.
            native().createModel(loaded.native, loaded.tensors);
            return 'loaded';
          },
          (error: unknown) => {
            expect(error).toBeInstanceOf(WamFlowError);
            return (error as WamFlowError).code;
          },
        );
        if (name === kModel) expect(outcome).toBe('ERR_CHECKPOINT_CORRUPT');
        codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
      }
    }
    expect(codes.get('ERR_CHECKPOINT_CORRUPT')).toBeGreaterThan(250);
    expect(codes.get('ERR_CONFIG')).toBeGreaterThan(10);
    const known = ['ERR_CHECKPOINT_CORRUPT', 'ERR_CONFIG', 'loaded'];
    expect([...codes.keys()].filter((code) => !known.includes(code))).toEqual([]);
  });
});

describe('refusing to save', () => {
  it('weights that are not finite; what was there stays', async () => {
    const directory = folder.path('kept');
    await saveCheckpoint(directory, { config, tensors });
    const before = readFileSync(join(directory, kModel));
    const changed = tensors.map((tensor) => ({ ...tensor, data: tensor.data.slice() }));
    changed[0]!.data[0] = Number.NaN;
    const error = await errorOf(saveCheckpoint(directory, { config, tensors: changed }));
    expect(error.code).toBe('ERR_NOT_FINITE');
    expect(readFileSync(join(directory, kModel)).equals(before)).toBe(true);
  });

  it('tensors of another configuration', async () => {
    const other = randomCheckpoint({ ...kTinyConfig, num_hidden_layers: 1 });
    for (const wrong of [other.tensors, tensors.slice(1), [...tensors, tensors[0]!]]) {
      const error = await errorOf(saveCheckpoint(folder.path('wrong'), { config, tensors: wrong }));
      expect(error.code).toBe('ERR_SHAPE');
    }
    expect(existsSync(folder.path('wrong'))).toBe(false);
  });

  it('where no folder can be', async () => {
    const file = folder.path('file');
    writeFileSync(file, '');
    const error = await errorOf(saveCheckpoint(join(file, 'below'), { config, tensors }));
    expect(error.code).toBe('ERR_IO');
  });
});
