#!/usr/bin/env node
// Writes docs/kernels.md from what scripts/build-kernels.mjs left in build-cuda/.
//
//   npm run kernels:report                 writes the page
//   npm run kernels:report -- --accept     and takes today's occupancy of the hot kernels as the one to keep
//   npm run kernels:report -- --check      writes nothing; fails on spills in a hot kernel, on less occupancy than was
//                                          accepted (docs/kernels-baseline.json), and when the page is out of date

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checks, expect } from './checks.mjs';
import { ARCHITECTURES } from './cuda-toolkit.mjs';
import { baselineOf, hotProblems, joinKernels, kernelsPage } from './kernels/page.mjs';
import { normalise } from './kernels/symbols.mjs';
import { root } from './paths.mjs';

const page = join(root, 'docs', 'kernels.md');
const baselineFile = join(root, 'docs', 'kernels-baseline.json');

function readJson(file, otherwise) {
  if (!existsSync(file) && otherwise !== undefined) return otherwise;
  return JSON.parse(readFileSync(file, 'utf8'));
}

const options = process.argv.slice(2);
const unknown = options.find((option) => !['--check', '--accept'].includes(option));
if (unknown) {
  console.error(`kernels: unknown option ${unknown}; there are --check and --accept`);
  process.exit(2);
}
const build = join(root, 'build-cuda');
if (!existsSync(join(build, 'resources.json'))) {
  console.error('kernels: nothing is built yet: npm run kernels:build');
  process.exit(1);
}

const resources = readJson(join(build, 'resources.json'));
const registry = readJson(join(build, 'registry.json'));
const { kernels, problems } = joinKernels(resources, registry, normalise);
const text = kernelsPage({ kernels, nvcc: resources.nvcc });
const baseline = readJson(baselineFile, { nvcc: resources.nvcc, occupancy: {} });

if (!options.includes('--check')) {
  writeFileSync(page, text);
  console.log(`docs/kernels.md: ${kernels.length} kernels`);
  if (options.includes('--accept')) {
    const accepted = { nvcc: resources.nvcc, occupancy: baselineOf(kernels) };
    writeFileSync(baselineFile, `${JSON.stringify(accepted, null, 2)}\n`);
    console.log('docs/kernels-baseline.json: accepted');
  }
  for (const problem of [...problems, ...hotProblems(kernels, baseline.occupancy)]) {
    if (!options.includes('--accept') || !/baseline|occupancy/.test(problem)) console.log(problem);
  }
  process.exit(0);
}

const checks = new Checks();
checks.check('every kernel is compiled for every architecture and listed once', () => {
  expect(problems.length === 0, problems.join('\n'));
  const all = ARCHITECTURES.flatMap(({ real }) => real);
  const partial = kernels.filter((kernel) =>
    all.some((arch) => arch >= kernel.min_arch && !kernel.architectures[arch]),
  );
  expect(partial.length === 0, `not everywhere: ${partial.map(({ symbol }) => symbol).join(', ')}`);
  return `${kernels.length} kernels, ${all.length} architectures`;
});
checks.check('no hot kernel spills or has lost occupancy', () => {
  const found = hotProblems(kernels, baseline.occupancy);
  expect(found.length === 0, found.join('\n'));
  return `${kernels.filter(({ hot }) => hot).length} hot kernels`;
});
if (baseline.nvcc !== resources.nvcc) {
  const why = `it was written with nvcc ${baseline.nvcc}, this is ${resources.nvcc}`;
  checks.skip('docs/kernels.md is what the tool writes', why);
} else {
  checks.check('docs/kernels.md is what the tool writes', () => {
    const written = existsSync(page) ? readFileSync(page, 'utf8') : '';
    expect(written === text, 'it is not: npm run kernels:report');
  });
}
checks.close();
