import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a child process ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs `test/support/children/<name>.mjs` over the built package in a Node process of its own. */
export function runChild(
  name: string,
  args: readonly string[] = [],
  nodeOptions: readonly string[] = [],
): Promise<Ended> {
  const script = fileURLToPath(new URL(`./children/${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [...nodeOptions, script, ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
