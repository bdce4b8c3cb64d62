import { letterbox } from '../vision/letterbox.js';
import { readImage } from '../vision/read-image.js';

/** Of bytes 0 to 255 the values that {@link letterbox} gives. */
const kValues = Float32Array.from({ length: 256 }, (_, byte) =>
  Math.fround((Math.fround(Math.fround(byte) / 255) - 0.5) / 0.5),
);

/** Letterboxed pictures by path, as bytes; those that were not used for longest are given up first. */
export class PictureCache {
  readonly #size: number;
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;
  readonly #loading = new Map<string, Promise<Uint8Array>>();

  constructor(size: number, maxBytes: number) {
    this.#size = size;
    this.#maxBytes = maxBytes;
  }

  /**
   * [size, size, 3] RGB; not to be written to.
   *
   * @throws (rejects) as `readImage`
   */
  async get(path: string): Promise<Uint8Array> {
    const kept = this.#kept.get(path);
    if (kept) {
      this.#kept.delete(path);
      this.#kept.set(path, kept);
      return kept;
    }
    const waiting = this.#loading.get(path);
    if (waiting) return waiting;
    const loading = this.#load(path);
    this.#loading.set(path, loading);
    try {
      const picture = await loading;
      this.#keep(path, picture);
      return picture;
    } finally {
      this.#loading.delete(path);
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  async #load(path: string): Promise<Uint8Array> {
    return (await letterbox(await readImage(path), { size: this.#size })).preview;
  }

  #keep(path: string, picture: Uint8Array): void {
    if (picture.length > this.#maxBytes) return;
    this.#kept.set(path, picture);
    this.#bytes += picture.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
  }
}

/** Pictures [size, size, 3] as the vision tower takes them: [pictures, 3, size, size]. */
export function toPixels(pictures: readonly Uint8Array[], size: number): Float32Array {
  const plane = size * size;
  const out = new Float32Array(pictures.length * 3 * plane);
  for (const [n, picture] of pictures.entries()) {
    const at = n * 3 * plane;
    for (let i = 0; i < plane; ++i) {
      out[at + i] = kValues[picture[3 * i]];
      out[at + plane + i] = kValues[picture[3 * i + 1]];
      out[at + 2 * plane + i] = kValues[picture[3 * i + 2]];
    }
  }
  return out;
}
