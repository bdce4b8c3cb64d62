// The native timing program: where it is, and its lines.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../scripts/paths.mjs';

/** The program, or undefined with a hint when it is not built. */
export function findProgram() {
  const name = process.platform === 'win32' ? 'wam_flow_cpu_bench.exe' : 'wam_flow_cpu_bench';
  return [process.env.WAM_FLOW_BENCH, join(root, 'build', 'Release', name)].find(
    (path) => path && existsSync(path),
  );
}

export const notBuilt = 'the timing program is not built: npm run build:native -- --bench';

/** A command pinned to the last processor, as the protocol wants it of one thread; unpinned where that cannot be. */
export function pinned(command, threads, cpus) {
  if (threads !== 1 || !existsSync('/usr/bin/taskset')) return command;
  return ['/usr/bin/taskset', '-c', String(cpus - 1), ...command];
}

/** Runs `command` and hands over each JSON line as it comes. */
export async function runLines(command, onLine, env = process.env) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'], env });
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(signal ?? status));
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) onLine(JSON.parse(line));
  }
  const status = await ended;
  if (status !== 0) throw new Error(`${command.join(' ')}: ended with ${status}`);
}
