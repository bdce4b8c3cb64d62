import ts from 'typescript';

/** Files by path from the repository root, with `/`. */
export type Tree = ReadonlyMap<string, string>;

/** What each folder of `native/` may include, itself apart. The order of docs/architecture.md. */
const NATIVE_BELOW: Readonly<Record<string, readonly string[]>> = {
  core: [],
  cpu: ['core'],
  flow: ['core'],
  scene: ['core'],
  sim: ['core'],
  vision: ['core'],
  camera: ['core'],
  search: ['core', 'scene', 'sim'],
  model: ['core', 'flow', 'scene', 'search'],
  align: ['core', 'flow', 'scene', 'sim', 'model'],
  vla: ['core', 'flow', 'model'],
  simt: ['core'],
  kernels: ['core', 'simt'],
  cuda: ['core', 'simt', 'kernels'],
  bench: ['core', 'kernels', 'cuda'],
  'bench/cpu': ['core', 'cpu', 'model'],
  binding: [
    'core',
    'cpu',
    'flow',
    'scene',
    'sim',
    'camera',
    'search',
    'model',
    'align',
    'vision',
    'vla',
    'cuda',
  ],
  test: [
    'core',
    'cpu',
    'flow',
    'scene',
    'sim',
    'vision',
    'camera',
    'search',
    'model',
    'align',
    'vla',
    'simt',
    'kernels',
    'cuda',
  ],
};

/**
 * The only files that know the harness from outside: through them the kernels and the backend get its names where
 * NVIDIA's are not. All other device code must compile for both.
 */
const HARNESS_DOORS: ReadonlySet<string> = new Set([
  'native/kernels/device.cuh',
  'native/cuda/runtime.h',
]);

/** Headers of Node and V8, which only the binding may see. */
const NODE_HEADER =
  /^(napi(-inl)?|node|node_api|node_api_types|js_native_api|js_native_api_types|uv|v8.*)\.h$/;

/** Which folder of `native/` each list of `sources.gypi` takes its files from. */
const LIST_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  wam_core_sources: [
    'core',
    'cpu',
    'flow',
    'scene',
    'sim',
    'camera',
    'search',
    'model',
    'align',
    'vision',
    'vla',
  ],
  wam_avx2_sources: ['cpu'],
  wam_avx512_sources: ['cpu'],
  wam_cuda_sources: ['cuda'],
  wam_binding_sources: ['binding'],
  wam_device_sources: ['binding'],
  wam_simt_sources: ['simt'],
  wam_test_sources: ['test'],
  wam_gpu_test_sources: ['test/gpu'],
  wam_planted_sources: ['test/gpu/planted'],
  wam_kernel_bench_sources: ['bench'],
  wam_cpu_bench_sources: ['bench/cpu'],
};

/**
 * Height of each part of `lib/`, by the first name of its path. A part imports from its own height and from below; a
 * file that is not named here is at the bottom.
 */
const LIB_HEIGHT: Readonly<Record<string, number>> = {
  tokens: 1,
  prompt: 1,
  vision: 1,
  flow: 1,
  scenario: 1,
  model: 1,
  sim: 1,
  kernels: 2,
  planner: 2,
  vla: 2,
  'vla-train': 2,
  train: 2,
  eval: 2,
  generate: 2,
  camera: 2,
  conversation: 2,
  viewer: 2,
  index: 3,
  conformance: 4,
  cli: 4,
};

/** The place of a path in the layer order. `bench/cpu` is a program of its own beside that of `bench`. */
function nativeFolder(path: string): string | undefined {
  return /^native\/(bench\/cpu|[^/]+)\//.exec(path)?.[1];
}

/** Every include in `native/` that goes against the layer order, one line each; empty when there is none. */
export function nativeViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const [path, text] of tree) {
    if (!/\.(cpp|cc|h|hpp|inl|cu|cuh)$/.test(path)) continue;
    const folder = nativeFolder(path);
    if (folder === undefined) continue;
    const below = NATIVE_BELOW[folder];
    if (below === undefined) {
      found.push(`${path}: native/${folder} has no place in the layer order`);
      continue;
    }
    for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]/gm)) {
      const name = match[2]!;
      if (NODE_HEADER.test(name.split('/').at(-1)!) && folder !== 'binding') {
        found.push(`${path}: includes ${name}; only native/binding knows Node`);
        continue;
      }
      const target = nativeFolder(`native/${name}`);
      const own = tree.has(`native/${name}`);
      if (match[1] === '"' && !own && folder !== 'binding') {
        found.push(`${path}: includes "${name}", which is no file relative to native/`);
      } else if (own && target !== undefined && target !== folder && !below.includes(target)) {
        found.push(`${path}: includes ${name}; native/${folder} may not see native/${target}`);
      } else if (own && isHarnessFromOutside(path, folder, target)) {
        found.push(`${path}: includes ${name}; device code sees the harness through device.cuh`);
      }
    }
  }
  return found;
}

function isHarnessFromOutside(path: string, folder: string, target: string | undefined): boolean {
  const bound = folder === 'kernels' || folder === 'cuda';
  return bound && target === 'simt' && !HARNESS_DOORS.has(path);
}

/** Every disagreement between the files under `native/` and the lists of `native/sources.gypi`. */
export function sourceListViolations(tree: Tree): string[] {
  const { variables } = JSON.parse(tree.get('native/sources.gypi')!) as {
    variables: Record<string, string[]>;
  };
  const found: string[] = [];
  const listed = new Map<string, string>();
  for (const [list, files] of Object.entries(variables)) {
    if (list.endsWith('_flags')) continue;
    const folders = LIST_FOLDERS[list];
    if (folders === undefined) {
      found.push(`${list}: no build reads this list`);
      continue;
    }
    for (const file of files) {
      const before = listed.get(file);
      if (before !== undefined) found.push(`${file}: in ${before} and in ${list}`);
      listed.set(file, list);
      if (!tree.has(file)) found.push(`${file}: in ${list}, but there is no such file`);
      const folder = file.split('/').slice(1, -1).join('/');
      if (!folders.includes(folder)) found.push(`${file}: does not belong in ${list}`);
    }
  }
  for (const path of tree.keys()) {
    if (/^native\/.*\.(cpp|cc|cu)$/.test(path) && !listed.has(path)) {
      found.push(`${path}: in no list of native/sources.gypi, so nothing builds it`);
    }
  }
  return found;
}

function libPart(path: string): string {
  return path.slice('lib/'.length).split('/')[0]!.replace(/\.ts$/, '');
}

/** Every import in `lib/` that goes against the layer order. */
export function libViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const [path, text] of tree) {
    if (!/^lib\/.*\.ts$/.test(path)) continue;
    const part = libPart(path);
    const height = LIB_HEIGHT[part] ?? 0;
    // The addon is loaded by name or by path, and not only through an import.
    if (path !== 'lib/native.ts' && /['"`]node-gyp-build['"`]|\bdlopen\b/.test(text)) {
      found.push(`${path}: loads the addon; only lib/native.ts may`);
    }
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (path !== 'lib/native.ts' && fileName.endsWith('.node')) {
        found.push(`${path}: loads the addon; only lib/native.ts may`);
      }
      if (!fileName.startsWith('.')) continue;
      const target = new URL(fileName, `file:///${path}`).pathname.slice(1).replace(/\.js$/, '.ts');
      if (!target.startsWith('lib/')) {
        found.push(`${path}: imports ${fileName}, which is outside lib/`);
      } else if ((LIB_HEIGHT[libPart(target)] ?? 0) > height) {
        found.push(`${path}: imports ${target}; lib/${part} may not see lib/${libPart(target)}`);
      }
    }
  }
  return found;
}
