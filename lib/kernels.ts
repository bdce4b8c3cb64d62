/**
 * Single operations of the engine on typed arrays, for research and tests. Training and planning do not go through them:
 * there a whole step or plan is one call. Arrays are row-major Float32Array and Int32Array; results are fresh arrays
 * unless `out` is given. Array lengths are checked against the dimensions (`ERR_SHAPE`), token ids against the
 * vocabulary (`ERR_RANGE`).
 */
export * from './flow/mixture.js';
export * from './flow/path-schedule.js';
export type { KernelOptions } from './kernel-addon.js';
export * from './kernels/alignment.js';
export * from './kernels/attention.js';
export * from './kernels/elements.js';
export * from './kernels/heading.js';
export * from './kernels/linear.js';
export * from './kernels/loss.js';
export * from './kernels/norm.js';
export * from './kernels/optimizer.js';
export * from './kernels/path.js';
export * from './kernels/random.js';
export * from './kernels/tokens.js';
