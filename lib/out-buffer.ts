import { types } from 'node:util';
import { argumentError } from './errors.js';

/**
 * Checks an array that a synchronous call writes to: a Float32Array of `length`, over an ArrayBuffer of any kind or a
 * SharedArrayBuffer.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_BUFFER` when its memory was transferred away, `ERR_SHAPE`.
 */
export function checkOut(name: string, out: unknown, length: number): asserts out is Float32Array {
  if (!types.isFloat32Array(out)) throw argumentError(name, 'a Float32Array', out);
  if (isDetached(out.buffer)) {
    throw argumentError(name, 'a Float32Array that still has its memory', out, 'ERR_BUFFER');
  }
  if (out.length !== length) throw argumentError(name, `${length} elements`, out, 'ERR_SHAPE');
}

/** Whether the memory was moved elsewhere, by postMessage for one. Node 20 has no `detached` property yet. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0 || types.isSharedArrayBuffer(buffer)) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
