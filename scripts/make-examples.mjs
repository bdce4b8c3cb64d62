#!/usr/bin/env node
// Drives the example scenes and writes them to examples/. The same sources give the same files; test/examples.test.ts
// fails when they differ from what is committed.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createViteServer } from 'vitest/node';
import { root } from './paths.mjs';

// The generator is TypeScript and not part of the built package: vite loads it as it loads the tests.
const server = await createViteServer({
  root,
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null },
});
try {
  const { exampleFiles } = await server.ssrLoadModule('/lib/generate/examples/examples.ts');
  const folder = join(root, 'examples');
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of await exampleFiles()) {
    writeFileSync(join(folder, name), bytes);
    console.log(`examples/${name}  ${bytes.length} bytes`);
  }
} finally {
  await server.close();
}
