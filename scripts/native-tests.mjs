// Running the native test programs.

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { root } from './paths.mjs';
import { readClosingLine, sum } from './totals.mjs';

/** Runs a program to its end: what it printed, and its status or the signal that ended it. */
export function runToEnd(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status: status ?? signal, output }));
  });
}

/** The counts that a test program prints last; one that dies before counts as a failure. Its output is shown. */
export async function runTests(program, args = [], env = process.env) {
  const name = [basename(program), ...args].join(' ');
  const { status, output } = await runToEnd(program, args, env).catch((error) => ({
    status: error.message,
    output: '',
  }));
  console.log(`\n# ${name}\n${output}`);
  const counts = readClosingLine(output);
  if (counts && (status === 0) === (counts.failed === 0)) return counts;
  console.error(`${name} ended with ${status}`);
  return { ...(counts ?? sum([])), failed: Math.max(1, counts?.failed ?? 0) };
}

/** The same of a program that uses one processor: in parts, some for each processor, since they do not take equally long. */
export async function runTestsInParts(program, env = process.env) {
  const workers = availableParallelism();
  const parts = 4 * workers;
  const counts = [];
  let next = 0;
  const worker = async () => {
    while (next < parts) {
      counts.push(await runTests(program, ['--shard', `${next++}/${parts}`], env));
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return sum(counts);
}
