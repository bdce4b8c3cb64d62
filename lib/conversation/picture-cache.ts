import { letterbox } from '../vision/letterbox.js';
import { readImage } from '../vision/read-image.js';
import { LruCache } from './lru-cache.js';

/** Of bytes 0 to 255 the values that {@link letterbox} gives. */
const kValues = Float32Array.from({ length: 256 }, (_, byte) =>
  Math.fround((Math.fround(Math.fround(byte) / 255) - 0.5) / 0.5),
);

/** Letterboxed pictures by path, as bytes. */
export class PictureCache {
  readonly #size: number;
  readonly #kept: LruCache<string, Uint8Array>;
  readonly #loading = new Map<string, Promise<Uint8Array>>();

  constructor(size: number, maxBytes: number) {
    this.#size = size;
    this.#kept = new LruCache(maxBytes, ({ length }) => length);
  }

  /**
   * [size, size, 3] RGB; not to be written to.
   *
   * @throws (rejects) as `readImage`
   */
  async get(path: string): Promise<Uint8Array> {
    const kept = this.#kept.get(path) ?? this.#loading.get(path);
    if (kept) return kept;
    const loading = this.#load(path);
    this.#loading.set(path, loading);
    try {
      const picture = await loading;
      this.#kept.set(path, picture);
      return picture;
    } finally {
      this.#loading.delete(path);
    }
  }

  clear(): void {
    this.#kept.clear();
  }

  async #load(path: string): Promise<Uint8Array> {
    return (await letterbox(await readImage(path), { size: this.#size })).preview;
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
