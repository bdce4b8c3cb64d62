/**
 * Stable error codes. Match on `code`; messages may change.
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_ARGUMENT` | an argument or option has the wrong type or an impossible value |
 * | `ERR_SHAPE` | an array has the wrong length or rank |
 * | `ERR_NOT_FINITE` | a number that must be finite is NaN or infinite |
 * | `ERR_RANGE` | a number lies outside what the operation supports |
 * | `ERR_BUFFER` | a typed array is detached, resizable or shared where that is not allowed |
 * | `ERR_SCENARIO` | a scenario, map, recording or window file breaks its format |
 * | `ERR_CHECKPOINT_NOT_FOUND` | no checkpoint at the given place |
 * | `ERR_CHECKPOINT_CORRUPT` | a checkpoint is truncated, oversized, mis-shaped or contradicts itself |
 * | `ERR_CONFIG` | a configuration is not valid |
 * | `ERR_IMAGE` | an image file is damaged, of another kind than JPEG or PNG, or larger than allowed |
 * | `ERR_TOKENIZER` | a text tokenizer is missing, damaged, or lacks a token that is needed |
 * | `ERR_CONVERSATION` | a conversation file breaks its format |
 * | `ERR_DEPENDENCY_MISSING` | an optional package that the call needs is not installed |
 * | `ERR_DEVICE_UNAVAILABLE` | the requested device or instruction set does not exist here |
 * | `ERR_NATIVE_MISSING` | the native addon cannot be loaded on this platform |
 * | `ERR_CLOSED` | the planner or trainer was closed |
 * | `ERR_OUT_OF_MEMORY` | the engine could not get the memory it needs |
 * | `ERR_IO` | a file cannot be read or written |
 * | `ERR_USAGE` | the command line was used wrongly |
 * | `ERR_INTERNAL` | a bug in wam-flow; please report it |
 */
export type WamFlowErrorCode =
  | 'ERR_ARGUMENT'
  | 'ERR_SHAPE'
  | 'ERR_NOT_FINITE'
  | 'ERR_RANGE'
  | 'ERR_BUFFER'
  | 'ERR_SCENARIO'
  | 'ERR_CHECKPOINT_NOT_FOUND'
  | 'ERR_CHECKPOINT_CORRUPT'
  | 'ERR_CONFIG'
  | 'ERR_IMAGE'
  | 'ERR_TOKENIZER'
  | 'ERR_CONVERSATION'
  | 'ERR_DEPENDENCY_MISSING'
  | 'ERR_DEVICE_UNAVAILABLE'
  | 'ERR_NATIVE_MISSING'
  | 'ERR_CLOSED'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_IO'
  | 'ERR_USAGE'
  | 'ERR_INTERNAL';

// The package is published as ESM and CommonJS; both copies may be loaded in one process. The brand makes
// `instanceof` work across them.
const kBrand = Symbol.for('wam-flow.error');

/** Every error that wam-flow throws on purpose (an abort rejects with the signal's own reason instead). */
export class WamFlowError extends Error {
  override readonly name = 'WamFlowError';
  /** Stable code, see {@link WamFlowErrorCode}. */
  readonly code: WamFlowErrorCode;

  constructor(code: WamFlowErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, kBrand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && kBrand in value;
  }
}

/** An error that names the argument, what was expected and what came. */
export function argumentError(
  name: string,
  expected: string,
  received: unknown,
  code: WamFlowErrorCode = 'ERR_ARGUMENT',
): WamFlowError {
  return new WamFlowError(code, `${name}: expected ${expected}, received ${describe(received)}`);
}

/** A short, safe description of any value for an error message. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name} of length ${'length' in value ? value.length : value.byteLength}`;
  }
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no prototype'})`;
  return String(value);
}
