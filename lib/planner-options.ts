import { chooseDevice, type DeviceOptions, kDeviceKeys } from './device.js';
import { argumentError } from './errors.js';
import type { EngineOptions } from './native.js';

/**
 * Options of {@link Planner.load}. What is left out is taken from {@link kPlannerDefaults}; the device is `auto` then,
 * which means the CPU when an instruction set is named.
 */
export interface PlannerOptions extends DeviceOptions {
  /**
   * Threads that work on one plan on the CPU, 1 to 1024; no more than the process may use cores. Same plans whatever
   * their number.
   */
  threads?: number;
  /**
   * Whether threads wait by spinning: for each other within a plan, and for some 50 us after it. False: they sleep at
   * once, which leaves their cores to others and costs tens of microseconds at every joint of a plan of several threads.
   */
  spin?: boolean;
  /** Samples of one plan at most, 1 to 4096; sizes the memory. */
  maxSamples?: number;
  /** Steps of one plan at most, 1 to 4096. */
  maxSteps?: number;
  /** Plans that may wait at once; one more is refused with `ERR_RANGE`. */
  queueLimit?: number;
}

/** What {@link PlannerOptions} default to. */
export const kPlannerDefaults = {
  device: 'auto',
  threads: 1,
  spin: true,
  maxSamples: 64,
  maxSteps: 64,
  queueLimit: 1024,
} as const satisfies PlannerOptions;

const kKnown: ReadonlySet<string> = new Set([...Object.keys(kPlannerDefaults), ...kDeviceKeys]);

/**
 * Checks options and fills in what was left out.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_DEVICE_UNAVAILABLE`, `ERR_NATIVE_MISSING`.
 */
export function engineOptions(options: PlannerOptions): EngineOptions {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  for (const name in options) {
    if (!kKnown.has(name)) {
      throw argumentError('options', `only ${[...kKnown].join(', ')}`, name);
    }
  }
  const d = kPlannerDefaults;
  return {
    ...chooseDevice(options, d.device),
    threads: integer('threads', options.threads ?? d.threads, 1024),
    spin: boolean('spin', options.spin ?? d.spin),
    maxSamples: integer('maxSamples', options.maxSamples ?? d.maxSamples, 4096),
    maxSteps: integer('maxSteps', options.maxSteps ?? d.maxSteps, 4096),
    queueLimit: integer('queueLimit', options.queueLimit ?? d.queueLimit, 1 << 20),
  };
}

function boolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw argumentError(`options.${name}`, 'a boolean', value);
  return value;
}

function integer(name: string, value: unknown, max: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) {
    return value as number;
  }
  const code = Number.isInteger(value) ? 'ERR_RANGE' : 'ERR_ARGUMENT';
  throw argumentError(`options.${name}`, `an integer from 1 to ${max}`, value, code);
}
