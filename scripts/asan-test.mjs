#!/usr/bin/env node
// Builds the tests of the GPU code with the address sanitizer and runs them: the same kernels in the same harness, whose
// shared memory and device buffers are then plain allocations of exact size, and use after free is seen as well. Races
// and reads before writes are not: those are found by the ordinary build (`npm test`).

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileAll, unitOf } from './compile.mjs';
import { runTestsInParts, runToEnd } from './native-tests.mjs';
import { root } from './paths.mjs';
import { closingLine } from './totals.mjs';

const build = join(root, 'build-asan');
const lists = JSON.parse(readFileSync(join(root, 'native', 'sources.gypi'), 'utf8')).variables;

const sources = [
  ...[...lists.wam_simt_sources, ...lists.wam_cuda_sources],
  ...['native/test/main.cpp', ...lists.wam_gpu_test_sources, ...lists.wam_planted_sources],
];
const units = sources.map((source) =>
  unitOf(
    source,
    build,
    ({ object, depfile }) => [
      ...['g++', '-std=c++20', '-O1', '-g1', '-Inative', ...lists.wam_baseline_flags],
      ...['-fsanitize=address', '-fno-omit-frame-pointer'],
      // `#pragma unroll` is for nvcc.
      ...['-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-unknown-pragmas'],
      ...['-MMD', '-MF', depfile, '-c', source, '-o', object],
    ],
    process.arch,
  ),
);

function fail(message) {
  console.error(`asan: ${message}`);
  process.exit(1);
}

// The engine and the CPU backend, what results are compared with, as `npm test` has them: other tests look after them.
const release = join(root, 'build', 'Release');
const engine = ['wam_core.a', 'wam_avx2.a', 'wam_avx512.a'].map((name) => join(release, name));
const scripts = join(root, 'scripts');
const built = await runToEnd(process.execPath, [join(scripts, 'build-native.mjs'), '--tests']);
if (built.status !== 0) fail(built.output);

await compileAll(units).catch((error) => fail(error.message));
const program = join(build, 'wam_flow_gpu_tests');
const linked = await runToEnd('g++', [
  '-fsanitize=address',
  ...units.map(({ object }) => object),
  ...engine.filter(existsSync),
  ...['-o', program, '-pthread'],
]);
if (linked.status !== 0) fail(linked.output);

// Leaks are not looked for, and the check of containers takes those of uninstrumented files for overrun.
const ASAN_OPTIONS = 'detect_leaks=0:detect_container_overflow=0';
const total = await runTestsInParts(program, { ...process.env, ASAN_OPTIONS });
console.log(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
