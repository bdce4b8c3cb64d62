import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ARCHITECTURES, findToolkit } from '../scripts/cuda-toolkit.mjs';
import { MULTIPROCESSORS, occupancy } from '../scripts/kernels/occupancy.mjs';

const toolkit = findToolkit();
const archs = ARCHITECTURES.flatMap(({ real }) => real);

type Multiprocessor = { warps: number; shared: number; sharedPerBlock: number; reserved: number };
const multiprocessors = MULTIPROCESSORS as unknown as Record<number, Multiprocessor>;

describe('theoretical occupancy', () => {
  // [architecture, threads, registers, shared bytes] and [blocks, occupancy, limit], worked out by hand from the table of
  // the programming guide: 65,536 registers, given to warps by the 256; shared memory plus 1 KiB a block from 8.0 on.
  it.each([
    [80, 256, 32, 0, 8, 1, 'warps'],
    [80, 256, 64, 0, 4, 0.5, 'registers'],
    [80, 256, 65, 0, 3, 0.375, 'registers'],
    [80, 32, 32, 0, 32, 0.5, 'blocks'],
    [80, 128, 32, 48 * 1024, 3, 0.1875, 'shared'],
    [80, 128, 32, 163 * 1024, 1, 0.0625, 'shared'],
    [80, 128, 32, 163 * 1024 + 1, 0, 0, 'shared'],
    [75, 256, 32, 0, 4, 1, 'warps'],
    [75, 256, 64, 0, 4, 1, 'warps'],
    [75, 128, 32, 32 * 1024, 2, 0.25, 'shared'],
    [86, 256, 40, 0, 6, 1, 'warps'],
    [86, 32, 32, 0, 16, 1 / 3, 'blocks'],
    [89, 64, 32, 0, 24, 1, 'blocks'],
    [90, 128, 168, 0, 3, 0.1875, 'registers'],
    [120, 1024, 48, 0, 1, 2 / 3, 'warps'],
    [87, 1024, 255, 0, 0, 0, 'registers'],
  ])(
    'sm_%i, %i threads, %i registers, %i bytes',
    (arch, threads, registers, sharedBytes, ...want) => {
      const got = occupancy(arch, { threads, registers, sharedBytes });
      expect([got.blocks, got.occupancy]).toEqual([want[0], want[1]]);
      expect(got.limitedBy).toContain(want[2]);
    },
  );

  it('is known for every architecture that is built', () => {
    for (const arch of archs) expect(multiprocessors[arch], `sm_${arch}`).toBeDefined();
  });

  it.skipIf(!toolkit?.include)(
    'agrees with the header of the toolkit over thousands of kernels',
    () => {
      const cases = archs.flatMap((arch) => {
        const limit = multiprocessors[arch]!.sharedPerBlock;
        return [32, 64, 96, 128, 160, 256, 384, 512, 1024].flatMap((threads) =>
          [16, 32, 40, 64, 72, 96, 128, 168, 255].flatMap((registers) =>
            [0, 100, 4096, 16_640, 33_000, 49_152, 65_536, 99 * 1024, limit].flatMap(
              (sharedBytes) =>
                sharedBytes > limit ? [] : [{ arch, threads, registers, sharedBytes }],
            ),
          ),
        );
      });
      expect(cases.length).toBeGreaterThan(4000);
      const theirs = askHeader(cases);
      const different = cases.flatMap((c, i) => {
        const { blocks } = occupancy(c.arch, c);
        return blocks === theirs[i] ? [] : [{ ...c, blocks, theirs: theirs[i] }];
      });
      expect(different).toEqual([]);
    },
  );
});

type Case = { arch: number; threads: number; registers: number; sharedBytes: number };

/** Blocks a multiprocessor by cuda_occupancy.h, which is C and needs no CUDA to be compiled. */
function askHeader(cases: Case[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'wam-flow-occupancy-'));
  try {
    const source = join(folder, 'ask.cpp');
    writeFileSync(
      source,
      `#include <climits>
#include <cstdio>
#include <cuda_occupancy.h>
int main() {
  int arch, warps, shared, optin, reserved, threads, registers, bytes;
  while (std::scanf("%d %d %d %d %d %d %d %d", &arch, &warps, &shared, &optin, &reserved, &threads, &registers, &bytes) == 8) {
    cudaOccDeviceProp p;
    p.computeMajor = arch / 10, p.computeMinor = arch % 10;
    p.maxThreadsPerBlock = 1024, p.maxThreadsPerMultiprocessor = 32 * warps, p.warpSize = 32, p.numSms = 100;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.sharedMemPerBlock = 48 * 1024, p.sharedMemPerMultiprocessor = shared;
    p.sharedMemPerBlockOptin = optin, p.reservedSharedMemPerBlock = reserved;
    cudaOccFuncAttributes a;
    a.maxThreadsPerBlock = 1024, a.numRegs = registers, a.sharedSizeBytes = 0, a.numBlockBarriers = 1;
    a.partitionedGCConfig = PARTITIONED_GC_OFF, a.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    a.maxDynamicSharedSizeBytes = optin;
    cudaOccDeviceState state;
    state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    cudaOccResult r;
    const int status = cudaOccMaxActiveBlocksPerMultiprocessor(&r, &p, &a, &state, threads, bytes);
    std::printf("%d\\n", status == 0 ? r.activeBlocksPerMultiprocessor : -1);
  }
}
`,
    );
    const program = join(folder, 'ask');
    const compiled = spawnSync('g++', ['-I', toolkit!.include!, source, '-o', program], {
      encoding: 'utf8',
    });
    expect(compiled.status, compiled.stderr).toBe(0);
    const input = cases.map(({ arch, threads, registers, sharedBytes }) => {
      const { warps, shared, sharedPerBlock, reserved } = multiprocessors[arch]!;
      return [arch, warps, shared, sharedPerBlock, reserved, threads, registers, sharedBytes].join(
        ' ',
      );
    });
    const { stdout } = spawnSync(program, { input: input.join('\n'), encoding: 'utf8' });
    return stdout.trim().split('\n').map(Number);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
