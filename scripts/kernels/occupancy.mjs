// Theoretical occupancy: how many blocks of a kernel fit on one multiprocessor, by the limits of each compute capability
// (CUDA C++ Programming Guide, table of technical specifications; units of allocation as in the toolkit's cuda_occupancy.h,
// with which test/kernel-occupancy.test.ts compares where a toolkit is installed).

const KiB = 1024;

/** Per multiprocessor: resident warps and blocks, bytes of shared memory; and the largest a block may have. */
export const MULTIPROCESSORS = {
  75: {
    warps: 32,
    blocks: 16,
    shared: 64 * KiB,
    sharedPerBlock: 64 * KiB,
    sharedUnit: 256,
    reserved: 0,
  },
  80: {
    warps: 64,
    blocks: 32,
    shared: 164 * KiB,
    sharedPerBlock: 163 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
  86: {
    warps: 48,
    blocks: 16,
    shared: 100 * KiB,
    sharedPerBlock: 99 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
  87: {
    warps: 48,
    blocks: 16,
    shared: 164 * KiB,
    sharedPerBlock: 163 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
  89: {
    warps: 48,
    blocks: 24,
    shared: 100 * KiB,
    sharedPerBlock: 99 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
  90: {
    warps: 64,
    blocks: 32,
    shared: 228 * KiB,
    sharedPerBlock: 227 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
  100: {
    warps: 64,
    blocks: 32,
    shared: 228 * KiB,
    sharedPerBlock: 227 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
  120: {
    warps: 48,
    blocks: 24,
    shared: 100 * KiB,
    sharedPerBlock: 99 * KiB,
    sharedUnit: 128,
    reserved: KiB,
  },
};

const REGISTERS = 65536; // of a multiprocessor and at most of a block, on all of them
const REGISTERS_PER_THREAD = 255;
const REGISTER_UNIT = 256; // a warp's registers come in these
const PARTITIONS = 4; // of a multiprocessor; each holds a quarter of its registers and of its warps
const WARP = 32;

const roundUp = (value, unit) => Math.ceil(value / unit) * unit;

/**
 * @param {number} arch compute capability times ten
 * @param {{ threads: number, registers: number, sharedBytes: number }} kernel of a block, a thread, and a block
 * @returns blocks a multiprocessor (0: it cannot be launched there), occupancy as a share of the resident warps, and
 *   which limits give the number of blocks
 */
export function occupancy(arch, { threads, registers, sharedBytes }) {
  const m = MULTIPROCESSORS[arch];
  if (!m) throw new Error(`no multiprocessor is known for architecture ${arch}`);
  const warps = Math.ceil(threads / WARP);
  const shared = roundUp(sharedBytes + m.reserved, m.sharedUnit);
  const byPartition = Math.floor(
    REGISTERS / PARTITIONS / roundUp(Math.max(1, registers) * WARP, REGISTER_UNIT),
  );
  const limits = {
    warps: Math.floor(m.warps / warps),
    blocks: m.blocks,
    registers:
      registers > REGISTERS_PER_THREAD ? 0 : Math.floor((byPartition * PARTITIONS) / warps),
    shared: sharedBytes > m.sharedPerBlock ? 0 : Math.floor(m.shared / Math.max(1, shared)),
  };
  // The registers of a block are handed out a partition at a time, all partitions alike.
  const perBlock =
    roundUp(Math.max(1, registers) * WARP, REGISTER_UNIT) * roundUp(warps, PARTITIONS);
  if (perBlock > REGISTERS) limits.registers = 0;
  const blocks = Math.min(...Object.values(limits));
  return {
    blocks,
    occupancy: (blocks * warps) / m.warps,
    limitedBy: Object.keys(limits).filter((limit) => limits[limit] === blocks),
  };
}
