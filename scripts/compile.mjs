// Compiling many sources with one command each, several at a time and only what has changed: for the builds that
// node-gyp does not know (nvcc, address sanitizer).

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { root } from './paths.mjs';

/**
 * One compilation: `command` is the program and its arguments for `paths.object`, and leaves `paths.depfile`.
 *
 * @param {string} source from the repository root
 * @param {string} folder of its outputs
 * @param {(paths: { object: string, depfile: string }) => string[]} commandFor
 * @param {string} salt what the outputs depend on besides the command: the compiler's version
 */
export function unitOf(source, folder, commandFor, salt) {
  mkdirSync(folder, { recursive: true });
  const name = basename(source).replace(/\.\w+$/, '');
  const paths = Object.fromEntries(
    ['object:o', 'depfile:d', 'record:json'].map((kind) => {
      const [what, ending] = kind.split(':');
      return [what, join(folder, `${name}.${ending}`)];
    }),
  );
  const command = commandFor(paths);
  const before = existsSync(paths.record) ? JSON.parse(readFileSync(paths.record, 'utf8')) : {};
  return { source, name, ...paths, command, key: [salt, ...command].join(' '), before };
}

/** Files that the object was made from. */
function dependencies(unit) {
  const text = readFileSync(unit.depfile, 'utf8').replace(/\\\n/g, ' ');
  return text
    .slice(text.search(/:\s/) + 1)
    .trim()
    .split(/\s+/)
    .map((file) => resolve(root, file));
}

function isCurrent(unit) {
  if (unit.before.key !== unit.key || !existsSync(unit.object)) return false;
  return dependencies(unit).every(
    (file) => existsSync(file) && statSync(file).mtimeMs <= unit.before.started,
  );
}

/** Runs the command; `finish` sees what it printed and returns what to remember, or throws. */
async function compile(unit, finish) {
  rmSync(unit.record, { force: true });
  const started = Date.now();
  const [program, ...args] = unit.command;
  const { status, text } = await new Promise((done, reject) => {
    const child = spawn(program, args, { cwd: root });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => done({ status: code ?? signal, text: output }));
  });
  const seconds = (Date.now() - started) / 1000;
  const result = finish(unit, { status, text });
  writeFileSync(unit.record, JSON.stringify({ key: unit.key, started, seconds, ...result }));
  console.log(`${basename(program)} ${unit.source} (${seconds.toFixed(1)} s)`);
}

/** The usual `finish`: a warning is as good as an error. */
export function expectSilence(unit, { status, text }) {
  if (status !== 0 || text.trim() !== '') {
    throw new Error(`${unit.source}: ${status === 0 ? 'warnings' : `status ${status}`}\n${text}`);
  }
}

/**
 * Compiles what is due, the longest first, as many at a time as there are processors. Throws with the errors of all.
 *
 * @returns {Promise<number>} how many were due
 */
export async function compileAll(units, finish = expectSilence) {
  if (new Set(units.map(({ object }) => object)).size !== units.length) {
    throw new Error('two sources of one name would share an object file');
  }
  const due = units.filter((unit) => !isCurrent(unit));
  // One that was never compiled may take longest of all.
  const weight = (unit) => unit.before.seconds ?? 1e6 + statSync(join(root, unit.source)).size;
  const queue = due.toSorted((a, b) => weight(b) - weight(a));
  const errors = [];
  const worker = async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) {
      await compile(unit, finish).catch((error) => errors.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (errors.length > 0) throw new Error(errors.join('\n'));
  return due.length;
}
