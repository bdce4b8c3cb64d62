import { byId } from './dom.js';

/** The play button as `playing` wants it. */
export function showPlaying(playing: boolean): void {
  byId('play-text').textContent = playing ? 'Pause' : 'Play';
  byId('play-icon').setAttribute(
    'd',
    playing ? 'M7 5h3.5v14H7zM13.5 5H17v14h-3.5z' : 'M8 5l11 7-11 7z',
  );
}

/** A slider at `value`, its track filled up to `share`; `text` is for screen readers. */
export function showSlider(
  input: HTMLInputElement,
  value: number,
  share: number,
  text: string,
): void {
  input.value = String(value);
  input.setAttribute('aria-valuetext', text);
  input.style.setProperty('--share', `${(100 * share).toFixed(2)}%`);
}
