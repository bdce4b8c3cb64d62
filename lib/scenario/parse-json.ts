import { TextDecoder } from 'node:util';
import { fileError } from './fields.js';

const kDecoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Text of one JSON value. Undefined when there is nothing but white space.
 *
 * @param where what messages call it.
 * @throws WamFlowError `ERR_SCENARIO`.
 */
export function parseJson(where: string, bytes: Uint8Array): unknown {
  try {
    const text = kDecoder.decode(bytes);
    return text.trim() === '' ? undefined : JSON.parse(text);
  } catch (error) {
    throw fileError(
      where,
      `expected one JSON object, received text that is none (${(error as Error).message})`,
      error,
    );
  }
}
