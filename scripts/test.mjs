#!/usr/bin/env node
// Runs the native test programs and vitest, and closes with the totals of both. Arguments go to vitest; with any, the
// native programs are left out: `npm test -- test/layers.test.ts`.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from './paths.mjs';
import { closingLine, readClosingLine, sum } from './totals.mjs';

const vitestArguments = process.argv.slice(2);

/** The counts that a native test program prints last; one that dies before counts as a failure. */
async function runNative(name, args = []) {
  const program = join(root, 'build', 'Release', name);
  const run = await new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.once('error', (error) => resolve({ output, how: error.message }));
    child.once('close', (status, signal) =>
      resolve({ output, status, how: signal ?? `status ${status}` }),
    );
  });
  console.log(`\n# ${[name, ...args].join(' ')}\n${run.output}`);
  const counts = readClosingLine(run.output);
  if (counts && (run.status === 0) === (counts.failed === 0)) return counts;
  console.error(`${name} ended with ${run.how}`);
  return { ...(counts ?? sum([])), failed: Math.max(1, counts?.failed ?? 0) };
}

/** The programs that use all processors themselves one by one, then one that does not, in as many parts as there are. */
async function runAllNative() {
  const alone = [
    await runNative('wam_flow_native_tests'),
    await runNative('wam_flow_native_tests_f64'),
  ];
  const shards = availableParallelism();
  const parts = Array.from({ length: shards }, (_, i) =>
    runNative('wam_flow_gpu_tests', ['--shard', `${i}/${shards}`]),
  );
  return [...alone, ...(await Promise.all(parts))];
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

const native = vitestArguments.length === 0 ? await runAllNative() : [];
const total = sum([...native, runVitest()]);
console.log(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
