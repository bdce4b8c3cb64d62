#!/usr/bin/env node
// Puts the addon of build/Release, stripped, where node-gyp-build looks in an installed package:
// prebuilds/<platform>-<arch>/wam-flow.<libc>.node. The addon speaks Node-API 9, so one file serves every Node.
//
// prebuildify would build from nothing and take the result out of build/. It is pointed at a stage folder and given this
// file in the place of node-gyp, which hands it a copy of the build that is there.

import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './paths.mjs';

const self = fileURLToPath(import.meta.url);
const stage = join(root, 'build', 'prebuild-stage');

if (process.argv[2] === 'rebuild') {
  mkdirSync(join(stage, 'build', 'Release'), { recursive: true });
  copyFileSync(
    join(root, 'build', 'Release', 'wam_flow.node'),
    join(stage, 'build', 'Release', 'wam_flow.node'),
  );
} else {
  const prebuildify = createRequire(import.meta.url)('prebuildify');
  rmSync(join(root, 'prebuilds'), { recursive: true, force: true });
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const options = {
    cwd: stage,
    out: root,
    name: 'wam-flow',
    napi: true,
    strip: true,
    tagLibc: true,
    nodeGyp: self,
  };
  prebuildify(options, (error) => {
    rmSync(stage, { recursive: true, force: true });
    if (error) throw error;
  });
}
