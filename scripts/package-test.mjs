#!/usr/bin/env node
// Packs the package as it would be published and checks the tarball from a user's side: its contents and size, which
// system libraries the addon wants, its types, and that it installs and plans without a compiler.

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Checks, expect, run } from './checks.mjs';
import { findToolkit } from './cuda-toolkit.mjs';
import { bareEnvironment, install, npm, pack, tarball } from './installed-package.mjs';
import { root } from './paths.mjs';

const checks = new Checks();
const MiB = 1024 * 1024;

// The prebuilt addon must load on the oldest systems we name: glibc of Red Hat 9, libstdc++ of g++ 12.
const CEILINGS = { GLIBC: [2, 34], GLIBCXX: [3, 4, 30] };
// Of that kernels for five generations of GPUs take 6, the vision-language model 8.
const MAX_TARBALL = 26 * MiB;

function isAbove(version, ceiling) {
  for (let i = 0; i < ceiling.length; i++) {
    const part = version[i] ?? 0;
    if (part !== ceiling[i]) return part > ceiling[i];
  }
  return version.length > ceiling.length;
}

function toolOf(packageName, file) {
  return join(root, 'node_modules', packageName, file);
}

if (!checks.check('npm pack', pack)) checks.close();

checks.check('tarball has what a user needs and nothing else', () => {
  const files = run('tar', ['-tzf', tarball]).stdout.trim().split('\n');
  const inside = files.map((file) => file.replace(/^package\//, ''));
  const needed = [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'binding.gyp',
    'CMakeLists.txt',
    'native/kernels/device.cuh',
    'native/sources.gypi',
    'scripts/build-kernels.mjs',
    'scripts/build-native.mjs',
    'dist/index.js',
    'dist/index.cjs',
    'dist/index.d.ts',
    'dist/index.d.cts',
    'dist/cli/main.js',
    'models/mini/config.json',
    'models/mini/model.safetensors',
    'models/vla-mini/model.safetensors',
    'models/vla-mini/tokenizer.json',
    'models/vla-mini/wam_flow.json',
    `prebuilds/${process.platform}-${process.arch}/wam-flow.glibc.node`,
  ];
  const missing = needed.filter((file) => !inside.includes(file));
  expect(missing.length === 0, `missing: ${missing.join(', ')}`);
  expect(
    inside.some((file) => /^examples\/.*\.jsonl(\.gz)?$/.test(file)),
    'missing: examples',
  );
  const stray = inside.filter((file) =>
    /^(test|native\/(bench|simt|test)|build|build-\w+|out|node_modules|\.ci|docs\/internal)\//.test(
      file,
    ),
  );
  expect(stray.length === 0, `stray: ${stray.join(', ')}`);
  const { size } = statSync(tarball);
  expect(size <= MAX_TARBALL, `${size} bytes are more than ${MAX_TARBALL}`);
  return `${inside.length} files, ${(size / MiB).toFixed(2)} MiB`;
});

checks.check('the addon asks for no newer glibc and libstdc++ than it may', () => {
  const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  const highest = {};
  for (const file of readdirSync(folder)) {
    const symbols = run('objdump', ['-T', join(folder, file)]).stdout;
    for (const [, library, text] of symbols.matchAll(/\b(GLIBC|GLIBCXX)_(\d+(?:\.\d+)+)/g)) {
      const version = text.split('.').map(Number);
      expect(!isAbove(version, CEILINGS[library]), `${file} asks for ${library}_${text}`);
      if (!highest[library] || isAbove(version, highest[library])) highest[library] = version;
    }
  }
  expect(highest.GLIBC, 'no glibc symbol found at all: is this the addon?');
  return Object.entries(highest)
    .map(([library, version]) => `${library} ${version.join('.')}`)
    .join(', ');
});

const addon = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'wam-flow.glibc.node');
const size = `${(statSync(addon).size / MiB).toFixed(2)} MiB`;
if (findToolkit()) {
  checks.check('the addon carries the kernels, and no CUDA library is needed to load it', () => {
    const sections = run('objdump', ['-h', addon]).stdout;
    expect(/ \.nv_fatbin /.test(sections), 'there is no section of CUDA code in it');
    const needed = run('objdump', ['-p', addon]).stdout;
    expect(!/NEEDED.*(cuda|cudart)/.test(needed), `it needs a CUDA library:\n${needed}`);
    const bytes = Number.parseInt(/ \.nv_fatbin +([0-9a-f]+)/.exec(sections)[1], 16);
    return `${size}, ${(bytes / MiB).toFixed(2)} MiB of it for GPUs`;
  });
} else {
  checks.skip('the addon carries the kernels', `nvcc was not found; ${size} for the CPU alone`);
}

checks.check('no harness is in the addon', () => {
  const text = readFileSync(addon);
  expect(!text.includes('wam::simt') && !text.includes('3wam4simt'), 'it has code of native/simt');
});

checks.check('publint', () => {
  run(process.execPath, [toolOf('publint', 'src/cli.js'), 'run', tarball, '--strict'], {
    cwd: root,
  });
});

checks.check('types are right for every way of importing (attw)', () => {
  run(process.execPath, [toolOf('@arethetypeswrong/cli', 'dist/index.js'), tarball], { cwd: root });
});

const bare = bareEnvironment();
const plans = new Set();

/** Loads the installed package by both module systems and plans; every way must give the same trajectory. */
function smoke(folder, env = bare) {
  for (const file of ['smoke.mjs', 'smoke.cjs']) {
    plans.add(run(process.execPath, [file], { cwd: folder, env }).stdout);
  }
  expect(plans.size === 1, `the plans differ:\n${[...plans].join('\n')}`);
}

const variants = [
  ['plain', []],
  ['ignore-scripts', ['--ignore-scripts']],
  ['strict-allow-scripts', ['--strict-allow-scripts']],
];
let installed;
for (const [label, options] of variants) {
  checks.check(
    `npm install ${['x.tgz', ...options].join(' ')} without a compiler, then plan`,
    () => {
      installed = install(label, options, bare);
      smoke(installed);
    },
  );
}

if (installed) {
  checks.check('the installed command runs', () => {
    const command = join(installed, 'node_modules', '.bin', 'wam-flow');
    return run(process.execPath, [command, '--version'], {
      cwd: installed,
      env: bare,
    }).stdout.trim();
  });

  checks.check(
    'a TypeScript program compiles against the installed types, ESM and CommonJS',
    () => {
      run(
        process.execPath,
        [
          toolOf('typescript', 'bin/tsc'),
          ...['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'],
          ...['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'],
          ...['types.mts', 'types.cts'],
        ],
        { cwd: installed },
      );
    },
  );

  const prebuilds = join(installed, 'node_modules', 'wam-flow', 'prebuilds');
  checks.check('without a fitting prebuilt addon the error says what to do', () => {
    rmSync(prebuilds, { recursive: true });
    let text = '';
    try {
      run(process.execPath, ['smoke.mjs'], { cwd: installed, env: bare });
    } catch (error) {
      text = error.message;
    }
    expect(/ERR_NATIVE_MISSING/.test(text) && /npx wam-flow-build/.test(text), `it says: ${text}`);
  });

  checks.check('npx wam-flow-build compiles the installed sources, then plan', () => {
    const env = { ...process.env, npm_config_node_gyp: undefined };
    run(process.execPath, [npm, 'exec', '--offline', '--', 'wam-flow-build'], {
      cwd: installed,
      env,
    });
    smoke(installed);
  });
}

checks.close();
