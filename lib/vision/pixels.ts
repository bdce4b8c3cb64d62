import { types } from 'node:util';
import { argumentError } from '../errors.js';

/** A picture of 8 bits a channel. */
export interface Pixels {
  /** [height, width, channels], row by row without gaps: RGB, or RGBA whose alpha is ignored. */
  data: Uint8Array;
  /** Pixels, 1 to 65,535. */
  width: number;
  height: number;
  /** Default 3. */
  channels?: 3 | 4;
}

const kMaxSide = 65_535;

/**
 * Checks a picture.
 *
 * @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_SHAPE` when the data does not have the size that is said.
 */
export function checkPixels(name: string, pixels: unknown): Required<Pixels> {
  if (typeof pixels !== 'object' || pixels === null) {
    throw argumentError(name, 'a picture { data, width, height, channels? }', pixels);
  }
  const { data, width, height, channels = 3 } = pixels as Partial<Pixels>;
  if (!types.isUint8Array(data)) throw argumentError(`${name}.data`, 'a Uint8Array', data);
  if (channels !== 3 && channels !== 4) throw argumentError(`${name}.channels`, '3 or 4', channels);
  const size = {
    width: integerIn(`${name}.width`, width, 1, kMaxSide),
    height: integerIn(`${name}.height`, height, 1, kMaxSide),
  };
  const bytes = size.width * size.height * channels;
  if (data.length !== bytes) {
    const shape = `${bytes} bytes, [${size.height}, ${size.width}, ${channels}]`;
    throw argumentError(`${name}.data`, shape, data, 'ERR_SHAPE');
  }
  return { data, ...size, channels };
}

/** An integer of [min, max]; anything else throws `ERR_ARGUMENT` or `ERR_RANGE`. */
export function integerIn(name: string, value: unknown, min: number, max: number): number {
  const expected = `an integer from ${min} to ${max}`;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw argumentError(name, expected, value);
  }
  if (value < min || value > max) throw argumentError(name, expected, value, 'ERR_RANGE');
  return value;
}
