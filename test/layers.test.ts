import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  libViolations,
  nativeViolations,
  sourceListViolations,
  type Tree,
} from './support/layers.js';

const root = resolve(import.meta.dirname, '..');

function readTree(...folders: string[]): Tree {
  const tree = new Map<string, string>();
  for (const folder of folders) {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((e) => e.isFile())) {
      const file = join(entry.parentPath, entry.name);
      tree.set(relative(root, file).split(sep).join('/'), readFileSync(file, 'utf8'));
    }
  }
  return tree;
}

const tree = readTree('native', 'lib');

function planted(files: Record<string, string>): Tree {
  return new Map([...tree, ...Object.entries(files)]);
}

/** What the check says about `path` once the given files stand in the tree. */
function complaints(check: (tree: Tree) => string[], path: string, files: Record<string, string>) {
  return check(planted(files)).filter((line) => line.startsWith(`${path}:`));
}

function sourceLists(change: (lists: Record<string, string[]>) => void): Record<string, string> {
  const parsed = JSON.parse(tree.get('native/sources.gypi')!) as {
    variables: Record<string, string[]>;
  };
  change(parsed.variables);
  return { 'native/sources.gypi': JSON.stringify(parsed) };
}

describe('layer order', () => {
  it('holds for every include in native/', () => {
    for (const ending of ['cpp', 'h', 'inl', 'cuh']) {
      const files = [...tree.keys()].filter((path) => path.endsWith(`.${ending}`));
      expect(files, ending).not.toEqual([]);
    }
    expect(nativeViolations(tree)).toEqual([]);
  });

  it('holds for every import in lib/', () => {
    expect([...tree.keys()].filter((path) => /^lib\/.*\.ts$/.test(path))).not.toEqual([]);
    expect(libViolations(tree)).toEqual([]);
  });

  it('has every native source in one build list, and no list names a missing file', () => {
    expect(sourceListViolations(tree)).toEqual([]);
  });
});

describe('the check of native/ finds', () => {
  const header = Object.fromEntries(
    ['cpu', 'flow', 'model', 'simt', 'cuda', 'bench'].map((folder) => [`native/${folder}/x.h`, '']),
  );
  header['native/kernels/x.cuh'] = '';

  it.each([
    ['native/core/x.cpp', '#include "flow/x.h"'],
    ['native/core/x.cpp', '#include "model/x.h"'],
    ['native/cpu/x.cpp', '#include "flow/x.h"'],
    ['native/cpu/x.cpp', '#include "model/x.h"'],
    ['native/flow/x.cpp', '#include "cpu/x.h"'],
    ['native/scene/x.cpp', '#include "flow/x.h"'],
    ['native/model/x.cpp', '#include "cpu/x.h"'],
    ['native/model/x.cpp', '#  include <cpu/x.h>'],
    ['native/model/x.cpp', '#include "cuda/x.h"'],
    ['native/cpu/x.cpp', '#include "kernels/x.cuh"'],
    ['native/simt/x.cpp', '#include "kernels/x.cuh"'],
    ['native/simt/x.h', '#include "cuda/x.h"'],
    ['native/kernels/y.cuh', '#include "cuda/x.h"'],
    ['native/kernels/y.cuh', '#include "cpu/x.h"'],
    ['native/kernels/y.cuh', '#include "simt/x.h"'],
    ['native/cuda/x.cpp', '#include "simt/x.h"'],
    ['native/cuda/x.cpp', '#include "cpu/x.h"'],
    ['native/cuda/x.cpp', '#include "model/x.h"'],
    ['native/cuda/x.cpp', '#include "bench/x.h"'],
    ['native/bench/x.cpp', '#include "model/x.h"'],
    ['native/bench/cpu/x.cpp', '#include "cuda/x.h"'],
    ['native/bench/cpu/x.cpp', '#include "bench/x.h"'],
    ['native/binding/x.cpp', '#include "kernels/x.cuh"'],
    ['native/binding/x.cpp', '#include "simt/x.h"'],
    ['native/model/deep/x.h', '#include "cpu/x.h"'],
    ['native/model/x.cpp', '#include "../cpu/x.h"'],
    ['native/model/x.cpp', '#include "missing/x.h"'],
    ['native/model/x.cpp', '#include <napi.h>'],
    ['native/core/x.h', '#include <node_api.h>'],
    ['native/test/x.cpp', '#include <v8.h>'],
    ['native/nowhere/x.cpp', ''],
  ])('%s with %s', (path, text) => {
    expect(complaints(nativeViolations, path, { ...header, [path]: text })).toHaveLength(1);
  });

  it.each([
    ['native/model/x.cpp', '#include "flow/x.h"\n#include "core/backend.h"\n#include <vector>'],
    ['native/binding/x.cpp', '#include <napi.h>\n#include "cpu/x.h"\n#include "model/x.h"'],
    ['native/test/x.cpp', '#include "cpu/x.h"\n#include "model/x.h"'],
    ['native/test/gpu/x.cpp', '#include "cuda/x.h"\n#include "kernels/x.cuh"\n#include "simt/x.h"'],
    ['native/kernels/y.cuh', '#include "kernels/x.cuh"\n#include "core/philox.h"'],
    ['native/cuda/x.cpp', '#include "kernels/x.cuh"\n#include "core/backend.h"'],
    ['native/bench/x.cpp', '#include "cuda/x.h"\n#include "kernels/x.cuh"'],
    ['native/bench/cpu/x.cpp', '#include "cpu/x.h"\n#include "model/x.h"'],
    ['native/binding/x.cpp', '#include "cuda/x.h"'],
    ['native/cpu/x.cpp', '// #include "model/x.h" would be wrong here'],
  ])('nothing in %s with %s', (path, text) => {
    expect(complaints(nativeViolations, path, { ...header, [path]: text })).toEqual([]);
  });
});

describe('the check of lib/ finds', () => {
  it.each([
    ['lib/tokens/x.ts', "import { a } from '../cli/a.js';"],
    ['lib/flow/x.ts', "export * from '../planner.js';"],
    ['lib/scenario/x.ts', "import type { A } from '../eval/a.js';"],
    ['lib/model/x.ts', "const a = await import('../train/a.js');"],
    ['lib/sim/x.ts', "import '../viewer/a.js';"],
    ['lib/eval/x.ts', "import { a } from '../cli/a.js';"],
    ['lib/train/x.ts', "import { a } from '../index.js';"],
    ['lib/x.ts', "import { a } from './tokens/a.js';"],
    ['lib/tokens/x.ts', "import load from 'node-gyp-build';"],
    ['lib/cli/x.ts', "const load = createRequire(import.meta.url)('node-gyp-build');"],
    ['lib/cli/x.ts', "process.dlopen(module, 'wam_flow');"],
    ['lib/train/x.ts', "const addon = require('../build/Release/wam_flow.node');"],
    ['lib/index.ts', "export { a } from '../test/support/a.js';"],
  ])('%s with %s', (path, text) => {
    expect(complaints(libViolations, path, { [path]: text })).not.toEqual([]);
  });

  it.each([
    ['lib/cli/x.ts', "import { a } from '../index.js';\nimport { b } from '../tokens/b.js';"],
    ['lib/tokens/x.ts', "import { a } from '../errors.js';\nimport { b } from '../native.js';"],
    ['lib/native.ts', "import load from 'node-gyp-build';"],
  ])('nothing in %s with %s', (path, text) => {
    expect(complaints(libViolations, path, { [path]: text })).toEqual([]);
  });
});

describe('the check of the build lists finds', () => {
  it('a source in no list', () => {
    const path = 'native/core/unlisted.cpp';
    expect(complaints(sourceListViolations, path, { [path]: '' })).toHaveLength(1);
  });

  it('a listed file that does not exist', () => {
    const path = 'native/core/missing.cpp';
    const lists = sourceLists((l) => l.wam_core_sources!.push(path));
    expect(complaints(sourceListViolations, path, lists)).toHaveLength(1);
  });

  it('a file in two lists', () => {
    const path = 'native/cpu/twice.cpp';
    const lists = sourceLists((l) => {
      l.wam_core_sources!.push(path);
      l.wam_avx2_sources!.push(path);
    });
    expect(complaints(sourceListViolations, path, { ...lists, [path]: '' })).toHaveLength(1);
  });

  it('a file in a list of the wrong kind, which would give it the wrong compiler flags', () => {
    const path = 'native/model/fast.cpp';
    const lists = sourceLists((l) => l.wam_avx512_sources!.push(path));
    expect(complaints(sourceListViolations, path, { ...lists, [path]: '' })).toHaveLength(1);
  });

  it('a test of kernels in the list of other tests, which are built without the harness', () => {
    const path = 'native/test/gpu/fast_test.cpp';
    const lists = sourceLists((l) => l.wam_test_sources!.push(path));
    expect(complaints(sourceListViolations, path, { ...lists, [path]: '' })).toHaveLength(1);
  });

  it('a list that no build reads', () => {
    const lists = sourceLists((l) => {
      l.wam_neon_sources = [];
    });
    expect(complaints(sourceListViolations, 'wam_neon_sources', lists)).toHaveLength(1);
  });
});
