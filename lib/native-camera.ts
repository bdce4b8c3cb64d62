/**
 * The camera's part of the native addon. Metres and radians in the frame of the map, z up, the road at z = 0.
 * Lists of points come as two arrays: all points one after the other, and where each list begins (one number more than
 * there are lists).
 */

declare const kKind: unique symbol;
/** What lies on the ground of a map, immutable; shared by all frames on it. */
export type NativeGroundMap = { readonly [kKind]: 'ground map' };
/** Threads with renderers. */
export type NativeCamera = { readonly [kKind]: 'camera' };

export interface NativeGround {
  /** Points [n, 2] of rings around what may be driven on. */
  ringPoints: Float64Array;
  ringStarts: Int32Array;
  /** 1 for a hole. */
  ringHoles: Int32Array;
  /** Points [n, 2] of painted lines. */
  linePoints: Float64Array;
  lineStarts: Int32Array;
  /** [lines, 4]: width, metres of paint, metres without (0: solid), 1 where it may be yellow. */
  lineStyles: Float64Array;
  /** Width of the pavement beside the road, 0 for none. */
  sidewalk: number;
}

/** Columns of a frame's row: see {@link CameraAddon.renderFrames}. */
export const kFrameColumns = 14;
/** Columns of a body's row. */
export const kBodyColumns = 12;
/** Columns of a row of what is seen of a body. */
export const kSightColumns = 7;

/** Codes of bodies' shapes. */
export const kBodyCode = {
  car: 0,
  van: 1,
  truck: 2,
  bus: 3,
  motorcycle: 4,
  pedestrian: 5,
  bicycle: 6,
  traffic_cone: 7,
  barrier: 8,
  czone_sign: 9,
  generic_object: 10,
  pole: 11,
  trafficLight: 12,
} as const;

/** Lamps of a body, bits. */
export const kLamps = { brake: 1, head: 2, red: 4, yellow: 8, green: 16 } as const;

/** What is wanted beside pictures, bits. */
export const kWants = { depth: 1, ids: 2, sights: 4 } as const;

export interface CameraAddon {
  /** Throws `ERR_ARGUMENT`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_RANGE`. */
  createGroundMap(ground: NativeGround): NativeGroundMap;
  createCamera(threads: number): NativeCamera;
  /**
   * Renders on the camera's own threads. `frames` [n, 14]: index of the map or -1, x, y, height, heading and pitch
   * (positive looks down) of the camera, focal length in pixels, seed and noise seed (low and high word each), 0 for an even day
   * without textures and noise, first body and bodies. `bodies` [m, 12], in the order of the frames: kind, x, y, z
   * (lower side), heading, length, width, height, tint (a word that chooses colours), lamps, phase of legs, id.
   *
   * The result holds pictures [n, height, width, 3], padded to 8 bytes, then, each when wanted and padded, depths
   * (float32) and ids (int32) [n, height, width], and sights (float32) [m, 7]: visible area and silhouette in pixels, left,
   * top, right, bottom, nearest depth. Resolves to undefined when aborted.
   */
  renderFrames(
    camera: NativeCamera,
    maps: readonly NativeGroundMap[],
    frames: Float64Array,
    bodies: Float64Array,
    width: number,
    height: number,
    wants: number,
    job: number,
  ): Promise<ArrayBuffer | undefined>;
  /** Drops a waiting call, stops a running one after its present frames; an unknown job is ignored. */
  abortFrames(camera: NativeCamera, job: number): void;
  /** Rejects pending calls with `ERR_CLOSED`; resolves when the threads have ended. */
  closeCamera(camera: NativeCamera): Promise<void>;
}
