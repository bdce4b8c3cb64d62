/** Which device works, as options say it and as the addon takes it. */
import { argumentError, WamFlowError } from './errors.js';
import { type Isa, type NativeDevice, native } from './native.js';

/**
 * On a GPU the arithmetic of matrix products and attention: `fp32`, `bf16` or `f16`; the 16-bit ones accumulate in float.
 * On the CPU the form of the weights: `fp32`; `bf16`, half the memory; or `int8`, a quarter, with activations rounded to 8
 * bits row by row and exact integer sums, which is several times faster.
 */
export type Precision = 'fp32' | 'bf16' | 'f16' | 'int8';

const kPrecisions = {
  cpu: ['fp32', 'bf16', 'int8'],
  gpu: ['fp32', 'bf16', 'f16'],
} as const;

/** Which device works. */
export interface DeviceOptions {
  /**
   * `cpu`, or `cuda`: an NVIDIA GPU of compute capability 7.5 or newer with a driver for CUDA 13. `auto`: such a GPU when
   * there is one, else the CPU. `simt`, in test builds of this repository alone: the CUDA kernels, executed on the CPU.
   */
  device?: 'auto' | 'cpu' | 'cuda' | 'simt';
  /** Instruction set of the CPU; default the best that this machine has. */
  isa?: Isa;
  /** Which GPU, from 0. */
  gpu?: number;
  /**
   * Default `fp32`, which plans alike on all devices up to rounding. `int8` is for planning on the CPU (and makes `auto`
   * the CPU), `f16` for a GPU. Training on the CPU is in `fp32` alone.
   */
  precision?: Precision;
}

/** Names of {@link DeviceOptions}. */
export const kDeviceKeys = ['device', 'isa', 'gpu', 'precision'] as const;

/**
 * Resolves options to one device.
 *
 * @param fallback what `device` is when left out
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_DEVICE_UNAVAILABLE` with the reason, `ERR_NATIVE_MISSING`
 */
export function chooseDevice(options: DeviceOptions, fallback: 'auto' | 'cpu'): NativeDevice {
  const wanted = options.device ?? fallback;
  if (!['auto', 'cpu', 'cuda', 'simt'].includes(wanted)) {
    throw argumentError('options.device', "'auto', 'cpu' or 'cuda'", wanted);
  }
  const precision = options.precision ?? 'fp32';
  if (!['fp32', 'bf16', 'f16', 'int8'].includes(precision)) {
    throw argumentError('options.precision', "'fp32', 'bf16', 'f16' or 'int8'", precision);
  }
  const gpu = options.gpu ?? 0;
  if (!Number.isInteger(gpu) || gpu < 0 || gpu > 1023) {
    const code = Number.isInteger(gpu) ? 'ERR_RANGE' : 'ERR_ARGUMENT';
    throw argumentError('options.gpu', 'an integer from 0 to 1023', gpu, code);
  }
  const isa = instructionSet(options.isa);
  const device = wanted === 'auto' ? bestDevice(options) : wanted;
  if (device === 'cpu') {
    return { device, isa, precision: precisionOf('cpu', precision, 'the cpu') };
  }
  const narrow = precisionOf('gpu', precision, 'a GPU');
  const { cuda, simt } = native().deviceInfo();
  if (device === 'cuda' && cuda.devices.length === 0) {
    throw new WamFlowError(
      'ERR_DEVICE_UNAVAILABLE',
      `options.device: 'cuda' cannot be used here: ${cuda.reason}; use 'auto' or 'cpu'`,
    );
  }
  if (device === 'simt' && !simt) {
    throw new WamFlowError(
      'ERR_DEVICE_UNAVAILABLE',
      "options.device: 'simt' runs the CUDA kernels on the CPU and exists in test builds alone; use 'auto' or 'cpu'",
    );
  }
  return { device, gpu, precision: narrow };
}

/** `cuda fp32`, `avx512`, `avx512 int8`: a device for titles and logs. */
export function describeDevice(device: NativeDevice): string {
  if (device.device !== 'cpu') return `${device.device} ${device.precision}`;
  return device.precision === 'fp32' ? device.isa : `${device.isa} ${device.precision}`;
}

/** `precision` if devices of this kind have it. */
function precisionOf<Kind extends keyof typeof kPrecisions>(
  kind: Kind,
  precision: Precision,
  where: string,
): (typeof kPrecisions)[Kind][number] {
  const known: readonly (typeof kPrecisions)[Kind][number][] = kPrecisions[kind];
  const found = known.find((name) => name === precision);
  if (found !== undefined) return found;
  throw argumentError('options.precision', `${known.join(', ')} on ${where}`, precision);
}

/** What `auto` means: an instruction set or int8 asks for the CPU. */
function bestDevice({ isa, gpu = 0, precision }: DeviceOptions): 'cpu' | 'cuda' {
  if (isa !== undefined || precision === 'int8') return 'cpu';
  const found = native().deviceInfo().cuda.devices[gpu];
  return found !== undefined && Number(found.computeCapability) >= 7.5 ? 'cuda' : 'cpu';
}

function instructionSet(isa: Isa | undefined): Isa {
  const { isas, best } = native().cpuInfo();
  if (isa === undefined) return best;
  if (isa !== 'portable' && isa !== 'avx2' && isa !== 'avx512') {
    throw argumentError('options.isa', "'portable', 'avx2' or 'avx512'", isa);
  }
  if (isas.includes(isa)) return isa;
  throw new WamFlowError(
    'ERR_DEVICE_UNAVAILABLE',
    `options.isa: this machine has no ${isa}; it has ${isas.join(', ')}`,
  );
}
