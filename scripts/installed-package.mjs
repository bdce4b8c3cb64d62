// What the package tests share: the packed tarball, and its installation into an empty folder by a user who has Node
// and npm and nothing else.

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect, run } from './checks.mjs';
import { root } from './paths.mjs';

const node = realpathSync(process.execPath);
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** npm's own program, to be run by Node: the `npm` on the PATH is a script that looks for `node` there. */
export const npm =
  process.env.npm_execpath ??
  join(dirname(node), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');

export const tarball = join(root, 'out', 'package', `${name}-${version}.tgz`);

/** Builds, makes the prebuilt addon and packs: `npm pack` runs the prepack script. */
export function pack() {
  mkdirSync(dirname(tarball), { recursive: true });
  run(process.execPath, [npm, 'pack', '--pack-destination', dirname(tarball)], { cwd: root });
}

/**
 * A new folder under the system's temporary one (below the repository, Node would find its node_modules too). It goes
 * when the process ends.
 */
export function makeFolder(label) {
  const folder = mkdtempSync(join(tmpdir(), `wam-flow-${label}-`));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a machine needs to reach a registry: where its certificates and its proxy are. */
const NETWORK = /^(NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(https?|no)_proxy)$/i;

/** An environment in which the PATH has `node` alone: no compiler, no make, no python, no shell. */
export function bareEnvironment() {
  const bin = makeFolder('bin');
  symlinkSync(node, join(bin, 'node'));
  const kept = Object.keys(process.env).filter(
    (key) => ['HOME', 'TMPDIR', 'LANG'].includes(key) || NETWORK.test(key),
  );
  return { PATH: bin, ...Object.fromEntries(kept.map((key) => [key, process.env[key]])) };
}

/** Installs the tarball into a new folder, puts the consumer programs beside it, returns the folder. */
export function install(label, options, env) {
  const folder = makeFolder(label);
  // The prefix, because npm would install into the nearest folder above that has a node_modules.
  const { stderr } = run(
    process.execPath,
    [npm, 'install', '--prefix', folder, ...options, '--prefer-offline', tarball],
    { cwd: folder, env },
  );
  expect(!/script/i.test(stderr), `npm has something to say about scripts:\n${stderr}`);
  for (const file of ['smoke.mjs', 'smoke.cjs', 'types.mts', 'types.cts']) {
    copyFileSync(join(root, 'test', 'consumer', file), join(folder, basename(file)));
  }
  return folder;
}
