import { argumentError } from '../errors.js';

/** How the camera is mounted and what it takes. */
export interface CameraOptions {
  /** Pixels, 16 to 2048. Default 384 each. */
  width?: number;
  height?: number;
  /** Horizontal field of view in degrees, 10 to 150. Default 64, as that of nuPlan's front camera. */
  fovDeg?: number;
  /** Above the road, metres, 0.2 to 50. Default 1.6. */
  heightM?: number;
  /** Degrees that the camera looks down, -60 to 60. Default 5. */
  pitchDeg?: number;
  /** Degrees that it looks to the left of the heading. Default 0. */
  yawDeg?: number;
  /** From the middle of the ego's box ahead and to the left, metres. Default 0.4 and 0: behind the windscreen. */
  forwardM?: number;
  leftM?: number;
  /** Of weather, colours, textures and noise; an integer from 0. Default 1. */
  seed?: number;
  /** False: an even day, the sun behind the camera, no textures, no noise. Default true. */
  varied?: boolean;
  /** Threads, 1 to 256; pictures do not depend on them. Default 1. */
  threads?: number;
}

/** Options that are checked and complete. */
export interface CheckedCameraOptions extends Required<CameraOptions> {
  /** Focal length in pixels. */
  focalPx: number;
}

/** @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`. */
export function checkCameraOptions(options: CameraOptions = {}): CheckedCameraOptions {
  if (typeof options !== 'object' || options === null) {
    throw argumentError('options', 'an object', options);
  }
  const number = (name: keyof CameraOptions, low: number, high: number, otherwise: number) => {
    const value = options[name] ?? otherwise;
    if (typeof value !== 'number') throw argumentError(name, 'a number', value);
    if (!(value >= low && value <= high)) {
      throw argumentError(name, `a number from ${low} to ${high}`, value, 'ERR_RANGE');
    }
    return value;
  };
  const integer = (name: keyof CameraOptions, low: number, high: number, otherwise: number) => {
    const value = number(name, low, high, otherwise);
    if (!Number.isInteger(value)) {
      throw argumentError(name, `an integer from ${low} to ${high}`, value, 'ERR_RANGE');
    }
    return value;
  };
  const varied = options.varied ?? true;
  if (typeof varied !== 'boolean') throw argumentError('varied', 'true or false', varied);
  const width = integer('width', 16, 2048, 384);
  const fovDeg = number('fovDeg', 10, 150, 64);
  return {
    width,
    height: integer('height', 16, 2048, 384),
    fovDeg,
    focalPx: width / 2 / Math.tan((fovDeg * Math.PI) / 360),
    heightM: number('heightM', 0.2, 50, 1.6),
    pitchDeg: number('pitchDeg', -60, 60, 5),
    yawDeg: number('yawDeg', -180, 180, 0),
    forwardM: number('forwardM', -50, 50, 0.4),
    leftM: number('leftM', -50, 50, 0),
    seed: integer('seed', 0, Number.MAX_SAFE_INTEGER, 1),
    varied,
    threads: integer('threads', 1, 256, 1),
  };
}
