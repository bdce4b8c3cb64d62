#!/usr/bin/env node
// Compiles the GPU backend with nvcc for every architecture, into build-cuda/: only what has changed.
//
//   npm run kernels:build [-- --clean] [-- --arch 80,90]
//
//   libwam_cuda.a              what the addon is linked with (scripts/build-native.mjs --cuda), libcudart_static.a beside it
//   ptx/sm_XX/SOURCE.ptx       the PTX of every kernel, and ptx/manifest.json: how to launch each
//   resources.json             registers, spills and so on of every kernel and architecture
//   wam_flow_kernel_bench      the timing program of bench/kernels.mjs
//   registry.json              what it prints with --list: threads, shared memory and cases of every kernel
//
// --arch compiles for some GPUs only, for a quick look: the addon must have all.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { compileAll, unitOf } from './compile.mjs';
import { ARCHITECTURES, findToolkit, gencode, onlyArchitectures } from './cuda-toolkit.mjs';
import { findStructs, layoutProgram, manifestOf, nestedStructs } from './kernels/manifest.mjs';
import { readPtxasLog } from './kernels/ptxas-log.mjs';
import { demangle, splitSignature } from './kernels/symbols.mjs';
import { root } from './paths.mjs';

const build = join(root, 'build-cuda');

function fail(message) {
  console.error(`kernels: ${message}`);
  process.exit(1);
}

function parseOptions(args) {
  const options = { clean: false, architectures: ARCHITECTURES };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--clean') options.clean = true;
    else if (args[i] === '--arch' && args[i + 1]) {
      options.architectures = onlyArchitectures(args[++i].split(',').map(Number));
    } else fail(`unknown option ${args[i]}; there are --clean and --arch LIST`);
  }
  return options;
}

const { clean, architectures } = parseOptions(process.argv.slice(2));
const toolkit = findToolkit();
if (!toolkit) fail('nvcc was not found: on the PATH, in CUDA_HOME or in /usr/local/cuda');
if (!toolkit.cudart) fail(`${toolkit.nvcc} has no libcudart_static.a`);
if (clean) rmSync(build, { recursive: true, force: true });

const lists = JSON.parse(readFileSync(join(root, 'native', 'sources.gypi'), 'utf8')).variables;

const common = [
  ...[toolkit.nvcc, '-std=c++20', '-x', 'cu', '-O3', '-Inative', '--compress-mode=size'],
  // As the CPU part is compiled (binding.gyp).
  ...['-Xcompiler', `-fPIC,${lists.wam_baseline_flags.join(',')}`],
  ...['-Xcompiler', '-fvisibility=hidden,-fvisibility-inlines-hidden'],
  // -Wrestrict is wrong about `"text" + std::string` in g++ 12 (its bug 105651).
  ...['-Xcompiler', '-Wall,-Wextra,-Wno-unused-parameter,-Wno-restrict'],
];
const keepFolder = (name) => join(build, 'keep', name);

const units = lists.wam_cuda_sources.map((source) =>
  unitOf(
    source,
    join(build, 'obj'),
    ({ object, depfile }) => {
      const keep = keepFolder(source.replace(/^.*\/|\.\w+$/g, ''));
      mkdirSync(keep, { recursive: true });
      return [
        ...[...common, '-Xptxas', '-v,--warn-on-spills', ...gencode(architectures)],
        ...['-keep', '-keep-dir', keep, '-MMD', '-MF', depfile, '-c', source, '-o', object],
      ];
    },
    toolkit.version,
  ),
);

/** Puts the PTX files of a compilation where they are looked for: a folder for each GPU, also where several share one. */
function keepPtx({ name, source }) {
  const keep = keepFolder(name);
  for (const { virtual, real } of architectures) {
    // Of a single pass the name does not say which.
    const names = [
      `${name}.compute_${virtual}.ptx`,
      ...(architectures.length === 1 ? [`${name}.ptx`] : []),
    ];
    const file = names.find((f) => existsSync(join(keep, f)));
    if (!file) throw new Error(`${source}: nvcc left no PTX for compute_${virtual}`);
    for (const arch of real) {
      const folder = join(build, 'ptx', `sm_${arch}`);
      mkdirSync(folder, { recursive: true });
      copyFileSync(join(keep, file), join(folder, `${name}.ptx`));
    }
  }
}

/** Warnings are errors, but for a spill: the report says where there is one, and whether it may be. */
function finish(unit, { status, text }) {
  const { complaints, ...found } = readPtxasLog(text);
  if (status !== 0 || complaints.length > 0) {
    const shown = text.split('\n').filter((line) => !/^ptxas info|bytes stack frame/.test(line));
    throw new Error(`${unit.source}: ${status === 0 ? 'warnings' : 'failed'}\n${shown.join('\n')}`);
  }
  keepPtx(unit);
  return found;
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (result.error) fail(`${command}: ${result.error.message}`);
  if (result.status !== 0) {
    fail(`${command} ${args.join(' ')}: status ${result.status}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

function writeJson(file, value) {
  writeFileSync(join(build, file), `${JSON.stringify(value, null, 1)}\n`);
}

/** Removes outputs of sources that are gone. */
function removeStale() {
  const names = new Set(units.map(({ name }) => name));
  const folders = ['obj', ...architectures.flatMap(({ real }) => real.map((r) => `ptx/sm_${r}`))];
  for (const folder of folders.map((f) => join(build, f)).filter(existsSync)) {
    for (const file of readdirSync(folder)) {
      if (!names.has(file.replace(/\.\w+$/, ''))) rmSync(join(folder, file));
    }
  }
}

/** Kernels of all sources by entry point, with what the assembler said of each GPU. */
function collectResources() {
  const byEntry = new Map();
  const functions = [];
  let seconds = 0;
  for (const { source, record } of units) {
    const made = JSON.parse(readFileSync(record, 'utf8'));
    seconds += made.seconds;
    functions.push(...made.functions.map((f) => ({ source, ...f })));
    for (const { entry, arch, ...resources } of made.kernels) {
      if (!byEntry.has(entry)) byEntry.set(entry, { source, entry, architectures: {} });
      byEntry.get(entry).architectures[arch] = resources;
    }
  }
  const kernels = [...byEntry.values()];
  const names = demangle(kernels.map(({ entry }) => entry));
  kernels.forEach((kernel, i) => {
    Object.assign(kernel, splitSignature(names[i]));
  });
  kernels.sort((a, b) => a.source.localeCompare(b.source) || a.symbol.localeCompare(b.symbol));
  return { nvcc: toolkit.version, seconds, kernels, spillingFunctions: functions };
}

/** Compiles and links the timing program; returns the registry that it prints. */
async function buildBench(library) {
  const flags = ['-arch=sm_80', '-MMD'];
  const benchUnits = lists.wam_kernel_bench_sources.map((source) =>
    unitOf(
      source,
      join(build, 'bench'),
      ({ object, depfile }) => [...common, ...flags, '-MF', depfile, '-c', source, '-o', object],
      toolkit.version,
    ),
  );
  await compileAll(benchUnits);
  const program = join(build, 'wam_flow_kernel_bench');
  const objects = benchUnits.map(({ object }) => object);
  run(toolkit.nvcc, [
    '-arch=sm_80',
    '-cudart',
    'static',
    ...objects,
    library,
    '-o',
    program,
    '-ldl',
  ]);
  return JSON.parse(run(program, ['--list']));
}

/** Layouts of parameter structs and of the structs in them, by asking the compiler. */
function structLayouts(types) {
  const structs = findStructs(root);
  const source = join(build, 'layouts.cpp');
  const program = join(build, 'layouts');
  const flags = ['-std=c++20', '-x', 'cu', '-Inative', '-arch=sm_80'];
  for (let wanted = types; ; ) {
    writeFileSync(source, layoutProgram(wanted, structs));
    run(toolkit.nvcc, [...flags, source, '-o', program]);
    const layouts = JSON.parse(run(program, []));
    const more = nestedStructs(layouts, structs).filter((type) => !wanted.includes(type));
    if (more.length === 0) return layouts;
    wanted = [...wanted, ...more];
  }
}

function writeManifest(registry) {
  const layouts = structLayouts([...new Set(resources.kernels.map((k) => k.parameters))]);
  const manifest = manifestOf(join(build, 'ptx'), architectures, resources, registry, layouts);
  writeJson('ptx/manifest.json', { nvcc: toolkit.version, ...manifest });
}

removeStale();
const compiled = await compileAll(units, finish).catch((error) => fail(error.message));
rmSync(join(build, 'keep'), { recursive: true, force: true });

const library = join(build, 'libwam_cuda.a');
if (compiled > 0 || !existsSync(library)) {
  rmSync(library, { force: true });
  run('ar', ['rcsD', library, ...units.map(({ object }) => object)]);
}
copyFileSync(toolkit.cudart, join(build, 'libcudart_static.a'));

const resources = collectResources();
writeJson('resources.json', resources);
// An installed package has the sources of the addon alone.
if (existsSync(join(root, 'native', 'bench'))) {
  const registry = await buildBench(library).catch((error) => fail(error.message));
  writeJson('registry.json', registry);
  if (compiled > 0 || !existsSync(join(build, 'ptx', 'manifest.json'))) writeManifest(registry);
}
console.log(
  `kernels: ${resources.kernels.length} in ${units.length} sources, ${compiled} compiled; nvcc ${toolkit.version}, ` +
    `${resources.seconds.toFixed(0)} s of compiling in all; ${(statSync(library).size / 2 ** 20).toFixed(1)} MiB`,
);
