#!/usr/bin/env node
// Builds the addon with node-gyp into build/Release, only what has changed. In this repository it is
// `npm run build:native`; for users on a platform without a prebuilt addon it is `npx wam-flow-build`.
//
//   --tests        the native test programs too, and the harness that runs kernels without a GPU (`device: 'simt'`)
//   --bench        the timing program of `npm run bench` too (--tests builds it as well)
//   --cuda         with CUDA code for every GPU, which scripts/build-kernels.mjs compiles first; it needs nvcc
//   --cuda=auto    so if nvcc is found, else for the CPU alone with a note
//   --clean        from nothing

import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { findToolkit } from './cuda-toolkit.mjs';
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
const known = ['--tests', '--bench', '--clean', '--cuda', '--cuda=auto'];
const unknown = options.find((option) => !known.includes(option));
if (unknown) {
  console.error(`wam-flow: unknown option ${unknown}; there are ${known.join(', ')}`);
  process.exit(2);
}

function wantsCuda() {
  if (options.includes('--cuda')) return true;
  if (!options.includes('--cuda=auto')) return false;
  if (findToolkit()) return true;
  console.log('wam-flow: nvcc was not found, so the addon is built for the CPU alone');
  return false;
}

/** The addon is linked anew when the kernels are newer: make knows the library by name only. */
function buildKernels() {
  const kernels = spawnSync(process.execPath, [join(root, 'scripts', 'build-kernels.mjs')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (kernels.status !== 0) process.exit(kernels.status ?? 1);
  const library = statSync(join(root, 'build-cuda', 'libwam_cuda.a')).mtimeMs;
  for (const folder of ['', 'obj.target']) {
    const addon = join(root, 'build', 'Release', folder, 'wam_flow.node');
    if (existsSync(addon) && statSync(addon).mtimeMs < library) rmSync(addon);
  }
}

const cuda = wantsCuda();
if (cuda) buildKernels();
const defines = {
  wam_tests: options.includes('--tests') ? 1 : 0,
  wam_bench: options.includes('--bench') ? 1 : 0,
  wam_cuda: cuda ? 1 : 0,
};

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
    env: {
      ...process.env,
      GYP_DEFINES: Object.entries(defines)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
    },
  },
);
if (run.error) throw run.error;
if (run.status !== 0) {
  console.error('wam-flow: the native build failed; it needs g++ 12 or newer, make and python3');
}
process.exit(run.status ?? 1);
