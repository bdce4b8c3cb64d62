// Where the CUDA compiler is, and which GPUs we compile for.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One pass of the front end each (`virtual`: what __CUDA_ARCH__ is), assembled for every GPU in `real`. Passes are what
 * compiling costs, so GPUs share one where the sources and the front end tell them not apart: 8.0, 8.6, 8.7 and 8.9
 * differ in their assembler alone. 9.0, 10.0 and 12.0 have instructions that the front end itself may use.
 */
export const ARCHITECTURES = [
  { virtual: 75, real: [75] },
  // Its PTX is what a GPU without a binary of its own compiles at first use (8.8, 11.0, whatever comes after 12): no
  // wrapper of kernels/device.cuh uses an instruction that is newer, and a PTX serves every GPU from its own on.
  { virtual: 80, real: [80, 86, 87, 89], keepPtx: true },
  { virtual: 90, real: [90] },
  { virtual: 100, real: [100] },
  { virtual: 120, real: [120] },
];

/** The entries of ARCHITECTURES cut down to the GPUs in `wanted`: [80, 90]. */
export function onlyArchitectures(wanted) {
  const unknown = wanted.filter((a) => !ARCHITECTURES.some(({ real }) => real.includes(a)));
  if (unknown.length > 0) throw new Error(`no such architecture here: ${unknown.join(', ')}`);
  return ARCHITECTURES.map((a) => ({
    ...a,
    real: a.real.filter((r) => wanted.includes(r)),
  })).filter(({ real }) => real.length > 0);
}

/** nvcc's options for these. */
export function gencode(architectures) {
  return architectures.flatMap(({ virtual, real, keepPtx }) => {
    const code = [...real.map((r) => `sm_${r}`), ...(keepPtx ? [`compute_${virtual}`] : [])];
    return ['-gencode', `arch=compute_${virtual},code=[${code.join(',')}]`];
  });
}

/**
 * The toolkit of CUDA_HOME, else of the PATH, else of /usr/local/cuda; undefined where there is none. `cudart` is the
 * static runtime, undefined where it is missing; `include` the folder of headers.
 */
export function findToolkit() {
  const { CUDA_HOME, CUDA_PATH } = process.env;
  const candidates = [
    ...[CUDA_HOME, CUDA_PATH].filter(Boolean).map((home) => join(home, 'bin', 'nvcc')),
    'nvcc',
    '/usr/local/cuda/bin/nvcc',
  ];
  for (const nvcc of candidates) {
    const { status, stdout } = spawnSync(nvcc, ['--version'], { encoding: 'utf8' });
    const version = status === 0 && /\bV(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (version) return { nvcc, version, ...findFiles(nvcc) };
  }
  return undefined;
}

/** nvcc says itself where its files are: the program on the PATH is often a script or a link. */
function findFiles(nvcc) {
  const { stderr } = spawnSync(nvcc, ['-dryrun', '-x', 'cu', '-c', '/dev/null'], {
    encoding: 'utf8',
  });
  const folders = (flag) =>
    [...stderr.matchAll(new RegExp(`"-${flag}([^"]+)"`, 'g'))].map((m) => m[1]);
  return {
    cudart: folders('L')
      .map((folder) => join(folder, 'libcudart_static.a'))
      .find(existsSync),
    include: folders('I').find((folder) => existsSync(join(folder, 'cuda_runtime.h'))),
  };
}
