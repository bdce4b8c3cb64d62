// Child processes need JavaScript; this makes it from the sources, so that a test never runs a stale build.

import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsdown';
import { inlineBrowser } from '../../scripts/inline-browser.mjs';

const kRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Bundles a source file, relative to the repository, into `node_modules/.cache`. Call `remove` at the end. */
export async function bundle(source: string): Promise<{ path: string; remove: () => void }> {
  const name = basename(source, '.ts');
  // Inside the package: the addon is found by the package.json above the file.
  const outDir = join(kRoot, 'node_modules/.cache/wam-flow-test', `${process.pid}`, name);
  await build({
    config: false,
    cwd: kRoot,
    entry: { [name]: source },
    outDir,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    shims: true,
    outExtensions: () => ({ js: '.mjs' }),
    dts: false,
    plugins: [inlineBrowser()],
    logLevel: 'silent',
  });
  return {
    path: join(outDir, `${name}.mjs`),
    remove: () => rmSync(dirname(outDir), { recursive: true, force: true }),
  };
}
