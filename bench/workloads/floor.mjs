// The least time that a workload can take on this machine, from limits that the native program measured in the same run.

const kSize = /^read .* \((\d+) KiB\)$/;

/**
 * Limits of one number of threads.
 *
 * @param lines of `wam_flow_cpu_bench --limits`, of any number of rounds: the best of each counts.
 * @returns operations a second, and bandwidths in bytes a second by size of what is read, ascending.
 */
export function limitsOf(lines, threads) {
  const best = new Map();
  for (const line of lines) {
    if (line.limit === undefined || line.threads !== threads) continue;
    best.set(line.limit, Math.max(line.best, best.get(line.limit) ?? 0));
  }
  const rate = (prefix) => [...best].find(([limit]) => limit.startsWith(prefix))?.[1];
  const fp32 = rate('fp32');
  if (fp32 === undefined) throw new Error(`no limits were measured on ${threads} threads`);
  const int8 = rate('int8');
  const reads = [...best]
    .filter(([limit]) => kSize.test(limit))
    .map(([limit, rate]) => ({
      bytes: Number(kSize.exec(limit)[1]) * 1024,
      bytesPerSecond: rate * 1e9,
    }))
    .sort((a, b) => a.bytes - b.bytes);
  return { fp32PerSecond: fp32 * 1e9, ...(int8 && { int8PerSecond: int8 * 1e9 }), reads };
}

/** The read of the smallest buffer that holds `bytes`: each thread has one of its own. */
function bandwidth({ reads }, bytes, threads) {
  const fits = reads.find((read) => read.bytes * threads >= bytes);
  return (fits ?? reads.at(-1)).bytesPerSecond;
}

const kBytesOfWeight = { fp32: 4, bf16: 2, int8: 1 };

/** Milliseconds, and what bounds them. The best that was measured counts, so that a floor is never above what can be. */
export function floorOf(limits, { flops, bytes, weightBytes = 0 }, threads, precision = 'fp32') {
  const perSecond = (precision === 'int8' && limits.int8PerSecond) || limits.fp32PerSecond;
  const arithmetic = (1000 * flops) / perSecond;
  const moved = bytes + (weightBytes * kBytesOfWeight[precision]) / kBytesOfWeight.fp32;
  const memory = (1000 * moved) / bandwidth(limits, moved, threads);
  return memory > arithmetic
    ? { ms: memory, bound: 'memory' }
    : { ms: arithmetic, bound: 'arithmetic' };
}
