// onnxruntime-node beside our own figures: installs it outside of the package and names the command that times it.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../../scripts/paths.mjs';

const kVersion = '1.30.0';

/** Installs on first use. Without scripts: that of onnxruntime-node downloads CUDA libraries, the CPU's are in the package. */
function install(folder) {
  if (existsSync(join(folder, 'node_modules', 'onnxruntime-node', 'package.json'))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
  execFileSync(npm[0], [...npm.slice(1), ...args, `onnxruntime-node@${kVersion}`], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Peers for `measure` (../workloads/run.mjs). */
export async function prepare(folder = join(root, 'out', 'bench-peers')) {
  const modules = process.env.PEER_NODE_MODULES ?? folder;
  if (modules === folder) install(folder);
  const script = fileURLToPath(new URL('./onnxruntime-run.mjs', import.meta.url));
  return [{ command: [process.execPath, script], env: { PEER_NODE_MODULES: modules } }];
}
