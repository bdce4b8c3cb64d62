// What a model directory holds after a writer was killed: always one whole generation, never less than the last one
// that the writer had finished. The writers are child processes that die by SIGKILL.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsdown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WamFlowError } from '../lib/errors.js';
import {
  type ModelKind,
  readModelFiles,
  readTrainingFiles,
  writeModelFiles,
} from '../lib/model/checkpoint-files.js';

const kWindows = process.platform === 'win32';

/** A model of which every file tells its generation, and whose shape changes from one to the next. */
interface Config {
  generation: number;
}
const kKind: ModelKind<Config> = {
  parse: (value) => value as Config,
  layout: ({ generation }) => [{ name: 'w', shape: [100 + generation] }],
};

let folder: string;
let writer: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wam-checkpoint-kill-'));
  await build({
    config: false,
    entry: { files: 'lib/model/checkpoint-files.ts' },
    outDir: folder,
    format: 'esm',
    platform: 'node',
    dts: false,
    clean: false,
    logLevel: 'silent',
  });
  const bundle = readdirSync(folder).find((name) => name.startsWith('files.'));
  writer = join(folder, 'writer.mjs');
  writeFileSync(
    writer,
    `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const [directory, first, last, killAt] = process.argv.slice(2);
    // Every call that reaches the file system counts; the process dies just before call number killAt.
    let calls = 0;
    const counted = (target, name) => {
      const call = target[name];
      target[name] = function (...args) {
        if (++calls === Number(killAt)) process.kill(process.pid, 'SIGKILL');
        return call.apply(this, args);
      };
    };
    if (Number(killAt) > 0) {
      for (const name of ['open', 'rename', 'rm', 'rmdir', 'mkdir', 'readdir']) counted(fs.promises, name);
      const probe = await fs.promises.open(process.argv[1]);
      for (const name of ['write', 'sync', 'close']) counted(Object.getPrototypeOf(probe), name);
      calls = 0;
      syncBuiltinESMExports();
    }
    const { writeModelFiles } = await import('./${bundle}');
    for (let generation = Number(first); generation <= Number(last); generation++) {
      const data = new Float32Array(100 + generation).fill(generation);
      const tensors = [{ name: 'w', shape: [data.length], data }];
      const moments = [{ name: 'm', shape: [data.length], data }];
      const training = generation % 3 === 2 ? undefined : { tensors: moments, state: { generation } };
      await writeModelFiles(directory, { config: { generation }, tensors }, 'test', training);
      process.stdout.write(generation + '\\n');
    }
    `,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a writer; resolves to the last generation that it reported, and whether it was killed. */
async function write(
  directory: string,
  first: number,
  last: number,
  killAt: number,
  started?: (child: ChildProcess) => void,
): Promise<{ reported: number; killed: boolean }> {
  const args = [writer, directory, first, last, killAt].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout!.on('data', (text) => {
    output += text;
  });
  started?.(child);
  const killed = await new Promise<boolean>((resolve) => {
    child.on('close', (_code, signal) => resolve(signal === 'SIGKILL'));
  });
  return { reported: Number(output.trimEnd().split('\n').at(-1) || -1), killed };
}

/** Writes a generation in this process. */
async function writeHere(directory: string, generation: number): Promise<void> {
  const data = new Float32Array(100 + generation).fill(generation);
  const model = { config: { generation }, tensors: [{ name: 'w', shape: [data.length], data }] };
  const moments = [{ name: 'm', shape: [data.length], data }];
  const training = generation % 3 === 2 ? undefined : { tensors: moments, state: { generation } };
  await writeModelFiles(directory, model, 'test', training);
}

/** The one generation that all files of the directory agree on. */
async function generationOf(directory: string): Promise<number> {
  const { config, tensors } = await readModelFiles(directory, kKind);
  const { generation } = config;
  expect(tensors[0]?.data).toEqual(new Float32Array(100 + generation).fill(generation));
  const training = await readTrainingFiles(directory, kKind);
  if (generation % 3 === 2) {
    expect(training).toBeUndefined();
  } else {
    expect(training?.state).toEqual({ generation });
    expect(training?.tensors[0]?.data).toEqual(new Float32Array(100 + generation).fill(generation));
  }
  return generation;
}

describe.skipIf(kWindows)('a writer killed by SIGKILL', () => {
  // A first checkpoint; one that removes training files; one that adds them.
  it.each([
    ['none', undefined, 1],
    ['a set with training files', 1, 2],
    ['a set without', 2, 3],
  ])(
    'before each single file operation, after %s, leaves the old or the new set',
    async (_, old, next) => {
      const outcomes = new Set<string>();
      for (let killAt = 1; ; killAt++) {
        const directory = join(folder, `op-${next}-${killAt}`);
        if (old !== undefined) await writeHere(directory, old);
        const { killed } = await write(directory, next, next, killAt);
        const found = await generationOf(directory).catch((error: WamFlowError) => error.code);
        const before = old ?? 'ERR_CHECKPOINT_NOT_FOUND';
        if (killed) {
          expect([before, next]).toContain(found);
          outcomes.add(found === before ? 'old' : 'new');
        } else {
          expect(found).toBe(next);
          expect(killAt).toBeGreaterThan(15);
          break;
        }
        // What the dead one left lying must not stop the next one.
        await writeHere(directory, 8);
        expect(await generationOf(directory)).toBe(8);
        expect(readdirSync(directory).sort()).toEqual(['config.json', 'model.safetensors']);
      }
      expect([...outcomes].sort()).toEqual(['new', 'old']);
    },
  );

  it('at any moment of a run never loses a generation that was finished', async () => {
    const directory = join(folder, 'run');
    let least = 0;
    for (let round = 0; round < 15; round++) {
      const { reported } = await write(directory, least, least + 100_000, 0, (child) => {
        child.stdout!.once('data', () => setTimeout(() => child.kill('SIGKILL'), 7 * round));
      });
      const found = await generationOf(directory);
      expect(found).toBeGreaterThanOrEqual(reported);
      expect(found).toBeLessThanOrEqual(reported + 1);
      least = found + 1;
    }
    expect(least).toBeGreaterThan(15);
  });
});

describe('readers beside a writer', () => {
  it('always see one whole generation', async () => {
    const directory = join(folder, 'beside');
    let child: ChildProcess | undefined;
    const done = write(directory, 0, 60, 0, (started) => {
      child = started;
    });
    await new Promise((resolve) => child!.stdout!.once('data', resolve));
    let last = 0;
    while (child!.exitCode === null) {
      const { config, tensors } = await readModelFiles(directory, kKind);
      expect(tensors[0]?.data).toEqual(
        new Float32Array(100 + config.generation).fill(config.generation),
      );
      expect(config.generation).toBeGreaterThanOrEqual(last);
      last = config.generation;
    }
    expect((await done).reported).toBe(60);
    expect(await generationOf(directory)).toBe(60);
  });

  it('two writers at once leave the whole set of one of them', async () => {
    const directory = join(folder, 'two');
    await Promise.all([write(directory, 0, 30, 0), write(directory, 31, 61, 0)]);
    expect([30, 61]).toContain(await generationOf(directory));
    expect(readFileSync(join(directory, 'config.json'), 'utf8')).toContain('generation');
  });
});
