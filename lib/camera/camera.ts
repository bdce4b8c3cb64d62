import { argumentError, WamFlowError } from '../errors.js';
import {
  kBodyColumns,
  kFrameColumns,
  kSightColumns,
  kWants,
  type NativeCamera,
  type NativeGroundMap,
  native,
} from '../native.js';
import { isValidAt } from '../scenario/observe.js';
import type { Recording, ScenarioWindow } from '../scenario/types.js';
import { bodyRows } from './bodies.js';
import { packGround } from './ground.js';
import { hashWords } from './hash.js';
import { type CameraOptions, type CheckedCameraOptions, checkCameraOptions } from './options.js';

/** A moment of a recording as a vehicle's driver sees it; a window is one. */
export type CameraMoment = Pick<ScenarioWindow, 'recording' | 'ego' | 't0'>;

/** Options of one call. */
export interface RenderOptions {
  /** Also give depths. Default false. */
  depth?: boolean;
  /** Also give the object seen at each pixel. Default false. */
  ids?: boolean;
  /** Also say what is seen of each object. Default false. */
  objects?: boolean;
  /** Looked at between frames. */
  signal?: AbortSignal;
}

/** What is seen of one object. */
export interface SeenObject {
  /** A track's index, or a head or pole of a traffic light ({@link kCameraIds}). */
  id: number;
  /** Pixels that show it, in quarters. */
  visible: number;
  /** Pixels inside the picture that would show it if nothing hid it. */
  silhouette: number;
  /** Pixels [left, right) x [top, bottom) around what is seen. */
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Of its nearest point that is seen, metres along the optical axis. */
  depth: number;
}

/** Pictures of one call. */
export interface CameraFrames {
  count: number;
  width: number;
  height: number;
  /** [count, height, width, 3]: red, green, blue; sRGB. */
  rgb: Uint8Array;
  /** [count, height, width]: metres along the optical axis, infinite in the sky. Where asked for. */
  depth?: Float32Array;
  /** [count, height, width]: the id of what covers most of a pixel. Where asked for. */
  ids?: Int32Array;
  /** By frame: objects of which anything is seen, nearest first. Where asked for. */
  objects?: SeenObject[][];
}

/** Pictures of one call at most, bytes of all that is asked for. */
const kMostBytes = 2 ** 30;

/**
 * A front camera: renders what the driver of a scenario sees, in batches on threads of its own (docs/camera.md).
 *
 * @example
 * const camera = new CameraRenderer({ threads: 2 });
 * const { rgb } = await camera.render(windows); // [n, 384, 384, 3]
 */
export class CameraRenderer {
  readonly options: Readonly<CheckedCameraOptions>;
  readonly #camera: NativeCamera;
  #jobs = 0;
  #closed: Promise<void> | undefined;

  /** @throws WamFlowError `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_NATIVE_MISSING`. */
  constructor(options: CameraOptions = {}) {
    this.options = checkCameraOptions(options);
    this.#camera = native().createCamera(this.options.threads);
  }

  /**
   * Renders moments, a frame each. Calls wait for each other in order.
   *
   * @throws (rejects) the signal's reason when aborted; WamFlowError `ERR_CLOSED`; `ERR_RANGE` for an ego that is not seen
   *   at its step, or more than 1 GiB of pictures; `ERR_ARGUMENT`, `ERR_SHAPE` or `ERR_NOT_FINITE` for bad scenarios.
   */
  async render(
    moments: CameraMoment | readonly CameraMoment[],
    options: RenderOptions = {},
  ): Promise<CameraFrames> {
    if (this.#closed) throw new WamFlowError('ERR_CLOSED', 'the camera was closed');
    const { signal } = options;
    signal?.throwIfAborted();
    const list = Array.isArray(moments)
      ? (moments as readonly CameraMoment[])
      : [moments as CameraMoment];
    const { width, height } = this.options;
    const { depth = false, ids = false, objects = false } = options;
    const bytes = list.length * width * height * (3 + (depth ? 4 : 0) + (ids ? 4 : 0));
    if (bytes > kMostBytes) {
      throw argumentError('moments', 'at most 1 GiB of pictures', list, 'ERR_RANGE');
    }
    const packed = this.#pack(list);
    const wants =
      (depth ? kWants.depth : 0) | (ids ? kWants.ids : 0) | (objects ? kWants.sights : 0);
    const job = ++this.#jobs;
    const pending = native().renderFrames(
      this.#camera,
      packed.maps,
      packed.frames,
      packed.bodies,
      width,
      height,
      wants,
      job,
    );
    const abort = () => native().abortFrames(this.#camera, job);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const buffer = await pending;
      if (buffer === undefined) throw signal?.reason;
      return unpack(buffer, list.length, width, height, { depth, ids, objects }, packed);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Frees the camera: pending calls reject with `ERR_CLOSED`, its threads end. May be called again. */
  close(): Promise<void> {
    this.#closed ??= native().closeCamera(this.#camera);
    return this.#closed;
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #pack(moments: readonly CameraMoment[]): Packed {
    const maps: NativeGroundMap[] = [];
    const mapIndex = new Map<NativeGroundMap, number>();
    const frames = new Float64Array(moments.length * kFrameColumns);
    const rows: number[][] = [];
    const counts: number[] = [];
    for (const [i, moment] of moments.entries()) {
      const { recording, ego, t0 } = checkMoment(moment, i);
      const ground = packGround(recording.map);
      let map = mapIndex.get(ground);
      if (map === undefined) {
        map = maps.push(ground) - 1;
        mapIndex.set(ground, map);
      }
      const pose = cameraPose(recording, ego, t0, this.options);
      const bodies = bodyRows(recording, ego, t0, pose, this.options.seed);
      const { seed, focalPx, varied } = this.options;
      frames.set(
        [
          map,
          pose.x,
          pose.y,
          pose.height,
          pose.heading,
          pose.pitch,
          focalPx,
          ...hashWords(`${seed}/${recording.id}`),
          ...hashWords(`${seed}/${recording.id}/${ego}/${t0}`),
          varied ? 1 : 0,
          rows.length,
          bodies.length,
        ],
        i * kFrameColumns,
      );
      rows.push(...bodies);
      counts.push(bodies.length);
    }
    const bodies = new Float64Array(rows.length * kBodyColumns);
    for (const [i, row] of rows.entries()) bodies.set(row, i * kBodyColumns);
    return { maps, frames, bodies, counts };
  }
}

/** Renders with a camera made for this call; for many calls make a {@link CameraRenderer}. */
export async function renderCamera(
  moments: CameraMoment | readonly CameraMoment[],
  options: CameraOptions & RenderOptions = {},
): Promise<CameraFrames> {
  const camera = new CameraRenderer(options);
  try {
    return await camera.render(moments, options);
  } finally {
    await camera.close();
  }
}

/** Where the camera of a vehicle is at a step: metres and radians in the frame of the map. */
export function cameraPose(
  recording: Recording,
  ego: number,
  step: number,
  options: CheckedCameraOptions,
): { x: number; y: number; height: number; heading: number; pitch: number } {
  const track = recording.tracks[ego];
  const k = step - track.start;
  const heading = track.heading[k];
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  const { forwardM, leftM, heightM, pitchDeg, yawDeg } = options;
  return {
    x: track.x[k] + forwardM * cos - leftM * sin,
    y: track.y[k] + forwardM * sin + leftM * cos,
    height: heightM,
    heading: heading + (yawDeg * Math.PI) / 180,
    pitch: (pitchDeg * Math.PI) / 180,
  };
}

interface Packed {
  maps: NativeGroundMap[];
  frames: Float64Array;
  bodies: Float64Array;
  /** Bodies of each frame. */
  counts: number[];
}

function checkMoment(moment: CameraMoment, i: number): CameraMoment {
  if (typeof moment !== 'object' || moment === null || typeof moment.recording !== 'object') {
    throw argumentError(`moments[${i}]`, 'a window, or a recording with ego and t0', moment);
  }
  const { recording, ego, t0 } = moment;
  const track = recording.tracks[ego];
  if (!track) {
    const last = recording.tracks.length - 1;
    throw argumentError(`moments[${i}].ego`, `a track of 0 to ${last}`, ego, 'ERR_RANGE');
  }
  if (!Number.isInteger(t0) || !isValidAt(track, t0)) {
    const end = track.start + track.x.length - 1;
    throw argumentError(
      `moments[${i}].t0`,
      `a step from ${track.start} to ${end}, where track ${ego} is seen`,
      t0,
      'ERR_RANGE',
    );
  }
  return moment;
}

function unpack(
  buffer: ArrayBuffer,
  count: number,
  width: number,
  height: number,
  wants: { depth: boolean; ids: boolean; objects: boolean },
  { bodies, counts }: Packed,
): CameraFrames {
  const pixels = count * width * height;
  const padded = (bytes: number) => Math.ceil(bytes / 8) * 8;
  const frames: CameraFrames = { count, width, height, rgb: new Uint8Array(buffer, 0, 3 * pixels) };
  let at = padded(3 * pixels);
  if (wants.depth) {
    frames.depth = new Float32Array(buffer, at, pixels);
    at += padded(4 * pixels);
  }
  if (wants.ids) {
    frames.ids = new Int32Array(buffer, at, pixels);
    at += padded(4 * pixels);
  }
  if (wants.objects) {
    const sights = new Float32Array(buffer, at, (bodies.length / kBodyColumns) * kSightColumns);
    let first = 0;
    frames.objects = counts.map((n) => {
      const seen = Array.from({ length: n }, (_, k) => readSight(sights, bodies, first + k));
      first += n;
      return seen.filter(({ visible }) => visible > 0).sort((a, b) => a.depth - b.depth);
    });
  }
  return frames;
}

function readSight(sights: Float32Array, bodies: Float64Array, i: number): SeenObject {
  const [visible, silhouette, left, top, right, bottom, depth] = sights.subarray(
    i * kSightColumns,
    (i + 1) * kSightColumns,
  );
  const id = bodies[i * kBodyColumns + kBodyColumns - 1];
  return { id, visible, silhouette, left, top, right, bottom, depth };
}
