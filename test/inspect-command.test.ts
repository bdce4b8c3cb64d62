import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle } from './support/bundle.js';
import { JanusFolder } from './support/janus-folder.js';

const folder = new JanusFolder();
let cli: Awaited<ReturnType<typeof bundle>>;
let directory: string;
beforeAll(async () => {
  cli = await bundle('lib/cli/main.ts');
  directory = await folder.tiny({ shards: 2, generation: true });
});
afterAll(() => {
  cli.remove();
  folder.remove();
});

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli.path, 'inspect', ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

test('prints sizes, parts, files and what is odd', async () => {
  const { code, stdout, stderr } = await run(directory, '--values');
  expect(code).toBe(0);
  expect(stdout).toContain('3 layers of 16, 4 heads (2 of keys), MLP 24, 90 tokens');
  expect(stdout).toContain('siglip_custom: 2 blocks of 8');
  expect(stdout).toMatch(/^language +\d+ +[\d,]+ +[\d.]+ {2}BF16$/m);
  expect(stdout).toMatch(/^generation /m);
  expect(stdout).toContain('model-00002-of-00002.safetensors: ');
  expect(stdout).toContain('Names, shapes and values');
  expect(stdout).not.toContain('embed_tokens');
  expect(stderr).toContain('no tokenizer.json');
});

test('lists tensors when asked', async () => {
  const { stdout } = await run(directory, '--tensors');
  expect(stdout).toMatch(/embed_tokens\.weight +BF16 +\[90, 16\] +model-00001-of-00002/);
});

test('gives everything as JSON', async () => {
  const { code, stdout } = await run(directory, '--json');
  expect(code).toBe(0);
  const found = JSON.parse(stdout);
  expect(found).toMatchObject({
    directory,
    valuesChecked: false,
    config: { language: { vocab_size: 90, head_dim: 4 } },
    companions: { 'tokenizer.json': null },
  });
  const sum = (field: 'parameters' | 'bytes' | 'tensors') =>
    (Object.values(found.parts) as Record<string, number>[]).reduce(
      (n, part) => n + part[field],
      0,
    );
  expect(sum('parameters')).toBe(found.parameters);
  expect(sum('bytes')).toBe(found.bytes);
  expect(sum('tensors')).toBe(found.tensors.length);
});

test('fails with the reason', async () => {
  const broken = await folder.tiny();
  rmSync(join(broken, 'model.safetensors'));
  writeFileSync(join(broken, 'pytorch_model.bin'), '');
  const { code, stdout, stderr } = await run(broken);
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^wam-flow: ERR_CHECKPOINT_NOT_FOUND: .*pickled/);
  const json = await run(broken, '--json');
  expect(JSON.parse(json.stdout).error.code).toBe('ERR_CHECKPOINT_NOT_FOUND');
  expect((await run()).code).toBe(2);
});
