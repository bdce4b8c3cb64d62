#!/usr/bin/env node
// Runs the native test programs and vitest, and closes with the totals of both. Arguments go to vitest; with any, the
// native programs are left out: `npm test -- test/layers.test.ts`.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runTests, runTestsInParts } from './native-tests.mjs';
import { root } from './paths.mjs';
import { closingLine, sum } from './totals.mjs';

const vitestArguments = process.argv.slice(2);

/** The first two use all processors themselves. */
async function runAllNative() {
  const folder = join(root, 'build', 'Release');
  return sum([
    await runTests(join(folder, 'wam_flow_native_tests')),
    await runTests(join(folder, 'wam_flow_native_tests_f64')),
    await runTestsInParts(join(folder, 'wam_flow_gpu_tests')),
  ]);
}

function runVitest() {
  const report = join(root, 'out', 'vitest.json');
  mkdirSync(join(root, 'out'), { recursive: true });
  rmSync(report, { force: true });
  const vitest = join(
    createRequire(import.meta.url).resolve('vitest/package.json'),
    '..',
    'vitest.mjs',
  );
  const run = spawnSync(
    process.execPath,
    [
      vitest,
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...vitestArguments,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  try {
    const json = JSON.parse(readFileSync(report, 'utf8'));
    // A file that does not load has no tests to count, and is a failure all the same.
    const dead = json.testResults.filter(
      (file) =>
        file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
    ).length;
    const counts = {
      passed: json.numPassedTests,
      failed: json.numFailedTests + dead,
      skipped: json.numPendingTests + json.numTodoTests,
    };
    // An error outside every test (an unhandled rejection, say) shows in the exit status alone.
    if (run.status !== 0 && counts.failed === 0) counts.failed = 1;
    return counts;
  } catch (error) {
    console.error(`vitest left no readable report: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const native = vitestArguments.length === 0 ? [await runAllNative()] : [];
const total = sum([...native, runVitest()]);
console.log(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
