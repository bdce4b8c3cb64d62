// Everything that can be wrong with what a vision-language model is given, through the calls that a user makes: a
// directory (loadModel, VlaPlanner.load), pictures and words (readImage, scenePrompt, plan), and the command line. Each
// has its own error, and none takes memory that the input only claims to need.

import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { inspectCommand } from '../lib/cli/inspect.js';
import { runCli } from '../lib/cli/run.js';
import { seeCommand } from '../lib/cli/see.js';
import {
  loadModel,
  readImage,
  scenePrompt,
  TextTokenizer,
  VlaPlanner,
  WamFlowError,
} from '../lib/index.js';
import { runChild } from './support/child.js';
import {
  editHeader,
  editJson,
  JanusFolder,
  takeApart,
  weightFiles,
} from './support/janus-folder.js';

const kIndex = 'model.safetensors.index.json';
const kTable = 'language_model.model.embed_tokens.weight';
const options = { device: 'cpu', maxTokens: 256 } as const;
const models = new JanusFolder();
const folder = mkdtempSync(join(tmpdir(), 'wam-bad-input-'));
const large = join(folder, 'large.jpg');
const small = join(folder, 'small.jpg');
let good: string;
let planner: VlaPlanner;

beforeAll(async () => {
  good = await models.withTokenizer({ dtype: 'f32' });
  planner = await VlaPlanner.load(good, options);
  const flat = { width: 10_000, height: 10_000, background: { r: 40, g: 90, b: 140 } };
  await sharp({ create: { ...flat, channels: 3 } })
    .jpeg()
    .toFile(large);
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 40 };
  const grainy = { width: 160, height: 90, background: flat.background, noise };
  await sharp({ create: { ...grainy, channels: 3 } })
    .jpeg()
    .toFile(small);
});
afterAll(async () => {
  await planner?.close();
  models.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** `CODE: message` of what a promise rejects with; only errors of the package have a code. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WamFlowError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

/** Runs a command as the program does: exit code and what it says. */
async function cli(...args: string[]): Promise<{ code: number; stderr: string; stdout: string }> {
  const program = new Command('wam-flow').addCommand(seeCommand()).addCommand(inspectCommand());
  const said = { stderr: '', stdout: '' };
  const spies = (['stderr', 'stdout'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += text;
      return true;
    }),
  );
  const before = process.exitCode;
  const listeners = [process.stdout, process.stderr].map((stream) => stream.listeners('error'));
  try {
    await runCli(program.exitOverride(), ['node', 'wam-flow', ...args]);
    return { code: Number(process.exitCode ?? 0), ...said };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
    // A program runs once; here those that it added would pile up.
    for (const [i, stream] of [process.stdout, process.stderr].entries()) {
      stream.removeAllListeners('error');
      for (const listener of listeners[i]!) stream.on('error', listener as () => void);
    }
  }
}

const page = join(folder, 'page.html');

describe('a directory', () => {
  /** Shards of a model whose tokenizer is right; the damage is done to a copy. */
  const damages: [string, (directory: string, files: string[]) => void, RegExp][] = [
    [
      'a truncated shard',
      (d, [, second]) => truncateSync(join(d, second!), 2_000),
      /^ERR_CHECKPOINT_CORRUPT: .*model-00002-of-00003\.safetensors: /,
    ],
    [
      'a shard without its last byte',
      (d, [first]) => truncateSync(join(d, first!), readFileSync(join(d, first!)).length - 1),
      /^ERR_CHECKPOINT_CORRUPT: .*model-00001-of-00003\.safetensors: .*cut off/,
    ],
    [
      'an empty shard',
      (d, [, , last]) => truncateSync(join(d, last!), 0),
      /^ERR_CHECKPOINT_CORRUPT: .*model-00003-of-00003\.safetensors: .*0 bytes/,
    ],
    [
      'a shard that is not there',
      (d, [, second]) => rmSync(join(d, second!)),
      /^ERR_CHECKPOINT_CORRUPT: .*"model-00002-of-00003\.safetensors".*no such file/,
    ],
    [
      'a dtype that no engine reads',
      (d, [first]) =>
        editHeader(join(d, first!), (header) => {
          header[kTable]!.dtype = 'F8_E5M2';
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*embed_tokens\.weight" has dtype "F8_E5M2", expected one of F32, BF16, F16/,
    ],
    [
      'integers where weights should be',
      (d, [first]) =>
        editHeader(join(d, first!), (header) => {
          const [rows, width] = header[kTable]!.shape as [number, number];
          header[kTable] = { ...header[kTable]!, dtype: 'U8', shape: [rows, width * 2] };
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*embed_tokens\.weight is U8 \[\d+, 32\], expected floats/,
    ],
    [
      'a dtype of another size than the data',
      (d, [first]) =>
        editHeader(join(d, first!), (header) => {
          header[kTable]!.dtype = 'F32';
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*F32 \[\d+, 16\] needs \d+ bytes/,
    ],
    [
      'an index that puts a tensor into the wrong shard',
      (d, [, , last]) =>
        editJson(join(d, kIndex), (index) => {
          index.weight_map[kTable] = last;
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*does not fit the shard.*embed_tokens/,
    ],
    [
      'an index that names a tensor that is not there',
      (d, [first]) =>
        editJson(join(d, kIndex), (index) => {
          index.weight_map['language_model.more'] = first;
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*not in it \(1\): language_model\.more/,
    ],
    [
      'an index that points out of the folder',
      (d, [first]) => {
        copyFileSync(join(d, first!), join(models.root, first!));
        editJson(join(d, kIndex), (index) => {
          index.weight_map[kTable] = `../${first}`;
        });
      },
      /^ERR_CHECKPOINT_CORRUPT: .*expected a file of its own folder/,
    ],
    [
      'an index that is no JSON',
      (d) => writeFileSync(join(d, kIndex), '{"weight_map": {'),
      /^ERR_CHECKPOINT_CORRUPT: .*index\.json/,
    ],
    [
      'a header longer than any file',
      (d, [first]) => {
        const bytes = readFileSync(join(d, first!));
        bytes.writeBigUInt64LE(2n ** 62n);
        writeFileSync(join(d, first!), bytes);
      },
      /^ERR_CHECKPOINT_CORRUPT: .*the header is said to have \d+ bytes/,
    ],
    [
      'a tensor of more values than can be counted',
      (d, [first]) =>
        editHeader(join(d, first!), (header) => {
          header[kTable]!.shape = [2 ** 40, 2 ** 40];
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*embed_tokens/,
    ],
    [
      'a configuration with other sizes',
      (d) =>
        editJson(join(d, 'config.json'), (config) => {
          config.language_config.hidden_size = 32;
          delete config.aligner_config.params.n_embed;
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*mis-shaped \(\d+\): /,
    ],
    [
      'a configuration of enormous sizes',
      (d) =>
        editJson(join(d, 'config.json'), (config) => {
          Object.assign(config.language_config, { num_hidden_layers: 512, hidden_size: 65_536 });
          delete config.aligner_config.params.n_embed;
        }),
      /^ERR_CHECKPOINT_CORRUPT: .*missing \(\d+\): .*mis-shaped \(\d+\): /,
    ],
    [
      'no configuration',
      (d) => rmSync(join(d, 'config.json')),
      /^ERR_CHECKPOINT_NOT_FOUND: .*config\.json/,
    ],
  ];
  test.each(damages)('with %s', async (_, damage, message) => {
    const directory = await models.withTokenizer({ shards: 3 });
    damage(directory, weightFiles(directory));
    expect(await refusal(loadModel(directory, options))).toMatch(message);
    expect(await refusal(VlaPlanner.load(directory, options))).toMatch(message);
    const { code, stderr } = await cli('see', small, '--model', directory, '--html', page);
    expect(code).toBe(1);
    expect(stderr.replace('wam-flow: ', '').trimEnd()).toMatch(message);
    expect((await cli('inspect', directory)).code).toBe(1);
    expect(existsSync(page)).toBe(false);
  });

  test('with NaN or infinity in any tensor that is used', async () => {
    const directory = await models.withTokenizer({ dtype: 'f32' });
    const path = join(directory, 'model.safetensors');
    const whole = readFileSync(path);
    const { header, data } = takeApart(path);
    const start = whole.length - data.length;
    const names = Object.keys(header).filter((name) => !/__metadata__|attn_pool/.test(name));
    expect(names.length).toBeGreaterThan(50);
    const missed: string[] = [];
    for (const [i, name] of names.entries()) {
      const bytes = Buffer.from(whole);
      const [begin, end] = header[name]!.data_offsets;
      // First, last, or one in between.
      const count = (end - begin) / 4;
      const at = [0, count - 1, Math.floor(count / 2)][i % 3]!;
      bytes.writeFloatLE([Number.NaN, Number.POSITIVE_INFINITY][i % 2]!, start + begin + 4 * at);
      writeFileSync(path, bytes);
      const said = await refusal(loadModel(directory, options));
      if (!said.startsWith('ERR_CHECKPOINT_CORRUPT: ') || !said.includes(name)) {
        missed.push(`${name}: ${said}`);
      }
    }
    expect(missed).toEqual([]);
    expect(await refusal(VlaPlanner.load(directory, options))).toMatch(/^ERR_CHECKPOINT_CORRUPT/);
    const { code, stderr } = await cli('inspect', directory, '--values');
    expect([code, stderr]).toEqual([1, expect.stringContaining('ERR_CHECKPOINT_CORRUPT')]);
  });

  test('without a tokenizer, or with one that is none', async () => {
    const directory = await models.tiny();
    const missing = /^ERR_TOKENIZER: .*expected a tokenizer\.json, found none/;
    expect(await refusal(VlaPlanner.load(directory, options))).toMatch(missing);
    expect(await refusal(TextTokenizer.load(directory))).toMatch(missing);
    const { code, stderr } = await cli('see', small, '--model', directory, '--html', page);
    expect([code, stderr]).toEqual([1, expect.stringContaining('ERR_TOKENIZER: ')]);
    await (await loadModel(directory, options)).close(); // weights alone need none
    for (const text of ['{', '[]', '{}', '{"model": {"type": "Unigram"}}']) {
      writeFileSync(join(directory, 'tokenizer.json'), text);
      expect(await refusal(VlaPlanner.load(directory, options))).toMatch(/^ERR_TOKENIZER: /);
    }
  });
});

describe('a picture', () => {
  test('of 100 megapixels', async () => {
    const message =
      /^ERR_IMAGE: .*large\.jpg: expected at most 50000000 pixels, received 10000 x 10000/;
    expect(await refusal(readImage(large))).toMatch(message);
    const { code, stderr } = await cli('see', large, '--html', page);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/ERR_IMAGE: .*50000000 pixels/)]);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut in the middle', (bytes) => bytes.subarray(0, bytes.length / 2)],
    ['cut after its header', (bytes) => bytes.subarray(0, 200)],
    ['of nothing but its first bytes', (bytes) => bytes.subarray(0, 3)],
    ['whose tables are zeros', (bytes) => Buffer.from(bytes).fill(0, 20, 400)],
    ['that is empty', () => Buffer.alloc(0)],
    ['that is text', () => Buffer.from('a picture of a road')],
  ])('%s', async (_, damage) => {
    const path = join(folder, 'damaged.jpg');
    writeFileSync(path, damage(readFileSync(small)));
    expect(await refusal(readImage(path))).toMatch(/^ERR_IMAGE: .*damaged\.jpg: /);
    const { code, stderr } = await cli('see', small, path, '--html', page, '--json');
    expect([code, stderr]).toEqual([1, expect.stringContaining('ERR_IMAGE: ')]);
    expect(existsSync(page)).toBe(false);
  });

  test('that is another size than its data says', async () => {
    const view = { images: [{ data: new Uint8Array(10), width: 9, height: 9 }], fields: {} };
    const wording = { user: '<image_placeholder>' };
    expect(await refusal(planner.prompt(wording, view))).toMatch(/^ERR_SHAPE: pixels\.data: /);
    const pixels = new Float32Array(7);
    const plan = planner.plan({ ids: [1, 2], pixels });
    expect(await refusal(plan)).toMatch(/^ERR_SHAPE: /);
  });

  test('with NaN among its values', async () => {
    const ids = new Int32Array(11).fill(3);
    const imageMask = ids.map((_, i) => (i > 0 && i < 10 ? 1 : 0));
    const pixels = new Float32Array(3 * 144);
    pixels[200] = Number.NaN;
    expect(await refusal(planner.plan({ ids, imageMask, pixels }))).toMatch(/^ERR_NOT_FINITE: /);
  });
});

describe('a prompt', () => {
  const fields = {};
  const wordsOf = (tokens: number) => 'turn left '.repeat(tokens / 2);

  test('of 10,000 tokens', async () => {
    const { tokenizer } = planner;
    expect(tokenizer!.encode(wordsOf(10_000)).length).toBeGreaterThan(9_999);
    const message = /^ERR_RANGE: prompt: expected at most 4096 tokens, received \d{5} /;
    const wording = { user: wordsOf(10_000) };
    const view = { images: [], fields };
    expect(await refusal(scenePrompt(tokenizer!, wording, view))).toMatch(message);
    expect(await refusal(planner.prompt(wording, view))).toMatch(message);
    const args = ['see', small, '--model', good, '--html', page];
    const { code, stderr } = await cli(
      ...args,
      '--prompt',
      `<image_placeholder>${wordsOf(10_000)}`,
    );
    expect([code, stderr]).toEqual([1, expect.stringMatching(/ERR_RANGE: prompt: .*4096 tokens/)]);
  });

  test('of 10,000 ids, and of more than the model was loaded for', async () => {
    for (const length of [10_000, 1_000]) {
      const message = new RegExp(`^ERR_RANGE: .*256.*${length + 33}`);
      expect(await refusal(planner.plan({ ids: new Int32Array(length).fill(3) }))).toMatch(message);
    }
    const view = { images: [], fields };
    const prompt = await planner.prompt({ user: wordsOf(1_000) }, view);
    expect(await refusal(planner.plan(prompt))).toMatch(/^ERR_RANGE: /);
  });

  test('of one endless word', async () => {
    const view = { images: [], fields };
    for (const length of [50_000, 5_000_000]) {
      const wording = { user: 'a'.repeat(length) };
      expect(await refusal(planner.prompt(wording, view))).toMatch(/^ERR_RANGE: prompt: /);
    }
  });

  test('whose ids no token has', async () => {
    for (const id of [-1, 1_000_000, 2 ** 31]) {
      expect(await refusal(planner.plan({ ids: [1, id] }))).toMatch(/^ERR_(RANGE|ARGUMENT): /);
    }
  });
});

// The peak is set back by nothing but a new process, and only Linux says what it is.
describe.skipIf(process.platform !== 'linux')('memory above what was there before', () => {
  async function measured(...args: string[]): Promise<{ result: unknown; rose: number }> {
    const { code, stdout, stderr } = await runChild('front-end-memory', args, ['--expose-gc']);
    expect([code, stderr]).toEqual([0, '']);
    const found = JSON.parse(stdout);
    console.log(`${args[0]} ${args[2] ?? ''}: ${(found.rose / 2 ** 20).toFixed(1)} MiB`);
    return found;
  }

  test('of a JPEG of 100 megapixels that is refused: next to nothing', async () => {
    const { result, rose } = await measured('image', large);
    expect(result).toMatchObject({ code: 'ERR_IMAGE' });
    expect(rose).toBeLessThan(8 * 2 ** 20);
  });

  test('of one that is allowed: at most 9 bytes a pixel, 4 MB beside', async () => {
    const { result, rose } = await measured('image', large, '100000000');
    expect(result).toBe('accepted');
    expect(rose).toBeLessThan(9e8 + 4e6);
  });

  test('of a prompt of 10,000 tokens, and of 10,000,000: a few megabytes', async () => {
    for (const tokens of ['10000', '10000000']) {
      const { result, rose } = await measured('prompt', good, tokens);
      expect(result).toMatchObject({ code: 'ERR_RANGE' });
      // A text of 100 MB itself is the caller's.
      expect(rose).toBeLessThan(40 * 2 ** 20 + 25 * Number(tokens));
    }
  });

  test('of 10,000 ids: a few megabytes', async () => {
    const { result, rose } = await measured('ids', good, '10000');
    expect(result).toMatchObject({ code: 'ERR_RANGE' });
    expect(rose).toBeLessThan(8 * 2 ** 20);
  });

  test('of a directory that claims to be enormous: next to nothing', async () => {
    const directory = await models.withTokenizer({ shards: 2 });
    editHeader(join(directory, weightFiles(directory)[0]!), (header) => {
      header[kTable]!.shape = [2 ** 30, 2 ** 10];
    });
    const { result, rose } = await measured('model', directory);
    expect(result).toMatchObject({ code: 'ERR_CHECKPOINT_CORRUPT' });
    expect(rose).toBeLessThan(20 * 2 ** 20);
  });
});
