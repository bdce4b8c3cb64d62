#!/usr/bin/env node
// Builds the tests of the GPU code with the address sanitizer and runs them: the same kernels in the same harness, whose
// shared memory and device buffers are then plain allocations of exact size, and use after free is seen as well. Races
// and reads before writes are not: those are found by the ordinary build (`npm test`).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileAll, unitOf } from './compile.mjs';
import { runTestsInParts, runToEnd } from './native-tests.mjs';
import { root } from './paths.mjs';
import { closingLine } from './totals.mjs';

const build = join(root, 'build-asan');
const lists = JSON.parse(readFileSync(join(root, 'native', 'sources.gypi'), 'utf8')).variables;
const x64 = process.arch === 'x64';

const common = [
  ...['g++', '-std=c++20', '-O1', '-g', '-Inative', '-MMD', ...lists.wam_baseline_flags],
  // `#pragma unroll` is for nvcc.
  ...['-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-unknown-pragmas'],
];
const sanitizer = ['-fsanitize=address', '-fno-omit-frame-pointer'];

const kinds = [
  // The CPU backend is what results are compared with; other tests look after it.
  { sources: lists.wam_core_sources.filter((file) => /\/(core|cpu|flow)\//.test(file)), flags: [] },
  { sources: x64 ? lists.wam_avx2_sources : [], flags: lists.wam_avx2_flags },
  { sources: x64 ? lists.wam_avx512_sources : [], flags: lists.wam_avx512_flags },
  {
    sources: [
      ...[...lists.wam_simt_sources, ...lists.wam_cuda_sources],
      ...['native/test/main.cpp', ...lists.wam_gpu_test_sources, ...lists.wam_planted_sources],
    ],
    flags: sanitizer,
  },
];
const units = kinds.flatMap(({ sources, flags }) =>
  sources.map((source) =>
    unitOf(
      source,
      // Folders as of the sources: two may have a file of one name.
      join(build, source.split('/').slice(1, -1).join('-')),
      ({ object, depfile }) => [...common, ...flags, '-MF', depfile, '-c', source, '-o', object],
      process.arch,
    ),
  ),
);

function fail(message) {
  console.error(`asan: ${message}`);
  process.exit(1);
}

await compileAll(units).catch((error) => fail(error.message));
const program = join(build, 'wam_flow_gpu_tests');
const objects = units.map(({ object }) => object);
const linked = await runToEnd('g++', [...sanitizer, ...objects, '-o', program, '-pthread']);
if (linked.status !== 0) fail(linked.output);

// Leaks are not looked for, and the check of containers takes those of uninstrumented files for overrun.
const ASAN_OPTIONS = 'detect_leaks=0:detect_container_overflow=0';
const total = await runTestsInParts(program, { ...process.env, ASAN_OPTIONS });
console.log(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
