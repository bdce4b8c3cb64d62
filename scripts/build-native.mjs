#!/usr/bin/env node
// Builds the CPU addon with node-gyp into build/Release, only what has changed. In this repository it is
// `npm run build:native`; for users on a platform without a prebuilt addon it is `npx wam-flow-build`.
//
//   --tests    the native test programs too (float and double)
//   --clean    from nothing

import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './paths.mjs';

const node = realpathSync(process.execPath);

/** The copy in node_modules, else the one that npm carries: a user's install has no node-gyp of its own. */
function findNodeGyp() {
  const candidates = [process.env.npm_config_node_gyp];
  try {
    const manifest = createRequire(import.meta.url).resolve('node-gyp/package.json');
    candidates.unshift(join(dirname(manifest), 'bin', 'node-gyp.js'));
  } catch {
    // not installed here
  }
  const npm = ['node_modules', 'npm', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'];
  candidates.push(join(dirname(node), '..', 'lib', ...npm), join(dirname(node), ...npm));
  return candidates.find((path) => path && existsSync(path));
}

const nodeGyp = findNodeGyp();
if (!nodeGyp) {
  console.error(
    'wam-flow: node-gyp was not found. Install it beside wam-flow: npm install node-gyp',
  );
  process.exit(1);
}

const options = process.argv.slice(2);
const unknown = options.find((option) => !['--tests', '--clean'].includes(option));
if (unknown) {
  console.error(`wam-flow: unknown option ${unknown}; there are --tests and --clean`);
  process.exit(2);
}

const headers = join(dirname(node), '..');
const hasHeaders = existsSync(join(headers, 'include', 'node', 'node_api.h'));
const run = spawnSync(
  process.execPath,
  [
    nodeGyp,
    ...(options.includes('--clean') ? ['clean'] : []),
    'configure',
    'build',
    `--jobs=${availableParallelism()}`,
    '--loglevel=warn',
    '--release',
    // node-gyp downloads headers unless it is told where they lie; most installs of Node bring them.
    ...(hasHeaders && !process.env.npm_config_nodedir ? [`--nodedir=${headers}`] : []),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, GYP_DEFINES: `wam_tests=${options.includes('--tests') ? 1 : 0}` },
  },
);
if (run.error) throw run.error;
if (run.status !== 0) {
  console.error('wam-flow: the native build failed; it needs g++ 12 or newer, make and python3');
}
process.exit(run.status ?? 1);
