import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
let copy: string;

/** The built package without any addon. */
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'wam-flow-'));
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** What `Planner.load` fails with in the copy. */
function loadFailure(): { code: string; message: string } {
  const code = `
    const { Planner } = await import(${JSON.stringify(pathToFileURL(join(copy, 'dist', 'index.js')).href)});
    const error = await Planner.load('mini').catch((e) => e);
    console.log(JSON.stringify({ code: error.code, message: error.message }));`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout);
}

test('importing works without an addon; the first use says what to do', () => {
  const { code, message } = loadFailure();
  expect(code).toBe('ERR_NATIVE_MISSING');
  expect(message).toContain(`on ${process.platform}-${process.arch}`);
  expect(message).toContain('No native build was found');
  expect(message).toContain('npx wam-flow-build');
});

test('an addon that does not load is named with its own error, and so is the next one', () => {
  const prebuilds = join(copy, 'prebuilds', `${process.platform}-${process.arch}`);
  for (const folder of [join(copy, 'build', 'Release'), prebuilds]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'wam-flow.glibc.node'), 'not a library');
  }
  const { code, message } = loadFailure();
  expect(code).toBe('ERR_NATIVE_MISSING');
  expect(message).toContain(join(copy, 'build', 'Release', 'wam-flow.glibc.node'));
  expect(message).toContain(join(prebuilds, 'wam-flow.glibc.node'));
  expect(message).toContain('npx wam-flow-build');
});
