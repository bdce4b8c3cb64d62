#!/usr/bin/env node
// Runs the native test programs and vitest, and closes with the totals of both. Arguments go to vitest; with any, the
// native programs are left out: `npm test -- test/layers.test.ts`.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './paths.mjs';
import { closingLine, readClosingLine, sum } from './totals.mjs';

const vitestArguments = process.argv.slice(2);

/** The counts that a native test program prints last; one that dies before counts as a failure. */
function runNative(name) {
  const program = join(root, 'build', 'Release', name);
  const run = spawnSync(program, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  console.log(`\n# ${name}\n${run.stdout ?? ''}${run.stderr ?? ''}`);
  const counts = readClosingLine(run.stdout ?? '');
  if (counts && (run.status === 0) === (counts.failed === 0)) return counts;
  console.error(`${name} ended with ${run.error?.message ?? run.signal ?? `status ${run.status}`}`);
  return { ...(counts ?? sum([])), failed: Math.max(1, counts?.failed ?? 0) };
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

const native =
  vitestArguments.length === 0
    ? ['wam_flow_native_tests', 'wam_flow_native_tests_f64'].map(runNative)
    : [];
const total = sum([...native, runVitest()]);
console.log(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
