// The operations of the GPU backend on a GPU, by CUDA events: how near they come to what the device could do at best, and
// to cuBLAS where it is installed. Runs the program that `npm run kernels:build` made.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { roofline } from '../scripts/kernels/roofline.mjs';
import { root } from '../scripts/paths.mjs';
import { option } from './options.mjs';

/** Rows of one precision, or one that says why there are none. */
function runBench(program, precision) {
  const { status, signal, stdout, stderr, error } = spawnSync(
    program,
    ['--precision', precision, '--device', option('gpu', '0')],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`${program}: ${signal ?? `status ${status}`}\n${stderr}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** What a row of the program says in the terms of the table; `device` is its first row. */
export function describeRow(device, row) {
  const peaks = {
    tensor: device.peakTensor,
    fp32: device.peakFp32,
    bandwidth: device.peakBandwidth,
  };
  const best = roofline(peaks, row);
  return {
    bench: `${device.backend} ${row.family}: ${row.shape}`,
    us: row.microseconds,
    teraflops: row.flops / row.microseconds / 1e6,
    gigabytesPerSecond: row.bytes / row.microseconds / 1e3,
    percentOfRoofline: (100 * best.microseconds) / row.microseconds,
    bound: best.bound,
    ...(row.libraryMicroseconds > 0 && {
      cublasUs: row.libraryMicroseconds,
      speedOverCublas: row.libraryMicroseconds / row.microseconds,
    }),
  };
}

export function benchKernels(report) {
  const skip = (why) => report({ bench: 'kernels', skipped: why });
  const program = join(root, 'build-cuda', 'wam_flow_kernel_bench');
  if (!existsSync(program)) {
    skip('the timing program is not built; npm run kernels:build makes it and needs nvcc');
    return;
  }
  for (const precision of option('precision', 'fp32,bf16,f16').split(',')) {
    const [first, ...rows] = runBench(program, precision);
    if (first.skipped) {
      skip(first.skipped);
      return;
    }
    const { device, capability, cublas } = first;
    report({ bench: `${first.backend} on ${device}`, capability, cublas });
    for (const row of rows) report(describeRow(first, row));
  }
}
