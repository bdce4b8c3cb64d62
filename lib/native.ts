/**
 * Loads the native addon; the only file that knows where it lies. It is loaded at the first call of {@link native},
 * once a thread, so that importing the package never fails.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WamFlowError, type WamFlowErrorCode } from './errors.js';
import type { Addon } from './native-addon.js';

export type { Addon, ProgressListener } from './native-addon.js';
export * from './native-align.js';
export * from './native-checkpoint.js';
export * from './native-camera.js';
export * from './native-sim.js';
export * from './native-types.js';
export * from './native-vision.js';
export * from './native-vla.js';

let loaded: Addon | undefined;
let loadedFrom = '';

/**
 * The addon.
 *
 * @throws WamFlowError `ERR_NATIVE_MISSING` with every error met and what to do about it.
 */
export function native(): Addon {
  loaded ??= load();
  return loaded;
}

/** File that the addon was loaded from. Throws as {@link native}. */
export function addonPath(): string {
  native();
  return loadedFrom;
}

/** The folder that holds our package.json: the sources, dist/ and dist/cli/ lie at different depths below it. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'wam-flow') {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new WamFlowError(
        'ERR_NATIVE_MISSING',
        'the folder of the wam-flow package was not found. If your code is bundled, mark wam-flow as external',
      );
    }
  }
}

function load(): Addon {
  const root = packageRoot();
  // Not named `require`: that would shadow the one which stands for import.meta.url in the CommonJS build.
  const requireHere = createRequire(import.meta.url);
  const failures: { at: string; error: unknown }[] = [];
  let path: string | undefined;
  try {
    const nodeGypBuild = requireHere('node-gyp-build') as { resolve(folder: string): string };
    path = nodeGypBuild.resolve(root);
    return adopt(requireHere(path) as Addon, path);
  } catch (error) {
    failures.push({ at: path ?? root, error });
  }
  // A local build hides the prebuilt addon; when it does not load (another Node, half built), the prebuilt one may.
  const prebuilt = join(root, 'prebuilds', `${platform()}-${arch()}`, 'wam-flow.glibc.node');
  if (path !== prebuilt && existsSync(prebuilt)) {
    try {
      return adopt(requireHere(prebuilt) as Addon, prebuilt);
    } catch (error) {
      failures.push({ at: prebuilt, error });
    }
  }
  throw new WamFlowError('ERR_NATIVE_MISSING', explain(failures), { cause: failures[0]?.error });
}

/** Native errors become WamFlowErrors here and nowhere else: the addon makes each of them by this function. */
function adopt(addon: Addon, path: string): Addon {
  loadedFrom = path;
  addon.setErrorFactory((code, message) => new WamFlowError(code as WamFlowErrorCode, message));
  return addon;
}

function explain(failures: readonly { at: string; error: unknown }[]): string {
  const lines = failures.map(({ at, error }) => {
    const text = error instanceof Error ? error.message : String(error);
    return `  ${at}: ${text.trim().replaceAll('\n', '\n    ')}`;
  });
  return [
    `the native addon could not be loaded on ${platform()}-${arch()} (${release()}, Node ${process.version}):`,
    ...lines,
    'Possible solutions:',
    '- Build it here (needs g++ 12 or newer, make and python3): npx wam-flow-build',
    '- After a change of Node, operating system or container image, install again: npm install wam-flow',
    '- Prebuilt addons exist for linux-x64 with glibc 2.34 or newer; musl systems must build',
  ].join('\n');
}
