import { Camera, type Insets } from './camera.js';
import { byId } from './dom.js';
import type { Bounds } from './geometry.js';
import { attachGestures } from './gestures.js';
import { startTheme, toggleTheme } from './theme.js';

/** What a page puts on the stage. */
export interface Picture {
  /** What to show, metres, and at most so many pixels per metre. */
  bounds(): { bounds: Bounds; most?: number };
  /** Pixels of the stage that its controls cover; `narrow` on a phone. */
  insets(narrow: boolean): Insets;
  /** Before someone's wish to see everything is granted. */
  reset?(): void;
  /** Moves on by `seconds` while it plays; true: it goes on. */
  advance(seconds: number): boolean;
  draw(): void;
  /** A click or tap, not a drag: pixels from the upper left corner of the map. */
  clicked?(px: number, py: number): void;
}

/** The map's canvas with its camera, its buttons, and the loop that draws it when something changed. */
export class Stage {
  readonly camera = new Camera();
  readonly canvas = byId<HTMLCanvasElement>('map' as const);
  readonly #picture: Picture;
  /** The view moves with the case until someone moves it by hand. */
  #framed = false;
  #pending = 0;
  #drawnAt = 0;

  constructor(picture: Picture) {
    this.#picture = picture;
    byId('zoom-in').addEventListener('click', () => this.zoom(1.4));
    byId('zoom-out').addEventListener('click', () => this.zoom(1 / 1.4));
    byId('fit').addEventListener('click', () => this.#reset());
    byId('turn').addEventListener('click', () => this.turn());
    byId('theme').addEventListener('click', toggleTheme);
    byId('help').addEventListener('click', () => this.showKeys());
    const moved = () => {
      this.#framed = true;
      this.redraw();
    };
    attachGestures(this.canvas, this.camera, moved, (px, py) => picture.clicked?.(px, py));
  }

  /** Begins to draw. */
  start(): void {
    startTheme(() => this.redraw());
    new ResizeObserver(() => this.#resize()).observe(byId('stage'));
  }

  /** What keys do on every page. */
  keys(): Record<string, () => void> {
    return {
      '+': () => this.zoom(1.4),
      '=': () => this.zoom(1.4),
      '-': () => this.zoom(1 / 1.4),
      f: () => this.#reset(),
      r: () => this.turn(),
      d: toggleTheme,
      '?': () => this.showKeys(),
    };
  }

  redraw(): void {
    if (this.#pending === 0) this.#pending = requestAnimationFrame((now) => this.#draw(now));
  }

  zoom(factor: number): void {
    this.camera.zoomAt(this.camera.width / 2, this.camera.height / 2, factor);
    this.#framed = true;
    this.redraw();
  }

  /** Frames the picture; its long way runs along the long side of the map. */
  fit(): void {
    this.#framed = false;
    this.camera.rotation = this.camera.height > 1.05 * this.camera.width ? Math.PI / 2 : 0;
    this.#frame();
    this.redraw();
  }

  /** Frames the picture again unless someone has moved the map by hand. */
  follow(): void {
    if (!this.#framed) this.#frame();
    this.redraw();
  }

  turn(): void {
    this.camera.rotation = this.camera.rotation === 0 ? Math.PI / 2 : 0;
    this.follow();
  }

  showKeys(): void {
    byId<HTMLDialogElement>('keys').showModal();
  }

  #frame(): void {
    const { bounds, most } = this.#picture.bounds();
    this.camera.fit(bounds, this.#picture.insets(this.camera.width < 620), most);
  }

  #reset(): void {
    this.#picture.reset?.();
    this.fit();
  }

  #draw(now: number): void {
    this.#pending = 0;
    // A tab that slept must not jump.
    if (this.#picture.advance(Math.min(0.1, (now - this.#drawnAt) / 1000))) this.redraw();
    this.#drawnAt = now;
    this.#picture.draw();
    this.#showScale();
  }

  /** A round number of metres about 90 pixels long. */
  #showScale(): void {
    const { scale } = this.camera;
    const length = [1, 2, 5, 10, 20, 50, 100].findLast((m) => m * scale <= 110) ?? 1;
    byId('scale-bar').style.width = `${(length * scale).toFixed(1)}px`;
    byId('scale-text').textContent = `${length} m`;
  }

  #resize(): void {
    const { camera, canvas } = this;
    const { clientWidth, clientHeight } = byId('stage');
    const ratio = window.devicePixelRatio || 1;
    const first = camera.width === 1;
    camera.width = Math.max(1, clientWidth);
    camera.height = Math.max(1, clientHeight);
    canvas.width = Math.round(camera.width * ratio);
    canvas.height = Math.round(camera.height * ratio);
    if (first || !this.#framed) this.fit();
    else this.redraw();
  }
}

/** The context of a cleared canvas, in metres; null where the browser gives none. */
export function beginDrawing(
  canvas: HTMLCanvasElement,
  camera: Camera,
  ground: string,
): CanvasRenderingContext2D | null {
  const ctx = canvas.getContext('2d', { alpha: false });
  if (!ctx) return null;
  const ratio = canvas.width / camera.width;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.fillStyle = ground;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  const [a, b, c, d, e, f] = camera.matrix();
  ctx.setTransform(a * ratio, b * ratio, c * ratio, d * ratio, e * ratio, f * ratio);
  return ctx;
}
