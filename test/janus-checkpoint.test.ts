// Checkpoints are written by scripts/janus, whose layout is not the engine's; values are compared with the reader in
// lib/model/safetensors.ts, which shares nothing with the native one.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import { inspectCheckpoint, readCheckpointValues } from '../lib/index.js';
import { readSafetensors, toFloat32 } from '../lib/model/safetensors.js';
import { native } from '../lib/native.js';
import { JANUS_SIZES, janusTensors } from '../scripts/janus/layout.mjs';
import { mutate, mutation, splice, spliced } from './support/mutations.js';
import {
  dropTensors,
  editHeader,
  editJson,
  JanusFolder,
  kTinySizes,
  putTogether,
  takeApart,
  weightFiles,
} from './support/janus-folder.js';

const kGolden = new URL('../../shared/flow-golden/tiny_janus_a/', import.meta.url).pathname;
const kIndex = 'model.safetensors.index.json';
const kEmbedding = 'language_model.model.embed_tokens.weight';

const folder = new JanusFolder();
afterAll(() => folder.remove());

/** `CODE: message` of what a promise rejects with. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WamFlowError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

/** All float values by the reader in JavaScript, files one after another. */
async function valuesByJs(directory: string): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const file of weightFiles(directory)) {
    const { tensors } = await readSafetensors(join(directory, file));
    for (const [name, tensor] of tensors) values.set(name, toFloat32(tensor, name));
  }
  return values;
}

/** `value` in a format with `fraction` bits and a smallest exponent, by its definition: ties to even. */
function rounded(value: number, fraction: number, smallest: number): number {
  if (value === 0) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), smallest);
  const unit = 2 ** (exponent - fraction);
  const low = Math.floor(value / unit);
  const over = value / unit - low;
  const up = over > 0.5 || (over === 0.5 && low % 2 !== 0);
  return (low + (up ? 1 : 0)) * unit;
}

describe('a whole checkpoint', () => {
  it.skipIf(!existsSync(kGolden))("of the goldens gives the other reader's numbers", async () => {
    const found = await inspectCheckpoint(kGolden, { checkValues: true });
    const expected = await valuesByJs(kGolden);
    expect(found.tensors.map(({ name }) => name)).toEqual([...expected.keys()].sort());
    for (const [name, values] of expected) {
      expect(await readCheckpointValues(kGolden, name)).toEqual(values);
    }
    expect(found.config.language.vocab_size).toBe(137);
    expect(found.parameters).toBe([...expected.values()].reduce((n, { length }) => n + length, 0));
    expect(found.dtypes).toEqual({
      F32: { tensors: expected.size, parameters: found.parameters, bytes: 4 * found.parameters },
    });
    expect(found.parts.generation?.tensors).toBe(9);
    expect(found.warnings.filter((text) => !text.startsWith('no '))).toEqual([]);
  });

  it('in 1, 2, 3 and many shards is the same', async () => {
    const single = await folder.tiny({ dtype: 'f32' });
    const expected = await valuesByJs(single);
    for (const shards of [2, 3, 20]) {
      const split = await folder.tiny({ dtype: 'f32', shards });
      expect(weightFiles(split)).toHaveLength(shards);
      const found = await inspectCheckpoint(split, { checkValues: true });
      expect(found.files).toHaveLength(shards);
      expect(new Set(found.tensors.map(({ file }) => file)).size).toBe(shards);
      expect(found.tensors.map(({ name }) => name)).toEqual([...expected.keys()].sort());
      for (const [name, values] of expected) {
        expect(await readCheckpointValues(split, name)).toEqual(values);
      }
    }
  });

  it.each([
    ['bf16', 'BF16', 7, -126],
    ['f16', 'F16', 10, -14],
  ] as const)('in %s holds the rounded numbers', async (dtype, name, fraction, smallest) => {
    const exact = await valuesByJs(await folder.tiny({ dtype: 'f32' }));
    const stored = await folder.tiny({ dtype });
    const found = await inspectCheckpoint(stored, { checkValues: true });
    expect(Object.keys(found.dtypes)).toEqual([name]);
    expect(found.bytes).toBe(2 * found.parameters);
    let different = 0;
    for (const [tensor, values] of exact) {
      const narrow = await readCheckpointValues(stored, tensor);
      for (const [i, value] of values.entries()) {
        different += Number(narrow[i] !== rounded(value, fraction, smallest));
      }
    }
    expect(different).toBe(0);
  });

  it('may mix formats and hold what planning does not need', async () => {
    const directory = await folder.tiny({ dtype: 'bf16', generation: true });
    const path = join(directory, 'model.safetensors');
    const { header, data } = takeApart(path);
    const more: Record<string, unknown> = { ...header };
    more['language_model.model.layers.0.self_attn.rotary_emb.inv_freq'] = {
      dtype: 'F32',
      shape: [2],
      data_offsets: [data.length, data.length + 8],
    };
    more['language_model.steps'] = {
      dtype: 'I64',
      shape: [],
      data_offsets: [data.length + 8, data.length + 16],
    };
    putTogether(path, more, Buffer.concat([data, Buffer.alloc(16)]));
    const found = await inspectCheckpoint(directory, { checkValues: true });
    expect(Object.keys(found.dtypes).sort()).toEqual(['BF16', 'F32', 'I64']);
    expect(found.warnings.filter((text) => !text.startsWith('no '))).toEqual([
      'unknown tensors are ignored (1): language_model.steps',
    ]);
    const used = found.tensors.filter((tensor) => tensor.used);
    expect(used.every(({ part }) => ['language', 'vision', 'aligner'].includes(part))).toBe(true);
    expect(used.some(({ name }) => /attn_pool|inv_freq|steps/.test(name))).toBe(false);
    expect(await refusal(readCheckpointValues(directory, 'language_model.steps'))).toMatch(
      /ERR_CHECKPOINT_CORRUPT: .*I64/,
    );
  });

  it('has as many rows as its table, whatever config.json says', async () => {
    const directory = await folder.tiny({ sizes: { vocab: 123 } });
    editJson(join(directory, 'config.json'), (config) => {
      config.language_config.vocab_size = 90;
    });
    const found = await inspectCheckpoint(directory);
    expect(found.config.language.vocab_size).toBe(123);
    expect(found.warnings.join()).toMatch(/vocab_size 90, the token tables have 123 rows/);
  });

  it('may stand behind links, as in the cache of a model hub', async () => {
    const directory = await folder.tiny({ shards: 2 });
    const linked = join(folder.root, 'linked');
    mkdirSync(linked);
    for (const name of [...weightFiles(directory), kIndex, 'config.json']) {
      symlinkSync(join(directory, name), join(linked, name));
    }
    expect((await inspectCheckpoint(linked)).files).toHaveLength(2);
  });

  it('gives parts of a tensor', async () => {
    const directory = await folder.tiny();
    const all = await readCheckpointValues(directory, kEmbedding);
    expect(all).toHaveLength(kTinySizes.vocab * kTinySizes.hidden);
    expect(await readCheckpointValues(directory, kEmbedding, 100, 7)).toEqual(all.slice(100, 107));
    expect(await readCheckpointValues(directory, kEmbedding, all.length)).toHaveLength(0);
    for (const [begin, count] of [
      [0, all.length + 1],
      [all.length + 1, -1],
      [all.length, 1],
      [0, 2 ** 52],
      [-1, 1],
    ]) {
      expect(await refusal(readCheckpointValues(directory, kEmbedding, begin, count))).toMatch(
        /^ERR_RANGE/,
      );
    }
    expect(await refusal(readCheckpointValues(directory, 'nothing'))).toMatch(/^ERR_ARGUMENT/);
  });

  it('has the parameters of the published one', () => {
    const count = janusTensors(JANUS_SIZES).reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    // 2,089,297,547 less the generation side.
    expect(count).toBe(1_975_235_584);
  });
});

describe('damage is refused with its own error', () => {
  it.each<[string, (directory: string) => void, RegExp]>([
    ['no configuration', (d) => rmSync(join(d, 'config.json')), /NOT_FOUND: .*no config\.json/],
    [
      'a configuration that is no JSON',
      (d) => writeFileSync(join(d, 'config.json'), '{"a":'),
      /CORRUPT: .*not JSON/,
    ],
    [
      'an enormous configuration',
      (d) => writeFileSync(join(d, 'config.json'), ' '.repeat(2 << 20)),
      /CORRUPT: .*too many/,
    ],
    [
      'a configuration of another size',
      (d) =>
        editJson(join(d, 'config.json'), (c) => {
          c.language_config.num_hidden_layers = 5;
          c.language_config.intermediate_size = 32;
        }),
      /CORRUPT: .*missing \(18\): .*layers\.\{3,4\}\.input_layernorm\.weight.*mis-shaped \(9\): .*layers\.\{0\.\.2\}\.mlp\.gate_proj\.weight is BF16 \[24, 16\], expected floats \[32, 16\]/,
    ],
    ['no weights', (d) => rmSync(join(d, 'model.safetensors')), /NOT_FOUND: .*neither/],
    [
      'pickled weights',
      (d) => {
        rmSync(join(d, 'model.safetensors'));
        writeFileSync(join(d, 'pytorch_model.bin'), 'PK');
      },
      /NOT_FOUND: .*pytorch_model\.bin holds pickled weights.*docs\/checkpoints\.md/,
    ],
    [
      'a pickle under another name',
      (d) => writeFileSync(join(d, 'model.safetensors'), 'PK\x03\x04'.padEnd(200, 'x')),
      /CORRUPT: .*a pickle of Python/,
    ],
    [
      'weights cut off',
      (d) => truncateSync(join(d, 'model.safetensors'), 30_000),
      /CORRUPT: .*it was cut off/,
    ],
    [
      'a header cut off',
      (d) => truncateSync(join(d, 'model.safetensors'), 3000),
      /CORRUPT: .*the header is said to have \d+ bytes, the file has 3000/,
    ],
    [
      'an empty file',
      (d) => writeFileSync(join(d, 'model.safetensors'), ''),
      /CORRUPT: .*0 bytes are too few/,
    ],
    [
      'a wrong dtype',
      (d) =>
        editHeader(join(d, 'model.safetensors'), (header) => {
          header[kEmbedding].dtype = 'F8_E4M3';
        }),
      /CORRUPT: .*embed_tokens\.weight" has dtype "F8_E4M3", expected one of F32, BF16, F16/,
    ],
    [
      'a dtype of another size',
      (d) =>
        editHeader(join(d, 'model.safetensors'), (header) => {
          header[kEmbedding].dtype = 'F32';
        }),
      /CORRUPT: .*F32 \[90, 16\] needs 5760 bytes/,
    ],
    [
      'integers for weights',
      (d) =>
        editHeader(join(d, 'model.safetensors'), (header) => {
          header[kEmbedding] = { ...header[kEmbedding], dtype: 'U8', shape: [90, 32] };
        }),
      /CORRUPT: .*embed_tokens\.weight is U8 \[90, 32\], expected floats \[90, 16\]/,
    ],
    [
      'a table of another width',
      (d) =>
        editHeader(join(d, 'model.safetensors'), (header) => {
          header[kEmbedding].shape = [180, 8];
        }),
      /CORRUPT: .*mis-shaped \(2\): .*embed_tokens\.weight is BF16 \[180, 8\], expected floats \[180, 16\].*lm_head/,
    ],
    [
      'overlapping tensors',
      (d) =>
        editHeader(join(d, 'model.safetensors'), (header) => {
          const [a, b] = ['norm1', 'norm2'].map(
            (name) => `vision_model.vision_tower.blocks.0.${name}.bias`,
          );
          header[a].data_offsets = header[b].data_offsets;
        }),
      /CORRUPT: .*(overlaps another|leaves a hole)/,
    ],
    [
      'tensors that are missing',
      (d) =>
        dropTensors(
          join(d, 'model.safetensors'),
          (name) => name.includes('mlp.fc1') || name === 'aligner.layers.2.bias',
        ),
      // 2 blocks x 2, one more; those of the pooling head are not needed.
      /CORRUPT: .*missing \(5\): vision_model\.vision_tower\.blocks\.\{0,1\}\.mlp\.fc1\.weight, .*aligner\.layers\.2\.bias$/,
    ],
    [
      'a tensor under another name',
      (d) =>
        editHeader(join(d, 'model.safetensors'), (header) => {
          header['model.embed_tokens.weight'] = header[kEmbedding];
          delete header[kEmbedding];
        }),
      /CORRUPT: .*missing \(1\): language_model\.model\.embed_tokens\.weight; unknown \(1\): model\.embed_tokens\.weight/,
    ],
  ])('%s', async (_, damage, message) => {
    const directory = await folder.tiny();
    damage(directory);
    expect(await refusal(inspectCheckpoint(directory, { checkValues: true }))).toMatch(message);
  });

  it.each<[string, (directory: string, files: string[]) => void, RegExp]>([
    [
      'an index that names a shard that is not there',
      (d, [, second]) => rmSync(join(d, second)),
      /CORRUPT: .*names the shard "model-00002-of-00003\.safetensors" for \d+ tensors, but there is no such file/,
    ],
    [
      'an index that names a tensor in the wrong shard',
      (d, [first, , last]) =>
        editJson(join(d, kIndex), (index) => {
          expect(index.weight_map[kEmbedding]).toBe(first);
          index.weight_map[kEmbedding] = last;
        }),
      /CORRUPT: .*does not fit the shard "model-00001.*not listed for it \(1\): language_model\.model\.embed_tokens\.weight/,
    ],
    [
      'an index that names a tensor that no shard has',
      (d, [first]) =>
        editJson(join(d, kIndex), (index) => {
          index.weight_map['language_model.extra'] = first;
        }),
      /CORRUPT: .*not in it \(1\): language_model\.extra/,
    ],
    [
      'an index that leaves a tensor out',
      (d) =>
        editJson(join(d, kIndex), (index) => {
          delete index.weight_map[kEmbedding];
        }),
      /CORRUPT: .*in it, but not listed for it \(1\)/,
    ],
    [
      'a way out of the folder',
      (d, [first]) => {
        copyFileSync(join(d, first), join(dirname(d), first));
        editJson(join(d, kIndex), (index) => {
          index.weight_map[kEmbedding] = `../${first}`;
        });
      },
      /CORRUPT: .*"\.\.\/model-00001-of-00003\.safetensors", expected a file of its own folder/,
    ],
    [
      'a shard cut off',
      (d, [, , last]) => truncateSync(join(d, last), 5000),
      /CORRUPT: .*model-00003-of-00003\.safetensors: /,
    ],
    [
      'the shard of another model',
      (d, [first, second]) => copyFileSync(join(d, first), join(d, second)),
      /CORRUPT: .*does not fit the shard "model-00002/,
    ],
    ['an empty index', (d) => writeFileSync(join(d, kIndex), '{}'), /CORRUPT: .*no weight_map/],
  ])('%s', async (_, damage, message) => {
    const directory = await folder.tiny({ shards: 3 });
    damage(directory, weightFiles(directory));
    expect(await refusal(inspectCheckpoint(directory))).toMatch(message);
  });

  it('a wrong total only warns', async () => {
    const directory = await folder.tiny({ shards: 2 });
    editJson(join(directory, kIndex), (index) => {
      index.metadata.total_size += 1;
    });
    expect((await inspectCheckpoint(directory)).warnings.join()).toMatch(
      /says that all tensors have \d+ bytes, they have \d+/,
    );
  });

  it.each([
    ['bf16', 2, [0xc0, 0x7f], 'NaN'],
    ['f16', 2, [0x00, 0xfc], 'minus infinite'],
    ['f32', 4, [0x00, 0x00, 0x80, 0x7f], 'infinite'],
  ] as const)(
    'a weight of %s that is not finite, when asked to look',
    async (dtype, size, bytes, text) => {
      const directory = await folder.tiny({ dtype, shards: 2 });
      const name = 'aligner.layers.0.weight';
      const found = await inspectCheckpoint(directory, { checkValues: true });
      const path = join(directory, found.tensors.find((tensor) => tensor.name === name)!.file);
      const { header, data } = takeApart(path);
      data.set(bytes, header[name].data_offsets[0] + 21 * size);
      // The pooling head is never read, so nobody minds what is in it.
      const pooling = header['vision_model.vision_tower.attn_pool.latent'];
      if (pooling) data.set(bytes, pooling.data_offsets[0]);
      putTogether(path, header, data);
      expect(await refusal(inspectCheckpoint(directory))).toBe('accepted');
      expect(await refusal(inspectCheckpoint(directory, { checkValues: true }))).toBe(
        `ERR_CHECKPOINT_CORRUPT: tensor ${name}: value 21, [2, 5], is ${text}`,
      );
      data.fill(0, header[name].data_offsets[0], header[name].data_offsets[1]);
      putTogether(path, header, data);
      expect(await refusal(inspectCheckpoint(directory, { checkValues: true }))).toBe('accepted');
    },
  );

  it('wrong arguments', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: what no type allows.
    const any = (value: unknown) => value as any;
    expect(await refusal(inspectCheckpoint(any(undefined)))).toMatch(/^ERR_ARGUMENT: directory/);
    expect(await refusal(inspectCheckpoint(''))).toMatch(/^ERR_ARGUMENT: directory/);
    expect(await refusal(inspectCheckpoint('.', { checkValues: any(1) }))).toMatch(
      /^ERR_ARGUMENT: checkValues/,
    );
    const addon = native();
    expect(() => addon.createCheckpointReader(any(1))).toThrow(/directory: expected a string/);
    const reader = addon.createCheckpointReader('/nowhere');
    expect(() => addon.inspectCheckpoint(reader, any({}), false)).toThrow(/shape\.vocab/);
    expect(() => addon.inspectCheckpoint(any({}), any({}), false)).toThrow(/checkpoint reader/);
    await addon.closeCheckpointReader(reader);
    expect(() => addon.checkpointValues(reader, 'a', 0, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_CLOSED' }),
    );
  });
});

describe('files that are damaged anywhere', () => {
  const kCodes = /^(accepted|ERR_(CHECKPOINT_CORRUPT|CHECKPOINT_NOT_FOUND|CONFIG): )/;
  const kSeconds = Number(process.env.WAM_FUZZ_SECONDS ?? 0);
  /** In CI a fixed seed and `runs`; with WAM_FUZZ_SECONDS as many as fit. */
  const length = (runs: number, seed: number): fc.Parameters<unknown> =>
    kSeconds === 0
      ? { numRuns: runs, seed }
      : {
          numRuns: Number.MAX_SAFE_INTEGER,
          interruptAfterTimeLimit: kSeconds * 1000,
          markInterruptAsFailure: false,
        };
  const kTimeoutMs = 60_000 + kSeconds * 1000;

  let directory: string;
  beforeAll(async () => {
    directory = await folder.tiny({ shards: 2, sizes: { layers: 1, visionLayers: 1 } });
  });

  /** What becomes of the directory while one of its files has other content. */
  async function withContent(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(directory, name);
    const before = readFileSync(path);
    writeFileSync(path, content);
    try {
      return await refusal(inspectCheckpoint(directory, { checkValues: true }));
    } finally {
      writeFileSync(path, before);
    }
  }

  it('a small header cut off at every byte', async () => {
    const tiny = join(folder.root, 'cut');
    mkdirSync(tiny);
    const path = join(tiny, 'model.safetensors');
    putTogether(path, '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} ', Buffer.alloc(8));
    const whole = readFileSync(path);
    expect(await readCheckpointValues(tiny, 'a')).toEqual(new Float32Array(2));
    for (let size = 0; size < whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size));
      expect(await refusal(readCheckpointValues(tiny, 'a'))).toMatch(/^ERR_CHECKPOINT_CORRUPT/);
    }
  });

  it(
    'bytes that are changed, removed and added',
    async () => {
      const names = [...weightFiles(directory), kIndex, 'config.json'];
      const contents = names.map((name) => readFileSync(join(directory, name)));
      // Most of a weight file is data, where every byte is as good as another; damage is to hit headers.
      const parts = contents.map((bytes, i) => bytes.subarray(0, i < 2 ? 6000 : bytes.length));
      let refused = 0;
      const cases = fc
        .nat(names.length - 1)
        .chain((i) => fc.tuple(fc.constant(i), splice(parts[i].length)));
      await fc.assert(
        fc.asyncProperty(cases, async ([i, change]) => {
          const rest = contents[i].subarray(parts[i].length);
          const content = Buffer.concat([spliced(parts[i], change), rest]);
          const outcome = await withContent(names[i], content);
          expect(outcome).toMatch(kCodes);
          expect(outcome.length).toBeLessThan(6000);
          refused += Number(outcome !== 'accepted');
        }),
        length(300, 7),
      );
      expect(refused).toBeGreaterThan(0);
    },
    kTimeoutMs,
  );

  it(
    'JSON that says something else',
    async () => {
      const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'));
      const index = JSON.parse(readFileSync(join(directory, kIndex), 'utf8'));
      const [first] = weightFiles(directory);
      const { header, data } = takeApart(join(directory, first));
      const changes = fc.array(mutation, { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('config', 'index', 'header'),
          changes,
          async (of, list) => {
            const value = structuredClone({ config, index, header }[of]);
            for (const change of list) mutate(value, change);
            const name = { config: 'config.json', index: kIndex, header: first }[of];
            const text = Buffer.from(JSON.stringify(value) ?? '');
            const size = Buffer.alloc(8);
            size.writeBigUInt64LE(BigInt(text.length));
            const content = of === 'header' ? Buffer.concat([size, text, data]) : text;
            expect(await withContent(name, content)).toMatch(kCodes);
          },
        ),
        length(300, 11),
      );
    },
    kTimeoutMs,
  );
});

describe('a call', () => {
  it('leaves no thread behind, many at once', async () => {
    const directory = await folder.tiny({ shards: 3 });
    const before = native().counters();
    const all = await Promise.all(
      Array.from({ length: 12 }, () => inspectCheckpoint(directory, { checkValues: true })),
    );
    expect(all.every(({ tensors }) => tensors.length === all[0].tensors.length)).toBe(true);
    await refusal(inspectCheckpoint(folder.root));
    expect(native().counters()).toEqual(before);
  });

  it('can be stopped', async () => {
    const directory = await folder.tiny({ sizes: { vocab: 200_000, hidden: 64 } });
    const reason = new Error('enough');
    await expect(inspectCheckpoint(directory, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const controller = new AbortController();
    const running = inspectCheckpoint(directory, {
      checkValues: true,
      signal: controller.signal,
    }).then(
      () => 'done',
      (error) => error,
    );
    setTimeout(() => controller.abort(reason), 5);
    expect([reason, 'done']).toContain(await running);
  });
});
