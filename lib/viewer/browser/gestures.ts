import type { Camera } from './camera.js';

/** A pointer that stays within so many pixels of where it came down clicks. */
const kClickReach = 5;

/**
 * Drag to pan, wheel and pinch to zoom, double click to zoom in. `changed` is called after each move, `clicked` with
 * pixels from the upper left corner.
 */
export function attachGestures(
  canvas: HTMLCanvasElement,
  camera: Camera,
  changed: () => void,
  clicked: (px: number, py: number) => void,
): void {
  let pressed: { x: number; y: number } | null = null;
  const pointers = new Map<number, { x: number; y: number }>();

  const at = (event: MouseEvent): { x: number; y: number } => {
    const rect = canvas.getBoundingClientRect();
    return { x: event.clientX - rect.left, y: event.clientY - rect.top };
  };
  const spread = (): { x: number; y: number; distance: number } => {
    const points = [...pointers.values()];
    const mean = (axis: 'x' | 'y'): number =>
      points.reduce((sum, p) => sum + p[axis], 0) / points.length;
    const [x, y] = [mean('x'), mean('y')];
    return { x, y, distance: Math.max(...points.map((p) => Math.hypot(p.x - x, p.y - y))) };
  };

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    // A second finger makes it a pinch.
    pressed = pointers.size === 1 ? at(event) : null;
    canvas.dataset.dragging = 'true';
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!pointers.has(event.pointerId)) return;
    const now = at(event);
    if (pressed && Math.hypot(now.x - pressed.x, now.y - pressed.y) > kClickReach) pressed = null;
    const before = spread();
    pointers.set(event.pointerId, now);
    const after = spread();
    camera.pan(after.x - before.x, after.y - before.y);
    if (pointers.size > 1 && before.distance > 0) {
      camera.zoomAt(after.x, after.y, after.distance / before.distance);
    }
    changed();
  });
  const release = (event: PointerEvent): void => {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) delete canvas.dataset.dragging;
  };
  canvas.addEventListener('pointerup', (event) => {
    if (pressed && pointers.size === 1) clicked(pressed.x, pressed.y);
    pressed = null;
    release(event);
  });
  canvas.addEventListener('pointercancel', release);

  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      // A mouse reports pixels or lines, a trackpad pinch arrives with ctrlKey and small steps.
      const step = event.deltaY * (event.deltaMode === 1 ? 20 : 1) * (event.ctrlKey ? 4 : 1);
      const point = at(event);
      camera.zoomAt(point.x, point.y, Math.exp(-Math.max(-240, Math.min(240, step)) / 480));
      changed();
    },
    { passive: false },
  );
  canvas.addEventListener('dblclick', (event) => {
    const point = at(event);
    camera.zoomAt(point.x, point.y, 2);
    changed();
  });
}
