#!/usr/bin/env node
// Formats what git tracks or would track: TypeScript and JSON by biome, C++ by clang-format.
//
//   --check    changes nothing, fails if something would change

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './paths.mjs';

const require = createRequire(import.meta.url);
const { clangFormatPath } = require('clang-format-node');
const biome = require.resolve('@biomejs/biome/bin/biome');
const check = process.argv.includes('--check');

function run(command, args, stdio = 'inherit') {
  const result = spawnSync(command, args, { cwd: root, stdio, encoding: 'utf8' });
  if (result.error) throw result.error;
  return result;
}

const listed = run(
  'git',
  [
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
    '*.cpp',
    '*.h',
    '*.inl',
    '*.cu',
    '*.cuh',
  ],
  'pipe',
);
// Git still lists a file that was deleted and not yet committed.
const native = listed.stdout.split('\0').filter((file) => file && existsSync(join(root, file)));

const results = [run(process.execPath, [biome, 'format', ...(check ? [] : ['--write'])])];
if (native.length > 0) {
  results.push(run(clangFormatPath, [...(check ? ['--dry-run', '--Werror'] : ['-i']), ...native]));
}
process.exit(results.every((result) => result.status === 0) ? 0 : 1);
