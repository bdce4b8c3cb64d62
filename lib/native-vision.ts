/** The addon's part that makes pictures ready for the vision tower. */

declare const kKind: unique symbol;
/** A thread that prepares pictures; it lasts as long as its handle or the JavaScript thread. */
export type NativeImageThread = { readonly [kKind]: 'image thread' };

export interface NativePicture {
  /** [height, width, channels]. */
  data: Uint8Array;
  /** 1 to 65,535. */
  width: number;
  height: number;
  /** 3 or 4. */
  channels: number;
  /** Side of the square, 1 to 4,096. */
  size: number;
  /** Background, 0 to 255. */
  red: number;
  green: number;
  blue: number;
}

/** Where the picture lies in the square is in pixels. */
export interface NativeLetterbox {
  /** Float32, [3, size, size]. */
  values: ArrayBuffer;
  /** Bytes, RGB [size, size, 3]. */
  preview: ArrayBuffer;
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface VisionAddon {
  createImageThread(): NativeImageThread;
  /** Copies the picture, then works on `thread`. Throws `ERR_ARGUMENT`, `ERR_RANGE`, `ERR_SHAPE`. */
  letterbox(thread: NativeImageThread, picture: NativePicture): Promise<NativeLetterbox>;
  /** The same on the calling thread. */
  letterboxSync(picture: NativePicture): NativeLetterbox;
}
