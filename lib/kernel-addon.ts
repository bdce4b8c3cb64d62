/** The single operations of the addon (native/binding/kernels_*.cpp) and the engines that run them. */
import { availableParallelism } from 'node:os';
import { chooseDevice, type DeviceOptions, describeDevice } from './device.js';
import { argumentError } from './errors.js';
import { type NativeDevice, native } from './native.js';

declare const kKind: unique symbol;
interface NativeKernelEngine {
  readonly [kKind]: 'kernel engine';
}

type NativeValue =
  | number
  | boolean
  | string
  | Float32Array
  | Float64Array
  | Int32Array
  | undefined
  | { readonly [field: string]: NativeValue };
type NativeArguments = { readonly [field: string]: NativeValue };
/** Results go to arrays among the arguments. Array lengths and token ranges are checked by the addon. */
type EngineKernel<Result = void> = (engine: NativeKernelEngine, args: NativeArguments) => Result;
type PlainKernel<Result = void> = (args: NativeArguments) => Result;

interface NativeKernels {
  createEngine: (options: NativeDevice & { threads: number }) => NativeKernelEngine;
  attention: EngineKernel;
  attentionBackward: EngineKernel;
  norm: EngineKernel;
  normBackward: EngineKernel;
  gelu: EngineKernel;
  rope: EngineKernel;
  swiglu: EngineKernel;
  linear: EngineKernel;
  linearBackward: EngineKernel;
  crossEntropy: EngineKernel;
  policyLoss: EngineKernel;
  generalizedKl: EngineKernel;
  tripletMargin: EngineKernel<number>;
  sumSquares: EngineKernel<number>;
  adamw: EngineKernel;
  pathProbability: EngineKernel;
  metricDistance: EngineKernel;
  pathRates: EngineKernel;
  pathNoise: EngineKernel;
  pathStep: EngineKernel;
  decodePosterior: EngineKernel;
  topkPosterior: EngineKernel;
  nearestToken: EngineKernel;
  philox: EngineKernel;
  groupAdvantages: PlainKernel;
  pdmReward: PlainKernel;
  pathSchedule: PlainKernel;
  mixtureSchedule: PlainKernel;
  mixtureSample: PlainKernel;
  mixtureVelocity: PlainKernel;
  mixtureRates: PlainKernel;
  orderViolations: PlainKernel<[number, number]>;
  encodeCompanded: PlainKernel<number>;
  decodeCompanded: PlainKernel;
}

/**
 * Which engine runs an operation, by default the CPU. Results do not depend on `threads`, nor on `avx2` against `avx512`.
 * A GPU copies the arrays there and back in every call.
 */
export interface KernelOptions extends DeviceOptions {
  /** Threads that work on one call on the CPU, 1 to 256; default all hardware threads. */
  threads?: number;
}

/** The addon's operations. */
export function kernelAddon(): NativeKernels {
  return (native() as unknown as { kernels: NativeKernels }).kernels;
}

const engines = new Map<string, NativeKernelEngine>();

/** The engine of the options, made once a thread of JavaScript and kept. */
export function kernelEngine(options: KernelOptions): NativeKernelEngine {
  const device = chooseDevice(options, 'cpu');
  const threads = options.threads ?? Math.min(availableParallelism(), 256);
  const key = `${describeDevice(device)} ${options.gpu ?? 0} ${threads}`;
  let engine = engines.get(key);
  if (engine === undefined) {
    engine = kernelAddon().createEngine({ ...device, threads });
    engines.set(key, engine);
  }
  return engine;
}

/** Checks a dimension given by the caller: an integer of [min, 2^31). */
export function dimension(name: string, value: number, min = 1): number {
  if (!Number.isInteger(value) || value < min || value > 0x7fffffff) {
    throw argumentError(name, `an integer from ${min}`, value);
  }
  return value;
}

/** How many rows of `width` elements an array has. */
export function rowsOf(name: string, array: { readonly length: number }, width: number): number {
  const rows = array?.length / width;
  if (!Number.isInteger(rows) || rows < 1) {
    throw argumentError(name, `rows of ${width} elements, at least one`, array, 'ERR_SHAPE');
  }
  return rows;
}

/** One number for all rows, or one a row. */
export function perRow(name: string, value: number | Float32Array, rows: number): Float32Array {
  if (typeof value !== 'number') {
    if (value?.length !== rows) throw argumentError(name, `${rows} elements`, value, 'ERR_SHAPE');
    return value;
  }
  return new Float32Array(rows).fill(value);
}
