import { argumentError, WamFlowError } from './errors.js';
import { type EngineOptions, type Isa, native } from './native.js';

/** Options of {@link Planner.load}. What is left out is taken from {@link kPlannerDefaults}. */
export interface PlannerOptions {
  /** `auto` is the best device there is; in this version that is always `cpu`. */
  device?: 'auto' | 'cpu' | 'cuda';
  /** Threads that work on one plan, 1 to 1024. Same plans whatever their number. */
  threads?: number;
  /** Instruction set; default the best that this machine has. */
  isa?: Isa;
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
  maxSamples: 64,
  maxSteps: 64,
  queueLimit: 1024,
} as const satisfies PlannerOptions;

const kKnown: ReadonlySet<string> = new Set([...Object.keys(kPlannerDefaults), 'isa']);

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
  const device = options.device ?? d.device;
  if (device === 'cuda') {
    throw new WamFlowError(
      'ERR_DEVICE_UNAVAILABLE',
      "options.device: 'cuda' does not exist in this version, which has the cpu engine only; use 'auto' or 'cpu'",
    );
  }
  if (device !== 'auto' && device !== 'cpu') {
    throw argumentError('options.device', "'auto', 'cpu' or 'cuda'", device);
  }
  return {
    threads: integer('threads', options.threads ?? d.threads, 1024),
    isa: instructionSet(options.isa),
    maxSamples: integer('maxSamples', options.maxSamples ?? d.maxSamples, 4096),
    maxSteps: integer('maxSteps', options.maxSteps ?? d.maxSteps, 4096),
    queueLimit: integer('queueLimit', options.queueLimit ?? d.queueLimit, 1 << 20),
  };
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

function integer(name: string, value: unknown, max: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) {
    return value as number;
  }
  const code = Number.isInteger(value) ? 'ERR_RANGE' : 'ERR_ARGUMENT';
  throw argumentError(`options.${name}`, `an integer from 1 to ${max}`, value, code);
}
