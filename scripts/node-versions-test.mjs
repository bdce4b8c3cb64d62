#!/usr/bin/env node
// Installs the packed tarball once and plans with it on every supported line of Node, by both module systems: one
// prebuilt addon serves all. The binaries are those that the npm package `node` installs.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checks, expect, run } from './checks.mjs';
import { bareEnvironment, install, makeFolder, npm, tarball } from './installed-package.mjs';

const VERSIONS = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];

const checks = new Checks();
const env = bareEnvironment();
let installed;
const ready = checks.check(`install ${tarball}`, () => {
  installed = install('versions', [], env);
});
if (!ready) checks.close();

const plans = new Set();
for (const version of VERSIONS) {
  checks.check(`plan on Node ${version}, ESM and CommonJS`, () => {
    const folder = makeFolder('node');
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const binary = `node-${process.platform}-${process.arch}`;
    run(process.execPath, [npm, 'install', '--prefer-offline', `${binary}@${version}`], {
      cwd: folder,
    });
    const node = join(folder, 'node_modules', binary, 'bin', 'node');
    expect(run(node, ['--version']).stdout.trim() === `v${version}`, `${node} is another version`);
    for (const file of ['smoke.mjs', 'smoke.cjs']) {
      plans.add(run(node, [file], { cwd: installed, env }).stdout);
    }
    expect(plans.size === 1, `the plans differ:\n${[...plans].join('\n')}`);
  });
}
checks.close();
