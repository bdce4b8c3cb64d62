import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeRow } from '../bench/kernels.mjs';
import { ARCHITECTURES, gencode, onlyArchitectures } from '../scripts/cuda-toolkit.mjs';
import { fieldNames, findStructs, readPtxEntries } from '../scripts/kernels/manifest.mjs';
import { baselineOf, hotProblems, joinKernels, kernelsPage } from '../scripts/kernels/page.mjs';
import { readPtxasLog } from '../scripts/kernels/ptxas-log.mjs';
import { DEVICES, roofline } from '../scripts/kernels/roofline.mjs';
import { demangle, normalise, splitSignature } from '../scripts/kernels/symbols.mjs';

const root = resolve(import.meta.dirname, '..');

const ENTRY = '_ZN3wam4cuda4axpyINS0_5TilesILi64ELb1EEENS0_4bf16EEEvNS0_10AxpyParamsE';
const LOG = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '${ENTRY}' for 'sm_80'
ptxas info    : Function properties for ${ENTRY}
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 14 registers, used 1 barriers, 4096 bytes smem, 376 bytes cmem[0]
ptxas info    : Compile time = 3.532 ms
ptxas info    : Compiling entry function '${ENTRY}' for 'sm_90'
ptxas warning : Registers are spilled to local memory in function '${ENTRY}', 24 bytes spill stores, 32 bytes spill loads
ptxas info    : Function properties for ${ENTRY}
    40 bytes stack frame, 24 bytes spill stores, 32 bytes spill loads
ptxas info    : Function properties for _Z6helperv
    16 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 255 registers, 376 bytes cmem[0]
`;

describe('the log of the assembler', () => {
  it('gives the resources of each kernel on each architecture', () => {
    const { kernels, functions, complaints } = readPtxasLog(LOG);
    expect(kernels).toMatchObject([
      { arch: 80, registers: 14, spillStores: 0, barriers: 1, staticShared: 4096 },
      { arch: 90, registers: 255, spillStores: 24, spillLoads: 32, stack: 40, barriers: 0 },
    ]);
    expect(functions).toMatchObject([{ entry: '_Z6helperv', arch: 90, spillStores: 8 }]);
    expect(complaints).toEqual([]);
  });

  it('keeps every other warning', () => {
    const text = `${LOG}x.cuh(3): warning #177-D: variable "a" was declared but never referenced\n`;
    expect(readPtxasLog(text).complaints).toHaveLength(1);
  });
});

describe('names of kernels', () => {
  it('are the same from c++filt and from __PRETTY_FUNCTION__', () => {
    const { symbol, parameters } = splitSignature(demangle([ENTRY])[0]!);
    expect(symbol).toBe('axpy<Tiles<64, true>, bf16>');
    expect(parameters).toBe('wam::cuda::AxpyParams');
    expect(normalise('wam::simt::axpy<wam::simt::Tiles<64, true>, wam::simt::bf16>')).toBe(symbol);
    expect(normalise('wam::cuda::axpy<wam::cuda::Tiles<(int)64,(bool)1> , wam::cuda::bf16>')).toBe(
      symbol,
    );
  });

  it('may be plain functions or live in unnamed namespaces', () => {
    expect(splitSignature('wam::cuda::fill(wam::cuda::FillParams)').symbol).toBe('fill');
    const hidden = 'void wam::cuda::(anonymous namespace)::fill<float>(wam::cuda::FillParams)';
    expect(splitSignature(hidden).symbol).toBe('fill<float>');
  });
});

describe('the manifest', () => {
  it('reads entry points from PTX', () => {
    const ptx = `.visible .entry ${ENTRY}(
	.param .align 8 .b8 ${ENTRY}_param_0[24]
)
.maxntid 128, 1, 1
{
	ret;
}`;
    expect(readPtxEntries(ptx)).toEqual([{ entry: ENTRY, parameterBytes: 24, maxThreads: 128 }]);
  });

  it.each([
    ['int n = 0; // rows\n const float *a = nullptr, *b = nullptr;', ['n', 'a', 'b']],
    [
      'RowNorm norm{}; std::uint32_t key[2] = {0, 0}; /* x; */ float eps = 1e-5f;',
      ['norm', 'key', 'eps'],
    ],
    [
      'static constexpr int kRows = 4; using T = float; int rows() const { return n; } int n;',
      ['n'],
    ],
    ['Pair<int, float> pair; unsigned long long seed;', ['pair', 'seed']],
    ['#if 0\n#endif\n  float scale;', ['scale']],
  ])('finds the fields of { %s }', (body, names) => {
    expect(fieldNames(body)).toEqual(names);
  });

  it('finds the parameter structs of the kernels', () => {
    const structs = findStructs(root).filter(({ name }) => name.endsWith('Params'));
    expect(structs.length).toBeGreaterThan(5);
    expect(structs.filter(({ fields }) => fields.length === 0)).toEqual([]);
  });
});

const resources = {
  nvcc: '13.0.88',
  spillingFunctions: [] as { entry: string; arch: number; spillStores: number }[],
  kernels: [
    {
      symbol: 'axpy<bf16>',
      source: 'native/cuda/cuda_elements.cpp',
      architectures: {
        75: { registers: 32, spillStores: 0, spillLoads: 0, staticShared: 0 },
        80: { registers: 32, spillStores: 0, spillLoads: 0, staticShared: 0 },
      },
    },
  ],
};
const listed = {
  ...{ family: 'elementwise', symbol: 'wam::cuda::axpy<wam::cuda::bf16>', threads: 256 },
  ...{ shared_bytes: 0, min_arch: 80, tensor_cores: false, hot: true },
  cases: [{ shape: '1 M', flops: 2e6, bytes: 12e6, blocks: 64 }],
};

function withResources(change: (r: (typeof resources.kernels)[0]) => void) {
  const copy = structuredClone(resources);
  change(copy.kernels[0]!);
  return joinKernels(copy, [listed], normalise).kernels;
}

describe('the report', () => {
  const { kernels, problems } = joinKernels(resources, [listed], normalise);
  const baseline = baselineOf(kernels);

  it('joins the registry with the log, from the least architecture on', () => {
    expect(problems).toEqual([]);
    expect(kernels[0]!.architectures).toMatchObject({ 80: { occupancy: 1, blocks: 8 } });
    expect(kernels[0]!.architectures[75]).toBeUndefined();
    expect(hotProblems(kernels, baseline)).toEqual([]);
  });

  it('names a kernel that is not listed, one that is not built, and one listed twice', () => {
    expect(joinKernels(resources, [], normalise).problems).toHaveLength(1);
    expect(joinKernels({ ...resources, kernels: [] }, [listed], normalise).problems).toHaveLength(
      1,
    );
    expect(joinKernels(resources, [listed, listed], normalise).problems).toHaveLength(1);
  });

  it('finds a spill, a loss of occupancy and a stranger among the hot kernels', () => {
    const spilling = withResources((k) => {
      k.architectures[80].spillLoads = 8;
    });
    expect(hotProblems(spilling, baseline)).toEqual(['axpy<bf16> on sm_80 spills 8 bytes']);
    const fat = withResources((k) => {
      k.architectures[80].registers = 64;
    });
    expect(hotProblems(fat, baseline)).toEqual([
      'axpy<bf16> on sm_80: occupancy 50 %, it was 100 %',
    ]);
    expect(hotProblems(kernels, {})).toEqual(['axpy<bf16> on sm_80 is not in the baseline']);
    expect(hotProblems([], baseline)).toHaveLength(1);
  });

  it('allows all of that in a kernel that is not hot', () => {
    const cold = joinKernels(resources, [{ ...listed, hot: false }], normalise).kernels;
    expect(hotProblems(cold, {})).toEqual([]);
  });

  it('says on the page that its times are a model', () => {
    const page = kernelsPage({ kernels, nvcc: '13.0.88' });
    expect(page).toContain('Nothing on this page was measured on a GPU');
    expect(page).toContain('| ● `axpy<bf16>` | 256 | 0 | 32 / 100 % |');
    // 12 MB at 204.8 GB/s, and 8 operations for 48 bytes keep no arithmetic unit busy.
    expect(page).toContain('| 58.6 m |');
  });
});

describe('the roofline', () => {
  const h100 = DEVICES.find(({ name }) => name === 'H100 SXM')!;
  it('is the slower of arithmetic and memory', () => {
    const product = { flops: 2 * 4096 ** 3, bytes: 4096 ** 2 * 8, tensorCores: true };
    const { microseconds, bound } = roofline(h100, product);
    expect(bound).toBe('compute');
    expect(microseconds).toBeCloseTo(139, 0);
    expect(roofline(h100, { ...product, tensorCores: false }).microseconds).toBeCloseTo(2051, 0);
    expect(roofline(h100, { flops: 1, bytes: 3.35e6, tensorCores: true })).toEqual({
      microseconds: 1,
      bound: 'memory',
    });
  });
});

describe('architectures', () => {
  it('are cut down by --arch, and unknown ones refused', () => {
    const some = onlyArchitectures([80, 89]);
    expect(gencode(some)).toEqual(['-gencode', 'arch=compute_80,code=[sm_80,sm_89,compute_80]']);
    expect(() => onlyArchitectures([70])).toThrow('70');
    expect(gencode(ARCHITECTURES).filter((option: string) => option === '-gencode')).toHaveLength(
      5,
    );
  });

  it('are the same in CMakeLists.txt', () => {
    const cmake = readFileSync(join(root, 'CMakeLists.txt'), 'utf8');
    const list = /set\(CMAKE_CUDA_ARCHITECTURES\s+([^)]*)\)/.exec(cmake)![1]!.trim().split(/\s+/);
    const ours = ARCHITECTURES.flatMap(({ virtual, real, keepPtx }) => [
      ...real.map((arch) => `${arch}-real`),
      ...(keepPtx ? [`${virtual}-virtual`] : []),
    ]);
    expect(list.toSorted()).toEqual(ours.toSorted());
  });
});

describe('the bench of kernels', () => {
  it('says how near a time is to the roofline and to cuBLAS', () => {
    const device = { backend: 'cuda-bf16', peakTensor: 1e14, peakFp32: 1e13, peakBandwidth: 1e12 };
    const row = {
      ...{ family: 'gemm', shape: 'x', microseconds: 20, flops: 1e9, bytes: 1e6 },
      ...{ tensorCores: true, libraryMicroseconds: 15 },
    };
    expect(describeRow(device, row)).toMatchObject({
      ...{ us: 20, teraflops: 50, gigabytesPerSecond: 50, percentOfRoofline: 50 },
      ...{ bound: 'compute', cublasUs: 15, speedOverCublas: 0.75 },
    });
  });

  // Where there is a GPU this would run the bench itself.
  const hasGpu =
    existsSync('/dev') && readdirSync('/dev').some((file) => /^nvidia\d|^nvhost/.test(file));
  it.skipIf(hasGpu)('says that it was skipped where there is no GPU, and why', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ['bench/main.mjs', '--filter', 'kernels', '--json'],
      { cwd: root, encoding: 'utf8' },
    );
    expect(status).toBe(0);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows[0]).toEqual({ bench: 'kernels', skipped: expect.stringMatching(/nvcc|GPU/) });
    expect(rows.slice(1).map(({ bench }) => bench)).toEqual(['process']);
  });
});
