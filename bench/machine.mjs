// What a run was measured on.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, type } from 'node:os';
import { root } from '../scripts/paths.mjs';

/** Fields of the first processor in /proc/cpuinfo; none elsewhere. */
function cpuinfo() {
  try {
    const [first] = readFileSync('/proc/cpuinfo', 'utf8').split('\n\n');
    return Object.fromEntries(first.split('\n').map((line) => line.split(/\s*:\s*/, 2)));
  } catch {
    return {};
  }
}

function commit() {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

/** A name of the CPU model for a file: family-model-stepping, else letters and digits of its name. */
export function cpuKey(fields = cpuinfo()) {
  const numbers = ['cpu family', 'model', 'stepping'].map((name) => fields[name]);
  if (numbers.every((number) => number !== undefined)) return numbers.join('-');
  return (cpus()[0]?.model ?? process.arch).replace(/[^a-zA-Z0-9]+/g, '-').toLowerCase();
}

export function describeMachine() {
  const version = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ).version;
  return {
    bench: 'machine',
    cpu: cpus()[0]?.model ?? process.arch,
    cpuKey: cpuKey(),
    processors: availableParallelism(),
    system: `${type()} ${release()}`,
    node: process.version,
    version,
    commit: commit(),
    load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}
