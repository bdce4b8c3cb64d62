// Options of a vision-language model and of its calls, checked and filled in.

import { chooseDevice, type DeviceOptions, kDeviceKeys } from '../device.js';
import { argumentError } from '../errors.js';
import type { NativeVlaOptions } from '../native.js';

/** Half-open range of token ids. */
export interface TokenRange {
  begin: number;
  end: number;
}

/** Options of {@link loadModel}; what is left out is taken from {@link kVlaDefaults}. */
export interface VlaOptions extends DeviceOptions {
  /** Threads that work on one call on the CPU, 1 to 1024; same results whatever their number. */
  threads?: number;
  /** Whether threads wait for each other by spinning. */
  spin?: boolean;
  /** Tokens of one call at most, image positions included, 1 to 65536; sizes the memory. */
  maxTokens?: number;
  /** Images of one call at most, 1 to 64. */
  maxImages?: number;
  /** Memory for the keys and values of a prefix, with which refinement steps run the rows behind it alone. */
  prefixCache?: boolean;
  /** Tokens that stand for numbers: calls that want these alone read no other rows of the head. */
  numeric?: TokenRange;
  /** Calls that may wait at once; one more is refused with `ERR_RANGE`. */
  queueLimit?: number;
}

/** What {@link VlaOptions} default to. */
export const kVlaDefaults = {
  device: 'auto',
  threads: 1,
  spin: true,
  maxTokens: 1280,
  maxImages: 1,
  prefixCache: true,
  queueLimit: 1024,
} as const satisfies VlaOptions;

const kKnown: ReadonlySet<string> = new Set([
  ...Object.keys(kVlaDefaults),
  ...kDeviceKeys,
  'numeric',
]);

/**
 * Checks options and fills in what was left out.
 *
 * @param vocab rows of the model's token table
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_DEVICE_UNAVAILABLE`, `ERR_NATIVE_MISSING`
 */
export function vlaOptions(options: VlaOptions, vocab = 1 << 30): NativeVlaOptions {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  for (const name in options) {
    if (!kKnown.has(name)) {
      throw argumentError('options', `only ${[...kKnown].join(', ')}`, name);
    }
  }
  const d = kVlaDefaults;
  const { numeric } = options;
  if (numeric !== undefined) checkRange('options.numeric', numeric, vocab);
  return {
    ...chooseDevice(options, d.device),
    threads: integer('options.threads', options.threads ?? d.threads, 1, 1024),
    spin: flag('options.spin', options.spin ?? d.spin),
    maxTokens: integer('options.maxTokens', options.maxTokens ?? d.maxTokens, 1, 65536),
    maxImages: integer('options.maxImages', options.maxImages ?? d.maxImages, 1, 64),
    prefixCache: flag('options.prefixCache', options.prefixCache ?? d.prefixCache),
    numericBegin: numeric?.begin ?? 0,
    numericEnd: numeric?.end ?? 0,
    queueLimit: integer('options.queueLimit', options.queueLimit ?? d.queueLimit, 1, 1 << 20),
  };
}

/** Throws unless the range lies in the vocabulary and is not empty. */
export function checkRange(name: string, range: TokenRange, vocab: number): void {
  if (typeof range !== 'object' || range === null) {
    throw argumentError(name, 'an object { begin, end }', range);
  }
  integer(`${name}.begin`, range.begin, 0, vocab - 1);
  integer(`${name}.end`, range.end, range.begin + 1, vocab);
}

export function flag(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw argumentError(name, 'a boolean', value);
  return value;
}

export function integer(name: string, value: unknown, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  const code = Number.isInteger(value) ? 'ERR_RANGE' : 'ERR_ARGUMENT';
  throw argumentError(name, `an integer from ${min} to ${max}`, value, code);
}
