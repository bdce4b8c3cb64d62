#!/usr/bin/env node
// Builds the addon a second way, by cmake-js, and checks that it plans exactly as the one built by node-gyp does: both
// read the same list of sources and flags, and this notices when they come apart. Where nvcc is found the CUDA code is built
// too, as PTX of one architecture: the assembler is what takes long, and `npm run kernels:build` runs it for all.

import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Checks, expect, run } from './checks.mjs';
import { findToolkit } from './cuda-toolkit.mjs';
import { root } from './paths.mjs';

const checks = new Checks();
const smoke = join(root, 'test', 'consumer', 'smoke.mjs');
const cuda = findToolkit() !== undefined;
const how = cuda
  ? ['--CDWAM_CUDA=ON', '--CDCMAKE_CUDA_ARCHITECTURES=80-virtual']
  : ['--CDWAM_CUDA=OFF'];

const built = checks.check(`cmake-js builds the addon, ${cuda ? 'with' : 'without'} CUDA`, () => {
  const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/package.json');
  run(
    process.execPath,
    [
      join(dirname(cmakeJs), 'bin', 'cmake-js'),
      ...['compile', '-O', 'build-cmake', '-p', String(availableParallelism()), ...how],
    ],
    { cwd: root },
  );
});

if (built) {
  checks.check('it plans as the one from node-gyp does, digit for digit', () => {
    // node-gyp-build looks below WAM_FLOW_PREBUILD as it would in the package.
    const stage = join(root, 'out', 'cmake');
    const addon = join(stage, 'build', 'Release', 'wam_flow.node');
    mkdirSync(dirname(addon), { recursive: true });
    copyFileSync(join(root, 'build-cmake', 'Release', 'wam_flow.node'), addon);
    const plans = (env) => run(process.execPath, [smoke], { cwd: root, env }).stdout;
    const byCmake = plans({ ...process.env, WAM_FLOW_PREBUILD: stage });
    const byGyp = plans(process.env);
    expect(byCmake === byGyp, `the plans differ:\n${byCmake}\n${byGyp}`);
    return `${byGyp.trim().split('\n').length} plans`;
  });
}
checks.close();
