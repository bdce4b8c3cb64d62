import { CameraRenderer } from '../camera/camera.js';
import type { CameraOptions } from '../camera/options.js';
import type { ScenarioWindow } from '../scenario/types.js';
import type { Pixels } from '../vision/pixels.js';

/** What windows look like to a camera, rendered when they are first asked for. */
export interface WindowPictures {
  of(window: ScenarioWindow, signal?: AbortSignal): Promise<Pixels>;
  close(): Promise<void>;
}

/** Bytes of pictures that are kept; others are rendered again. */
const kMostKept = 2 ** 28;

/** Pictures by a camera of these options, kept for whoever asks for the same window again. */
export class CameraPictures implements WindowPictures {
  readonly #camera: CameraRenderer;
  readonly #kept = new WeakMap<ScenarioWindow, Pixels>();
  #bytes = 0;

  /** @throws as {@link CameraRenderer}. */
  constructor(options: CameraOptions) {
    this.#camera = new CameraRenderer(options);
  }

  /** @throws (rejects) as `CameraRenderer.render`. */
  async of(window: ScenarioWindow, signal?: AbortSignal): Promise<Pixels> {
    const kept = this.#kept.get(window);
    if (kept) return kept;
    const asked = signal === undefined ? {} : { signal };
    const { rgb, width, height } = await this.#camera.render(window, asked);
    const picture = { data: rgb, width, height };
    if (!this.#kept.has(window) && this.#bytes + rgb.length <= kMostKept) {
      this.#kept.set(window, picture);
      this.#bytes += rgb.length;
    }
    return picture;
  }

  close(): Promise<void> {
    return this.#camera.close();
  }
}

/** The same even grey for every window, the middle of what a picture can be. */
export const greyPictures: WindowPictures = {
  of: async () => ({ data: Uint8Array.of(127, 127, 127), width: 1, height: 1 }),
  close: async () => {},
};
